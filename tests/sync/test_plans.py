"""Plan → approve → apply: what would happen is looked up and kept, and applied only while the target is as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from mdm.errors import FourEyes
from mdm.models import Crosswalk
from sync.models import Delivery, PushJob, PushRow, Subscription, Target, ValueMapRow
from sync.models.job import LIMIT
from sync.services import job_work, jobs, planning, rounds
from sync.tasks import process_id
from tests.database import ROOT
from tests.fixtures_processes import new_child
from tests.people import actor
from tests.sync import world
from tests.sync.world import Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


@pytest.fixture
def samir():
    return actor("samir", "operator")


def planned(target: Target, by, **scope) -> PushJob:
    return planning.run(jobs.ask_for_records(target, by=by, plan=True, **scope).uid)


def effects_of(job: PushJob) -> dict[str, str]:
    return {row.label.split(" ", 1)[1]: row.effect for row in PushRow.objects.filter(job=job)}


def four_cases(side: Side) -> dict[str, str]:
    """One that is there as it should be, one that differs, one that is new, and one the platform cannot take."""
    same, different = (
        world.supplier(legal_name="Gleich GmbH", tax_registrations=[]),
        world.supplier(legal_name="Anders GmbH", tax_registrations=[]),
    )
    world.send_now()
    Subscription.objects.update(from_seq=10**9)
    side.mutate(Crosswalk.objects.get(uid=different).key, "website", "https://theirs.example")
    world.propose("payment_term", {"code": "NET37", "name": "Odd", "net_days": 37})
    new = world.supplier(legal_name="Neu GmbH", tax_registrations=[])
    world.supplier(legal_name="Unmöglich GmbH", tax_registrations=[], payment_terms="NET37")
    return {"same": same, "different": different, "new": new}


def test_a_plan_says_what_would_happen_and_writes_nothing(coupa, samir):
    target, side = coupa
    four_cases(side)
    before = side.effects()
    job = planned(target, samir)
    assert effects_of(job) == {
        "Gleich GmbH": "unchanged", "Anders GmbH": "change", "Neu GmbH": "create", "Unmöglich GmbH": "refused",
    }  # fmt: skip
    assert (job.state, job.total, job.sends, job.needs_approval) == ("waiting", 4, 2, False)
    row = PushRow.objects.get(job=job, effect="change")
    assert {(c["field"], c["theirs"], c["ours"]) for c in row.changes} == {("website", "https://theirs.example", None)}
    assert "NET37" in PushRow.objects.get(job=job, effect="refused").why
    assert side.effects() == before and Delivery.objects.count() == 2


def test_a_plan_is_applied_and_did_what_it_said(coupa, samir):
    target, side = coupa
    records = four_cases(side)
    job = planned(target, samir)
    jobs.approve(job, by=samir, content_hash=job.content_hash)
    job.refresh_from_db()
    assert job.state == "checking" and Delivery.objects.filter(reason="manual").count() == 0
    assert planning.run(job.uid).state == "running"
    assert world.send_until_settled() == {"posted": 2}
    job_work.go_on()
    job.refresh_from_db()
    assert job.state == "done" and job.counts["posted"] == 2
    made = {str(row.record): row.made.effect for row in PushRow.objects.filter(job=job).exclude(made=None)}
    assert made == {records["different"]: "updated", records["new"]: "created"}
    again = planned(target, samir)
    assert (again.state, again.sends) == ("done", 0), "there is nothing left to do"


def test_a_plan_is_refused_when_the_target_moved(coupa, samir):
    target, side = coupa
    records = four_cases(side)
    job = planned(target, samir)
    side.mutate(Crosswalk.objects.get(uid=records["different"]).key, "website", "https://again.example")
    jobs.approve(job, by=samir, content_hash=job.content_hash)
    job = planning.run(job.uid)
    assert (job.state, job.counts["moved"], job.counts["plan_is_stale"]) == ("stale", 1, 1)
    moved = PushRow.objects.get(job=job, state="moved")
    assert str(moved.record) == records["different"] and "something else" in moved.why
    job_work.go_on()
    assert not Delivery.objects.filter(reason="manual").exists(), "nothing of it is applied"
    again = jobs.plan_again(job, by=samir)
    assert planning.run(again.uid).state == "waiting" and again.parent == job


@pytest.mark.parametrize("what", ["record", "value map", "made there"])
def test_a_plan_is_refused_when_anything_else_moved(coupa, samir, what):
    target, side = coupa
    records = four_cases(side)
    job = planned(target, samir)
    if what == "record":
        world.propose("supplier", {"website": "https://neu.example"}, uid=records["different"])
    elif what == "value map":
        ValueMapRow.objects.create(target=target, table="payment_terms", ours="NET30", theirs="Net 31")
    else:
        target.subscriptions.update(from_seq=0)
        world.send_until_settled()  # what the plan would create is created by its event
    jobs.approve(job, by=samir, content_hash=job.content_hash)
    assert planning.run(job.uid).state == "stale"


def test_a_large_plan_is_applied_by_somebody_else(coupa, samir):
    target, side = coupa
    Subscription.objects.update(from_seq=10**9)
    world.suppliers((f"Groß {number} GmbH" for number in range(LIMIT + 1)), tax_registrations=[])
    job = planned(target, samir)
    assert (job.state, job.sends, job.needs_approval) == ("waiting", LIMIT + 1, True)
    with pytest.raises(FourEyes):
        jobs.approve(job, by=samir, content_hash=job.content_hash)
    mara = actor("mara", "steward")
    assert jobs.approve(job, by=mara, content_hash=job.content_hash).state == "checking"


def test_rows_that_were_changed_behind_our_back_are_not_applied(coupa, samir, owner_connection):
    """Somebody with the owner's password changed a row after it was shown."""
    target, side = coupa
    four_cases(side)
    job = planned(target, samir)
    with owner_connection.transaction():
        owner_connection.execute("SELECT set_config('mdm.maintenance', 'on', true)")
        owner_connection.execute("UPDATE sync_pushrow SET planned_version = 9 WHERE effect = 'create'")
    done = jobs.approve(job, by=samir, content_hash=job.content_hash)
    assert done.state == "failed" and "not those that were approved" in done.error
    assert not Delivery.objects.filter(reason="manual").exists()


