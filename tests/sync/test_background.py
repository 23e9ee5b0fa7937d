"""Background work: the dispatcher alone, changed mappings, breaker and pace, and what other pages are told."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from mdm import ports
from mdm.models import ApprovalPolicy, ChangeRequest, Crosswalk, Heartbeat
from mdm.services import changes
from mdm.services.changes import ProposedItem
from sync import governors, tasks
from sync.models import Delivery, DriftFinding, Lane, QuotaUse, Target, TargetAlert, ValueMapRow
from sync.services import claims, deliver, drain, drift, lanes, pushing, rounds
from tests.api.callers import person
from tests.sync import world
from tests.sync.sandboxes import WRITES
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


@pytest.fixture
def no_broker(monkeypatch):
    class Down:
        def apply_async(self, **_):
            raise ConnectionError("refused")

    monkeypatch.setattr(tasks, "_broker_down_until", 0.0)
    monkeypatch.setattr(tasks, "tick", Down())
    monkeypatch.setattr(tasks, "drain", Down())
    monkeypatch.setattr(tasks, "run_drift", Down())
    yield
    monkeypatch.setattr(tasks, "_broker_down_until", 0.0)


def test_the_dispatcher_goes_on_without_a_broker(coupa, no_broker):
    world.supplier()
    assert tasks.ring() is False
    assert rounds.dispatch_round() > 0
    assert rounds.ring_round() is False
    assert rounds.own_round(tasks.process_id(), everything=True) == {"posted": 1}


def test_one_round_of_the_dispatcher_from_the_command_line(coupa):
    target, side = coupa
    world.supplier()
    drift.request(target, by=ROBOT)
    call_command("dispatcher", "--once")
    assert Delivery.objects.get().state == "posted"
    assert Heartbeat.objects.filter(kind="dispatcher").exists()
    assert not drift.waiting()


def test_the_dispatcher_works_what_nobody_comes_for(coupa):
    """A broker that takes rings and a worker that never comes: overdue work is done all the same."""
    world.supplier()
    world.dispatch_now()
    assert rounds.own_round(tasks.process_id()) == {}
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sync_lane SET next_at = now() - interval '10 seconds'")
    assert rounds.own_round(tasks.process_id()) == {"posted": 1}


@pytest.mark.parametrize("admitted, threads", [(3, 32), (6, 3)])
def test_as_many_at_a_time_as_the_target_admits_and_the_process_has(coupa, settings, admitted, threads):
    target, side = coupa
    Target.objects.update(concurrency=admitted)
    settings.PUSH_THREADS = threads
    world.suppliers((f"Gleichzeitig {number} GmbH" for number in range(9)), tax_registrations=[])
    side.fault("slow:250", WRITES, 9)
    world.dispatch_now()
    queue = threading.Thread(target=lambda: (drain.drain(target.pk), connection.close()))
    queue.start()
    at_once = []
    while queue.is_alive():
        at_once.append(Lane.objects.filter(lease_until__gt=Now()).count())
        time.sleep(0.02)
    assert max(at_once) == 3
    assert Delivery.objects.filter(state="posted").count() == 9


def test_whoever_finds_everything_under_way_leaves_it_to_them(coupa):
    """They go on with the queue: nobody is rung for it again and again meanwhile."""
    target, side = coupa
    Target.objects.update(concurrency=1)
    for number in range(2):
        world.supplier(legal_name=f"Besetzt {number} GmbH", tax_registrations=[])
    world.dispatch_now()
    (held,) = claims.claim(target, uuid.uuid4())
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        broker.delete(settings.CELERY_TASK_DEFAULT_QUEUE)
        tasks.drain(target.pk)
        assert broker.llen(settings.CELERY_TASK_DEFAULT_QUEUE) == 0
    assert side.effects() == []
    deliver.deliver(held, tasks.process_id())
    tasks.drain(target.pk)
    assert Delivery.objects.filter(state="posted").count() == 2


def test_a_changed_value_map_is_followed_by_what_it_changes(coupa):
    target, side = coupa
    world.supplier()
    world.supplier(legal_name="Anders GmbH", payment_terms="NET60", tax_registrations=[])
    world.send_now()
    assert pushing.remap() == 0
    ValueMapRow.objects.create(target=target, table="payment_terms", ours="NET60", theirs="Net 45")
    assert pushing.remap() == 1, "only the record that uses the value"
    assert pushing.remap() == 0
    again = Delivery.objects.latest("pk")
    assert (again.reason, again.label.split(" ", 1)[1]) == ("mapping_changed", "Anders GmbH")
    assert world.send_now() == {"posted": 1}
    assert {row["payment-term.code"] for row in side.records().values()} == {"Net 30", "Net 45"}


def test_the_breaker_opens_and_closes_by_itself(sandbox):
    world.allow_everything()
    started = sandbox("coupa")
    target = world.target("coupa", started.url, probe_every_s=0.1)
    started.stop()
    for number in range(12):
        world.supplier(legal_name=f"Aus {number} GmbH", tax_registrations=[])
    world.dispatch_now()
    for _ in range(6):
        world.send_now()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE sync_lane SET next_at = now()")
    target.refresh_from_db()
    assert target.breaker == "open" and TargetAlert.objects.get(closed_at=None).code == "breaker_open"
    attempts = sum(Delivery.objects.values_list("attempts", flat=True))
    Target.objects.update(breaker_probe_at=timezone.now() + timezone.timedelta(hours=1))
    assert not world.send_now() and sum(Delivery.objects.values_list("attempts", flat=True)) == attempts
    started.start()
    Target.objects.update(breaker_probe_at=timezone.now())
    assert world.send_until_settled(40)["posted"] == 12
    target.refresh_from_db()
    assert target.breaker == "closed" and not TargetAlert.objects.filter(closed_at=None).exists()


def test_a_wrong_secret_opens_the_breaker_at_once(coupa):
    target, _ = coupa
    target.set_secret("wrong")
    target.save()
    world.supplier()
    assert world.send_now() == {"pending": 1}
    target.refresh_from_db()
    assert target.breaker == "open" and Delivery.objects.get().attempts == 0


def test_the_rate_is_kept(coupa):
    target, _ = coupa
    target.code, target.rate_per_s, target.burst = "rate-test", 5, 2
    waits = [governors.take(target) for _ in range(4)]
    assert waits[:2] == [0, 0] and 0 < waits[2] <= 0.21
    governors.spend(target, 5)
    assert governors.take(target) > 1


def test_the_daily_quota_is_booked_in_the_database(coupa):
    target, side = coupa
    Target.objects.update(daily_quota=1)
    target.refresh_from_db()
    assert [governors.take(target) > 0 for _ in range(3)] == [False, True, True]
    world.supplier()
    assert world.send_now() == {"no_token": 1}
    assert Delivery.objects.get().state == "pending" and not side.effects()
    assert QuotaUse.objects.get().used == 1


def test_a_held_lane_waits_until_it_is_released(coupa):
    world.supplier()
    world.dispatch_now()
    lane = Delivery.objects.get().lane
    lanes.hold(lane, "checked by hand")
    assert not world.send_now() and Delivery.objects.get().state == "held"
    lanes.release(lane)
    assert world.send_now() == {"posted": 1}


def test_what_other_pages_are_told(coupa):
    target, side = coupa
    steward, stranger = person("steward"), person("requester")
    side.fault("refuse", "POST /api/suppliers")
    refused = world.supplier(legal_name="Abgelehnt GmbH", tax_registrations=[])
    world.send_now()
    uid = world.supplier()
    world.send_now()
    side.mutate(Crosswalk.objects.get().key, "name", "Somebody Else Ltd")
    drift.run(drift.request(target, by=ROBOT).uid)

    assert ports.nav_counts(steward)["exceptions"] == 1
    assert ports.nav_counts(steward)["drift"] == DriftFinding.objects.filter(state="open").count() == 2
    assert "exceptions" not in ports.nav_counts(stranger)
    (line,) = ports.collect(ports.delivery_status, "supplier", uid)
    assert (line["target"], line["state"], line["version"]) == ("coupa", "drift", 1)
    (line,) = ports.collect(ports.delivery_status, "supplier", refused)
    assert line["state"] == "refused" and "not allowed" in line["message"]
    parts = {name: part for provider in ports.dashboard for name, part in provider(steward).items()}
    assert parts["deliveries"] and parts["drift"] and parts["stuck"]
    key = Crosswalk.objects.get().key
    (group,) = ports.collect(ports.search, key, steward)
    assert group["results"][0]["title"].endswith("to Coupa")
    assert all(reason == [] for reason in (part() for part in ports.readiness))
    names = {sample[0] for part in ports.metrics for sample in part()}
    assert {"mdm_deliveries", "mdm_target_breaker", "mdm_drift_findings", "mdm_dispatch_behind"} <= names


def test_what_a_change_request_would_do_at_each_target(coupa):
    uid = world.supplier()
    world.send_now()
    world.propose("payment_term", {"code": "NET37", "name": "Odd", "net_days": 37})
    ApprovalPolicy.objects.all().delete()

    def effect(**patch) -> dict:
        item = ProposedItem(type="supplier", action="update", uid=uid, patch=patch)
        change: ChangeRequest = changes.propose(items=[item], by=ROBOT, reason="test")
        (found,) = ports.collect(ports.change_effects, change)
        return found

    changed = effect(legal_name="Nordlicht SE", website="https://neu.example")
    assert (changed["effect"], changed["accepts"], set(changed["fields"])) == ("update", "yes", {"name", "website"})
    assert effect(payment_terms="NET37")["accepts"] == "no"
    assert effect(tags=["nothing-there"])["effect"] == "none"


def test_commands_speak_in_words(coupa, capsys):
    target, _ = coupa
    uid = world.supplier()
    world.send_now()
    call_command("push", "coupa", "--type", "supplier", "--record", uid)
    call_command("replay", "--target", "coupa")
    call_command("drift", "coupa")
    said = capsys.readouterr().out
    assert "queued: 1" in said and "Nothing was queued" in said and "scanned: 1" in said
    with pytest.raises(CommandError, match="no target"):
        call_command("push", "nowhere")
