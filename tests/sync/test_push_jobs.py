"""Push jobs: one at a time per target, paced, paused, resumed, repeated; a second person above a hundred, and the
database says the same; replays, forced ones, loads and what changed."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from mdm.errors import CorrectInput, FourEyes, NotAllowed, NotNow, Reload
from sync.models import Delivery, Lane, PushJob, PushRow, Subscription, Target
from sync.models.job import LIMIT, MOVES
from sync.services import job_rows, job_work, jobs, replay
from tests.database import ROOT
from tests.fixtures_processes import new_child
from tests.people import actor
from tests.sync import world
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)
NOBODY = "http://127.0.0.1:9"  # nothing answers there, and no test asks


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


@pytest.fixture
def silent():
    """A target that takes everything into its queue; nothing is sent in these tests."""
    world.allow_everything()
    return world.target("coupa", NOBODY)


@pytest.fixture
def samir():
    return actor("samir", "operator")


@pytest.fixture
def mara():
    return actor("mara", "steward")


def suppliers(count: int, name: str = "Viele") -> list[str]:
    return world.suppliers((f"{name} {n} GmbH" for n in range(count)), tax_registrations=[])


def die(uids: list[str], state: str = "failed") -> None:
    """Their deliveries ended as dead letters."""
    world.dispatch_now()
    rows = Delivery.objects.filter(record__in=uids, state="pending")
    rows.update(state="in_flight")
    Delivery.objects.filter(record__in=uids, state="in_flight").update(
        state=state, error_code="ambiguous", error_text="Nobody answered", changed_at=Now()
    )
    for delivery in Delivery.objects.filter(record__in=uids):
        type(delivery.lane).objects.filter(pk=delivery.lane_id).update(open=False)


# --- replay -----------------------------------------------------------------------------------------------------------


def test_a_look_says_what_would_be_sent_and_in_which_version(silent, samir):
    old, new = suppliers(2)
    die([old, new])
    Subscription.objects.update(from_seq=10**9)  # the change is not sent by itself
    world.propose("supplier", {"website": "https://neu.example"}, uid=new)
    found = replay.replay(filter={"target": "coupa"}, by=samir)
    (look,) = found.looks
    assert (look.found, look.states, look.lanes, look.records, look.newer) == (2, {"failed": 2}, 2, 2, 1)
    assert look.counts["queued"] == 2 and look.exact
    assert {(str(row.record), row.version, row.current) for row in look.samples} == {(old, 1, 1), (new, 1, 2)}
    assert not PushJob.objects.exists() and Delivery.objects.count() == 2
    (job,) = replay.replay(filter={"target": "coupa"}, dry_run=False, by=samir).jobs
    assert {(row.version, row.made.version) for row in job.rows.all()} == {(1, 1), (1, 2)}, "the newest version"


def test_the_same_replay_twice_changes_nothing(coupa, samir):
    target, side = coupa
    Target.objects.update(max_attempts=1)
    side.fault("500", "GET /api/suppliers", 3)
    suppliers(3)
    assert world.send_until_settled() == {"failed": 3}
    asked = {"filter": {"target": "coupa"}, "dry_run": False, "by": samir}
    (job,) = replay.replay(**asked).jobs
    assert replay.replay(**asked).jobs == []
    assert world.send_until_settled() == {"posted": 3}
    job_work.go_on()
    job.refresh_from_db()
    assert (job.state, job.done, job.counts) == ("done", 3, {"posted": 3})
    effects = side.effects()
    assert replay.replay(**asked).jobs == []
    # What arrived is sent again on demand, and does nothing there.
    posted = {"filter": {"target": "coupa", "state": "posted"}, "dry_run": False, "by": samir}
    (again,) = replay.replay(**posted).jobs
    world.send_until_settled()
    job_work.go_on()
    again.refresh_from_db()
    assert again.counts == {"unchanged": 3} and side.effects() == effects


def test_a_record_that_failed_twice_is_one_row_and_places_stay_unique(silent, samir, monkeypatch):
    """Over several pieces; the hash of what was approved rests on the order of the rows."""
    monkeypatch.setattr(job_rows, "CHUNK", 3)
    twice = world.supplier()
    die([twice])
    world.propose("supplier", {"website": "https://neu.example"}, uid=twice)
    die([twice])
    die(suppliers(2))
    Delivery.objects.update(corrected_by=None)
    (job,) = replay.replay(filter={"target": "coupa"}, dry_run=False, by=samir).jobs
    job_work.go_on()
    job.refresh_from_db()
    assert Delivery.objects.filter(reason="replay").count() == 3 and job.state == "running"
    places = list(PushRow.objects.filter(job=job).values_list("place", flat=True))
    assert len(places) == len(set(places)) == 3


def test_a_poisonous_delivery_lets_its_lane_go_on_when_it_is_repeated(silent, samir):
    uid = world.supplier()
    die([uid], "poison")
    dead = Delivery.objects.get()
    type(dead.lane).objects.update(hold_reason="poison: its connector broke three times")
    replay.replay(filter={"uid": str(dead.uid)}, dry_run=False, by=samir)
    dead.refresh_from_db()
    again = Delivery.objects.latest("pk")
    assert (dead.state, dead.lane.hold_reason, again.state, again.reason) == ("cancelled", "", "pending", "replay")


def test_the_version_as_it_was_needs_a_permission_a_reason_and_a_second_person(coupa, samir):
    target, side = coupa
    lina, mara = actor("lina", "lead_steward"), actor("mara", "steward")
    world.propose("legal_entity", {"code": "NH10", "name": "Nordhaven DE", "country": "DE", "currency": "EUR"})
    uid = world.supplier(website="https://alt.example", extensions=[{"legal_entity": "NH10"}])
    world.send_now()
    first = Delivery.objects.get()
    world.propose("supplier", {"website": "https://neu.example"}, uid=uid)
    assert world.send_now() == {"posted": 1}
    asked = {"filter": {"uid": str(first.uid)}, "dry_run": False, "forced": True}
    with pytest.raises(NotAllowed):
        replay.replay(**asked, by=samir, reason="They want it back")
    with pytest.raises(CorrectInput):
        replay.replay(**asked, by=lina)
    (job,) = replay.replay(**asked, by=lina, reason="They want it back").jobs
    assert (job.state, job.sends, job.needs_approval) == ("waiting", 1, True)
    with pytest.raises(FourEyes):
        jobs.approve(job, by=lina, content_hash=job.content_hash)
    used_by = Lane.objects.get().entities
    jobs.approve(job, by=mara, content_hash=job.content_hash)
    assert world.send_now() == {"posted": 1}
    assert [row["website"] for row in side.records().values()] == ["https://alt.example"]
    assert Lane.objects.get().entities == used_by != [], "what freezes a company freezes this too"
    job_work.go_on()
    (twice,) = replay.replay(**asked, by=lina, reason="Once more").jobs
    assert (twice.state, twice.total, twice.counts) == ("done", 0, {"repeated_before": 1}), "it happens once"


def test_a_forced_version_never_overtakes_newer_work(silent):
    lina = actor("lina", "lead_steward")
    uid = world.supplier()
    die([uid])
    old = Delivery.objects.get()
    world.propose("supplier", {"website": "https://neu.example"}, uid=uid)
    world.dispatch_now()
    (job,) = replay.replay(filter={"uid": str(old.uid)}, dry_run=False, by=lina, forced=True, reason="As it was").jobs
    assert (job.state, job.counts) == ("done", {"already_waiting": 1})
    assert Delivery.objects.get(state="pending").version == 2


# --- the second person ------------------------------------------------------------------------------------------------


def test_more_than_a_hundred_wait_for_somebody_else(silent, samir, mara):
    die(suppliers(LIMIT + 1))
    (job,) = replay.replay(filter={"target": "coupa"}, dry_run=False, by=samir).jobs
    assert (job.state, job.needs_approval, job.sends) == ("waiting", True, LIMIT + 1)
    job_work.go_on()
    assert Delivery.objects.filter(reason="replay").count() == 0
    with pytest.raises(FourEyes):
        jobs.approve(job, by=samir, content_hash=job.content_hash)
    with pytest.raises(NotAllowed):
        jobs.approve(job, by=actor("jonas", "auditor"), content_hash=job.content_hash)
    with pytest.raises(NotAllowed):
        jobs.approve(job, by=ROBOT, content_hash=job.content_hash)
    with pytest.raises(Reload):
        jobs.approve(job, by=mara, content_hash="0" * 64)
    approved = jobs.approve(job, by=mara, content_hash=job.content_hash)
    assert (approved.state, approved.approved_by) == ("running", mara.user)
    with pytest.raises(NotNow):
        jobs.approve(job, by=mara, content_hash=job.content_hash)
    job_work.go_on()
    assert Delivery.objects.filter(reason="replay").count() == LIMIT + 1


def test_a_hundred_need_nobody_and_many_small_ones_are_a_large_one(silent, samir):
    uids = suppliers(LIMIT)
    world.dispatch_now()
    Delivery.objects.update(state="cancelled")
    first = jobs.ask_for_records(silent, by=samir, type="supplier", records=uids[:60])
    assert (first.state, first.needs_approval) == ("running", False)
    second = jobs.ask_for_records(silent, by=samir, type="supplier", records=uids[60:])
    assert (second.state, second.needs_approval) == ("queued", False), "a hundred together"
    Delivery.objects.filter(record=uids[0], state="pending").update(state="cancelled")
    third = jobs.ask_for_records(silent, by=samir, type="supplier", records=uids[:1])
    assert (third.state, third.needs_approval) == ("waiting", True)
    other = jobs.ask_for_records(silent, by=actor("mara", "steward"), type="supplier", records=uids[:1])
    assert not other.needs_approval, "somebody else has not asked for anything yet"


def test_refusing_needs_a_reason_and_sends_nothing(silent, samir, mara):
    die(suppliers(LIMIT + 1))
    (job,) = replay.replay(filter={"target": "coupa"}, dry_run=False, by=samir).jobs
    with pytest.raises(CorrectInput):
        jobs.refuse(job, by=mara, reason=" ")
    assert jobs.refuse(job, by=mara, reason="The platform is being upgraded").state == "refused"
    with pytest.raises(NotNow):
        jobs.approve(job, by=mara, content_hash=job.content_hash)
    assert Delivery.objects.filter(reason="replay").count() == 0


@pytest.mark.database
def test_the_database_refuses_what_the_service_refuses(silent, samir, mara):
    die(suppliers(LIMIT + 1))
    (job,) = replay.replay(filter={"target": "coupa"}, dry_run=False, by=samir).jobs
    row = PushJob.objects.filter(pk=job.pk)

    def refused(error: type[Exception], match: str, **values: object) -> None:
        with pytest.raises(error, match=match), transaction.atomic():
            row.update(**values)

    refused(IntegrityError, "push_job_large_is_approved", state="queued")
    refused(IntegrityError, "push_job_four_eyes", approved_by=samir.user, approved_at=timezone.now(), state="queued")
    refused(ProgrammingError, "never changes", needs_approval=False)
    refused(ProgrammingError, "never changes", sends=1)
    refused(ProgrammingError, "never changes", requested_by=mara.user)
    refused(ProgrammingError, "never changes", content_hash="0" * 64)
    refused(IntegrityError, "cannot go from waiting to running", state="running")
    with pytest.raises(ProgrammingError, match="never changes"), transaction.atomic():
        PushRow.objects.filter(job=job).update(version=7)
    with pytest.raises(ProgrammingError, match="while a push job is built"), transaction.atomic():
        PushRow.objects.create(job=job, place=999, type="supplier", record=job.uid)
    for table in ("sync_pushrow", "sync_pushjob"):
        kept = pytest.raises(ProgrammingError, match="kept")
        with kept, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")
    row.update(approved_by=mara.user, approved_at=timezone.now(), state="queued")
    refused(ProgrammingError, "never changes", approved_by=None)
    other = PushJob.objects.create(target=silent, kind="load", rate_per_s=1, requested_by_name="x", correlation_id="c")
    with pytest.raises(IntegrityError, match="cannot go"), transaction.atomic():
        PushJob.objects.filter(pk=other.pk).update(state="running")


def test_the_trigger_is_a_copy_of_the_table():
    guards = importlib.import_module("sync.migrations.0003_push_job_guards")
    pairs = set(re.findall(r"\('(\w+)', '(\w+)'\)", guards.MOVES))
    assert pairs == {(before, after) for before, afters in MOVES.items() for after in afters}


# --- pace, pause, cancel, kill ----------------------------------------------------------------------------------------


def test_a_job_keeps_its_own_pace_and_goes_on_after_every_step(silent, samir):
    suppliers(60)
    world.dispatch_now()
    Delivery.objects.update(state="cancelled")
    job = jobs.ask_for_records(silent, by=samir, rate_per_s=5)
    assert job.state == "running" and Delivery.objects.filter(state="pending").count() == 5, "a second's worth"
    assert job_work.go_on() == 0, "nothing more within the same moment"
    PushJob.objects.update(paced_at=timezone.now() - timedelta(seconds=100))
    job_work.go_on()
    assert Delivery.objects.filter(state="pending").count() == 50, "never more under way than ten seconds' worth"
    with pytest.raises(CorrectInput):
        jobs.ask_for_records(silent, by=samir, rate_per_s=silent.rate_per_s * 2)


def test_pause_resume_and_cancel(silent, samir):
    suppliers(30)
    world.dispatch_now()
    Delivery.objects.update(state="cancelled")
    job = jobs.ask_for_records(silent, by=samir, rate_per_s=2)
    assert jobs.pause(job, by=samir).state == "paused"
    PushJob.objects.update(paced_at=timezone.now() - timedelta(seconds=100))
    job_work.go_on()
    assert Delivery.objects.filter(state="pending").count() == 2
    assert jobs.resume(job, by=samir).state == "running"
    job_work.go_on()
    waiting = PushRow.objects.filter(job=job, state="waiting").count()
    ended = jobs.cancel(job, by=samir)
    assert (ended.state, ended.counts["given_up"]) == ("cancelled", waiting) and 0 < waiting < 28
    with pytest.raises(NotNow):
        jobs.cancel(job, by=samir)
    before = Delivery.objects.count()
    job_work.go_on()
    assert Delivery.objects.count() == before


def test_one_job_at_a_time_works_at_a_target(silent, samir):
    one, two = suppliers(2)
    world.dispatch_now()
    Delivery.objects.update(state="cancelled")
    first = jobs.ask_for_records(silent, by=samir, type="supplier", records=[one])
    second = jobs.ask_for_records(silent, by=samir, type="supplier", records=[two])
    assert (first.state, second.state) == ("running", "queued")
    with pytest.raises(IntegrityError, match="one_push_job_at_work_per_target"), transaction.atomic():
        PushJob.objects.filter(pk=second.pk).update(state="running")
    Delivery.objects.filter(record=one, state="pending").update(state="cancelled")
    job_work.go_on()
    job_work.go_on()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("done", "running")


def test_a_job_that_was_torn_off_in_the_middle_goes_on(silent, samir):
    """A step either happened or did not: what is queued is marked in the same transaction."""
    suppliers(10)
    world.dispatch_now()
    Delivery.objects.update(state="cancelled")
    job = jobs.ask_for_records(silent, by=samir, rate_per_s=3)
    PushJob.objects.update(paced_at=timezone.now() - timedelta(seconds=100))
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        job_work.step(job.pk)
        raise KeyboardInterrupt
    assert Delivery.objects.filter(state="pending").count() == 3
    job_work.go_on()
    assert Delivery.objects.filter(state="pending").count() == 10
    made = PushRow.objects.filter(job=job).values_list("made", flat=True)
    assert len(set(made)) == 10 and None not in made


def test_a_process_killed_in_the_middle_of_a_job_loses_and_doubles_nothing(silent, samir):
    """kill -9 of whoever works the job, twice, and three who work it at once afterwards."""
    count = LIMIT
    suppliers(count)
    world.dispatch_now()
    Delivery.objects.update(state="cancelled")
    job = jobs.ask_for_records(silent, by=samir, rate_per_s=10)
    program = (
        "import django; django.setup(); from sync.models import PushJob; from sync.services import job_work\n"
        "while True:\n  PushJob.objects.update(paced_at='2020-01-01T00:00:00Z'); job_work.go_on()"
    )

    def start() -> subprocess.Popen[bytes]:
        environment = {**os.environ, **(new_child("pusher", []).environment or {})}
        return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment)

    def sent() -> int:
        # What was queued is ended, so that the job may queue more; never the whole of it at once.
        Delivery.objects.filter(state="pending").update(state="cancelled")
        return PushRow.objects.exclude(made=None).count()

    def until(number: int, processes: list[subprocess.Popen[bytes]]) -> None:
        ends = time.monotonic() + 60
        try:
            while sent() < number:
                assert time.monotonic() < ends
                time.sleep(0.01)
        finally:
            for process in processes:
                process.kill()
                process.wait()

    until(25, [start()])
    until(50, [start()])
    until(count, [start() for _ in range(3)])
    made = list(PushRow.objects.filter(job=job).values_list("made", flat=True))
    assert None not in made and len(set(made)) == count
    assert Delivery.objects.filter(reason="manual").count() == count
    job_work.go_on()
    job.refresh_from_db()
    assert (job.state, job.done, sum(job.counts.values())) == ("done", count, count)


def test_only_what_failed_is_repeated(coupa, samir):
    target, side = coupa
    Subscription.objects.update(from_seq=10**9)
    suppliers(3)
    side.fault("refuse", "POST /api/suppliers", 1)
    job = jobs.ask_for_records(target, by=samir)
    with pytest.raises(NotNow):
        jobs.repeat_failed(job, by=samir)
    world.send_until_settled()
    job_work.go_on()
    job.refresh_from_db()
    assert (job.state, job.counts) == ("done", {"posted": 2, "refused": 1})
    again = jobs.repeat_failed(job, by=samir)
    assert (again.kind, again.total, again.parent) == ("repeat", 1, job)
    world.send_until_settled()
    job_work.go_on()
    again.refresh_from_db()
    assert again.counts == {"posted": 1} and len(side.records()) == 3
    with pytest.raises(NotNow):
        jobs.repeat_failed(job, by=samir)


# --- loads and changes ------------------------------------------------------------------------------------------------


def test_a_load_covers_what_the_subscription_covers_and_says_what_it_left_out(coupa, samir):
    target, side = coupa
    Subscription.objects.update(from_seq=10**9, filter={"country": "DE"})
    suppliers(2)
    world.supplier(legal_name="Autre SARL", country="FR", tax_registrations=[])
    counted = jobs.count(target, by=samir)
    assert (counted["queued"], counted["not_for_target"]) == (2, 1) and not PushJob.objects.exists()
    job = jobs.ask_for_records(target, by=samir)
    assert (job.kind, job.total, job.counts["not_for_target"]) == ("load", 2, 1)
    assert world.send_until_settled() == {"posted": 2}
    assert set(Delivery.objects.values_list("reason", flat=True)) == {"manual"}


def test_a_delta_sends_what_changed_since(silent, samir):
    Subscription.objects.update(from_seq=10**9)
    old, new = suppliers(2)
    moment = timezone.now()
    world.propose("supplier", {"website": "https://neu.example"}, uid=new)
    job = jobs.ask_for_records(silent, by=samir, since=moment)
    assert (job.kind, [str(row.record) for row in job.rows.all()]) == ("delta", [new])
    assert not jobs.ask_for_records(silent, by=samir, since=timezone.now()).total


def test_types_that_others_refer_to_go_first(silent):
    Subscription.objects.create(target=silent, type="payment_term")
    with pytest.raises(CorrectInput):
        jobs.types_of(silent, "payment_term")  # Coupa takes none
    Target.objects.update(connector="s4hana")
    silent.refresh_from_db()
    assert jobs.types_of(silent)[-1] == "supplier"


def test_commands_look_first_and_tell_where_a_person_decides(silent, capsys):
    die(suppliers(2))
    call_command("replay", "--target", "coupa")
    said = capsys.readouterr().out
    assert "2 failed; 2 lanes" in said and "Nothing was queued" in said and not PushJob.objects.exists()
    call_command("replay", "--target", "coupa", "--go", "--rate", "50")
    assert "0 of 2 done, running" in capsys.readouterr().out
    with pytest.raises(CommandError, match="Say why"):
        call_command("replay", "--target", "coupa", "--state", "failed", "--go", "--force")
    call_command("push", "coupa", "--plan")
    assert "planning" in capsys.readouterr().out
    with pytest.raises(CommandError, match="zone"):
        call_command("push", "coupa", "--since", "2026-05-01T00:00:00")