def test_a_look_that_is_old_is_taken_again_while_the_plan_is_applied(coupa, samir):
    target, side = coupa
    Subscription.objects.update(from_seq=10**9)
    world.suppliers((f"Lange {number} GmbH" for number in range(6)), tax_registrations=[])
    job = planned(target, samir, rate_per_s=2)
    jobs.approve(job, by=samir, content_hash=job.content_hash)
    planning.run(job.uid)
    job_work.go_on()
    assert Delivery.objects.count() == 2
    PushRow.objects.update(checked_at=timezone.now() - timedelta(seconds=job_work.FRESH_S + 1))
    PushJob.objects.update(paced_at=timezone.now() - timedelta(seconds=30))
    job_work.go_on()
    assert Delivery.objects.count() == 2, "nothing is sent on an old look"
    assert planning.waiting() == [job.uid]
    assert planning.run(job.uid).state == "running"
    job_work.go_on()
    assert Delivery.objects.count() == 6


def test_a_paused_plan_is_checked_again(coupa, samir):
    target, side = coupa
    records = four_cases(side)
    job = planned(target, samir)
    jobs.approve(job, by=samir, content_hash=job.content_hash)
    planning.run(job.uid)
    jobs.pause(job, by=samir)
    side.mutate(Crosswalk.objects.get(uid=records["different"]).key, "website", "https://again.example")
    assert jobs.resume(job, by=samir).state == "checking"
    assert planning.run(job.uid).state == "stale"


def test_a_target_that_is_away_fails_the_plan_in_words(sandbox, samir):
    world.allow_everything()
    started = sandbox("coupa")
    target = world.target("coupa", started.url)
    Subscription.objects.update(from_seq=10**9)
    world.supplier()
    started.stop()
    job = planned(target, samir)
    assert job.state == "failed" and job.error
    assert jobs.plan_again(job, by=samir).state == "planning"


def test_a_throttling_target_is_waited_for(coupa, samir):
    target, side = coupa
    Subscription.objects.update(from_seq=10**9)
    world.supplier()
    side.fault("429", "GET /api/suppliers", 1)
    assert planned(target, samir).state == "waiting"


def test_a_plan_whose_process_was_killed_goes_on_where_it_was(coupa, samir):
    target, side = coupa
    Subscription.objects.update(from_seq=10**9)
    world.suppliers((f"Viele {number} GmbH" for number in range(60)), tax_registrations=[])
    Target.objects.update(rate_per_s=20, burst=1)
    target.refresh_from_db()
    job = jobs.ask_for_records(target, by=samir, plan=True)
    program = f"import django; django.setup(); from sync.services import planning; planning.run('{job.uid}')"
    environment = new_child("planner", []).environment
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **(environment or {})})
    looked_up = PushRow.objects.filter(job=job).exclude(effect="")
    try:
        ends = time.monotonic() + 60
        while not looked_up.exists():
            assert process.poll() is None and time.monotonic() < ends
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    done = looked_up.count()
    assert 0 < done < 60
    assert planning.run(job.uid).state == "planning", "its lease runs still"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sync_pushjob SET lease_until = now() - interval '1 second'")
    before = dict(looked_up.values_list("pk", "remote_digest"))
    Target.objects.update(rate_per_s=1000, burst=1000)
    assert planning.waiting() == [job.uid]
    assert rounds.own_round(process_id(), everything=True)["plan waiting"] == 1
    job.refresh_from_db()
    assert (job.state, job.sends) == ("waiting", 60)
    kept = dict(PushRow.objects.filter(pk__in=before).values_list("pk", "remote_digest"))
    assert kept == before and looked_up.count() == 60


def test_bank_numbers_are_sealed_in_a_plan(sandbox, samir):
    world.allow_everything()
    started = sandbox("s4hana")
    target, side = world.target("s4hana", started.url), Side(started.control)
    iban = "DE89370400440532013000"
    uid = world.supplier(bank_accounts=[{"iban": iban, "holder": "Nordlicht Papier GmbH"}])
    world.send_until_settled()
    Subscription.objects.update(from_seq=10**9)
    key = Crosswalk.objects.get(uid=uid).key
    field = next(name for name, value in side.records()[key].items() if value == iban)
    side.mutate(key, field, "DE02120300000000202051")
    job = planned(target, samir)
    row = PushRow.objects.get(job=job)
    assert row.effect == "change"
    with connection.cursor() as cursor:
        cursor.execute("SELECT changes::text FROM sync_pushrow")
        stored = cursor.fetchone()[0]
    assert iban not in stored and "DE02120300000000202051" not in stored and "ct" in stored
