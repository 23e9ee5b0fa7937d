"""One effect at the target for every version, whatever is lost: answers, processes, leases, Redis."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection, transaction

from mdm.models import Crosswalk
from mdm.selectors.records import current_document
from sync import governors
from sync.connectors.webhook.sandbox import WebhookSandbox
from sync.models import Attempt, AttemptResult, Delivery, Lane, Target
from sync.services import claims, deliver, dispatch, drain, lanes
from tests.fixtures_processes import new_child
from tests.sync import world
from tests.sync.world import Side

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


def created(side: Side) -> list[str]:
    return [effect["key"] for effect in side.effects() if effect["type"] == "supplier" and effect["kind"] == "created"]


@pytest.mark.parametrize("fault", ["timeout_after", "reset_after", "garbage"])
def test_applied_but_the_answer_was_lost(coupa, fault):
    """It is read back and found: nothing is written a second time."""
    _, side = coupa
    world.supplier()
    side.fault(fault, "^POST /api/suppliers")
    assert world.send_now() == {"unknown": 1}
    assert Lane.objects.get().ambiguous_until is not None
    world.send_until_settled()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.verified, delivery.attempts) == ("posted", True, 1)
    assert len(side.records()) == 1 and len(side.effects()) == 1
    assert [a.kind for a in Attempt.objects.order_by("pk")][-1] == "read_back"


@pytest.mark.parametrize("fault", ["timeout_before", "reset_before", "500"])
def test_not_applied_and_the_answer_was_lost(coupa, fault):
    """It is read back, not found, and sent again only when the lost request cannot arrive any more."""
    _, side = coupa
    Target.objects.update(max_inflight_s=3)
    world.supplier()
    side.fault(fault, "^POST /api/suppliers")
    assert world.send_now() == {"unknown": 1}
    ends = Lane.objects.get().ambiguous_until
    world.send_until_settled()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("posted", 2)
    assert len(side.records()) == 1 and len(side.effects()) == 1
    sends = Attempt.objects.filter(kind="send").order_by("pk")
    assert sends[1].started_at >= ends, "the quarantine was kept"
    assert AttemptResult.objects.filter(outcome="absent").exists()


def test_applied_long_after_we_gave_up(coupa):
    """The slow request arrives inside the quarantine: it is found, and is the only one."""
    target, side = coupa
    Target.objects.update(timeout_s=0.5, max_inflight_s=3)
    world.supplier()
    side.fault("slow:1500", "^POST /api/suppliers")
    assert world.send_now() == {"unknown": 1}
    world.send_until_settled()
    assert Delivery.objects.get().state == "posted"
    assert len(side.records()) == 1 and len(side.effects()) == 1


def test_a_new_version_never_jumps_over_a_doubt(coupa):
    _, side = coupa
    uid = world.supplier()
    side.fault("timeout_after", "^POST /api/suppliers")
    world.send_now()
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.dispatch_now()
    assert list(Delivery.objects.order_by("pk").values_list("state", flat=True)) == ["unknown", "pending"]
    world.send_until_settled()
    assert list(Delivery.objects.order_by("pk").values_list("state", "effect")) == [
        ("posted", "created"),
        ("posted", "updated"),
    ]
    assert [row["name"] for row in side.records().values()] == ["Nordlicht Papier SE"]


def test_a_key_gained_while_the_next_version_is_queued(coupa):
    """Its reader saw no key, then the first version was posted: the next one waits in the same lane, not beside it."""
    target, side = coupa
    uid = world.supplier()
    world.dispatch_now()
    subscription = target.subscriptions.get()
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    document = current_document("supplier", uid)
    basis = dispatch.Basis(reason="manual")
    wants = dispatch.wants_for(subscription, document, dispatch.keys_of([subscription], [uid]), basis)
    assert drain.drain_all() == {"posted": 1} and Crosswalk.objects.get().active
    lanes.enqueue(wants)
    assert Lane.objects.count() == 1
    assert drain.drain_all() == {"posted": 1}
    assert [row["name"] for row in side.records().values()] == ["Nordlicht Papier SE"]


@pytest.mark.parametrize("point", ["intent", "sent"])
def test_a_worker_killed_around_the_request(coupa, point):
    """kill -9 between saying so and the answer, and between the effect and its record."""
    _, side = coupa
    world.supplier()
    world.dispatch_now()
    _kill_a_worker(point)
    assert Delivery.objects.get().state == "unknown"
    assert len(side.effects()) == (1 if point == "sent" else 0)

    world.send_until_settled()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.verified) == ("posted", True)
    assert len(side.records()) == 1 and len(side.effects()) == 1
    assert Crosswalk.objects.get().key in side.records()
    lost = Attempt.objects.filter(result=None)
    assert lost.count() == 1, "the attempt without an answer stays as evidence"


@pytest.mark.parametrize("point", ["intent", "sent"])
def test_a_worker_killed_around_a_webhook(sandbox, point):
    """It cannot be read: the same goes out again under the same key, and the receiver takes it once."""
    started = sandbox("webhook")
    world.allow_everything()
    world.target("webhook", started.url, secret=WebhookSandbox.default_secret, timeout_s=1)
    side = Side(started.control)
    uid = world.supplier()
    world.dispatch_now()
    _kill_a_worker(point)
    assert len(side.effects()) == (1 if point == "sent" else 0)
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.send_until_settled()
    first, second = Delivery.objects.order_by("seq")
    assert [effect["idempotency_key"] for effect in side.effects()] == [first.idempotency_key, second.idempotency_key]
    assert (first.state, first.verified, first.attempts) == ("posted", False, 2)
    assert side.records()[uid]["legal_name"] == "Nordlicht Papier SE"


def _kill_a_worker(point: str) -> None:
    """kill -9 once it says that it has come as far as `point`."""
    child = new_child(f"victim-{point}", [])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.sync.worker", point], cwd=ROOT, env=child.environment, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while "stopped" not in (line := process.stdout.readline()):
            assert line, "the worker ended by itself"
    finally:
        process.kill()
        process.wait()


def test_a_process_that_lost_its_lease_records_nothing(coupa):
    """It slept too long; the other one has read back. Two claims of one lane never both count."""
    target, side = coupa
    world.supplier()
    world.dispatch_now()
    (first,) = claims.claim(target, claims.PROCESS)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sync_lane SET lease_until = now() - interval '1 second'")
    (second,) = claims.claim(target, claims.PROCESS)
    assert second.epoch == first.epoch + 1 and Delivery.objects.get().crashes == 1
    assert deliver.deliver(first, claims.PROCESS) == "lost_lease"
    assert not side.effects()
    assert deliver.deliver(second, claims.PROCESS) == "posted"
    assert len(side.effects()) == 1


def test_three_crashes_are_poison_and_others_go_on(coupa):
    target, side = coupa
    world.supplier()
    world.dispatch_now()
    for _ in range(3):
        assert claims.claim(target, claims.PROCESS)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE sync_lane SET lease_until = now() - interval '1 second'")
    assert not claims.claim(target, claims.PROCESS)
    assert Delivery.objects.get().state == "poison" and Lane.objects.get().hold_reason.startswith("poison")
    world.supplier(legal_name="Anders GmbH", tax_registrations=[])
    assert world.send_now() == {"posted": 1}


def test_without_redis_the_rate_is_shared_out(coupa, settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    governors._bucket.cache_clear()
    monkeypatch.setattr(governors, "_redis_down_until", 0.0)
    world.supplier()
    assert world.send_until_settled() == {"posted": 1}
    governors._bucket.cache_clear()
    monkeypatch.setattr(governors, "_redis_down_until", 0.0)


def test_a_flushed_redis_forgets_nothing(coupa):
    _, side = coupa
    for number in range(5):
        world.supplier(legal_name=f"Flush {number} GmbH", tax_registrations=[])
    world.dispatch_now()
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    assert world.send_until_settled()["posted"] == 5
    assert len(side.effects()) == 5


@pytest.mark.slow
def test_killed_again_and_again_under_faults(coupa):
    """Sixteen suppliers, two versions each, three processes killed every so often, a target that misbehaves."""
    target, side = coupa
    Target.objects.update(concurrency=6, timeout_s=1, max_inflight_s=0.6, max_attempts=60, probe_every_s=0.2)
    chance = random.Random(7)
    uids = world.suppliers((f"Wirrwarr {n:02} GmbH" for n in range(16)), tax_registrations=[])
    world.dispatch_now()
    for kind in ("timeout_after", "timeout_before", "reset_after", "garbage", "500", "429"):
        side.fault(kind, "^(POST|PUT) /api/suppliers", 2)
    environment = new_child("swarm", []).environment
    swarm = [_start_worker(environment) for _ in range(3)]
    try:
        for round_number in range(5):
            time.sleep(1.2)
            victim = chance.randrange(3)
            swarm[victim].kill()
            swarm[victim].wait()
            swarm[victim] = _start_worker(environment)
            if round_number == 2:
                for n, uid in enumerate(uids):
                    world.propose("supplier", {"legal_name": f"Wirrwarr {n:02} AG"}, uid=uid)
                world.dispatch_now()
        _wait_until_settled(60)
    finally:
        for process in swarm:
            process.kill()
            process.wait()
    held = side.records()
    assert len(held) == 16, "never a second record"
    assert {row["name"] for row in held.values()} == {f"Wirrwarr {n:02} AG" for n in range(16)}
    assert Counter(created(side)).most_common(1)[0][1] == 1
    assert Crosswalk.objects.count() == 16
    applied = Counter(effect["idempotency_key"] for effect in side.effects())
    assert max(applied.values()) == 1, "no version was applied twice"
    ended = Counter(Delivery.objects.values_list("state", flat=True))
    assert set(ended) <= {"posted", "superseded"}, ended


def _start_worker(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.sync.worker", "never"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip


def _wait_until_settled(seconds: float) -> None:
    ends = time.monotonic() + seconds
    open_states = ("pending", "in_flight", "unknown", "retrying")
    while Delivery.objects.filter(state__in=open_states).exists():
        if time.monotonic() > ends:
            rows = Delivery.objects.filter(state__in=open_states).values_list(
                "state", "attempts", "crashes", "error_text"
            )
            raise AssertionError(f"not settled: {list(rows)}")
        time.sleep(0.1)


def test_what_is_queued_while_an_outcome_is_recorded_is_sent(coupa):
    """The recorder waits for the lane that somebody puts the next version into; then it must see that version."""
    _, side = coupa
    uid = world.supplier()
    world.send_now()
    world.propose("supplier", {"legal_name": "Nordlicht Papier AG"}, uid=uid)
    world.dispatch_now()
    side.fault("slow:700", "^PUT")
    sender = threading.Thread(target=_send_elsewhere)
    sender.start()
    until(lambda: Delivery.objects.filter(seq=2, state="unknown").exists())
    with transaction.atomic():
        world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
        world.dispatch_now()
        until(_somebody_waits_for_a_lock)
    sender.join()
    world.send_until_settled()
    assert list(Delivery.objects.order_by("seq").values_list("state", flat=True)) == ["posted"] * 3
    assert [fields["name"] for fields in side.records().values()] == ["Nordlicht Papier SE"]


def _send_elsewhere() -> None:
    try:
        drain.drain_all(budget_s=10)
    finally:
        connection.close()


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def until(condition, seconds=10.0):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)
