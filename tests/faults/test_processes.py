"""Real processes: one message ten times, frozen beyond the lease, without Redis; and a replay that changes nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from sync import platforms, tasks
from sync.models import Attempt, Delivery, Lane, Target
from sync.models.states import OPEN
from sync.services import claims, drain, job_work, replay
from tests import database
from tests.faults import checker
from tests.faults.victims import Victims, victims
from tests.fixtures_processes import DISPATCHER, WORKER, new_child, wait_for
from tests.network import InsideTransaction
from tests.sync import world
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def coupa(sandbox) -> tuple[Target, Side]:
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url, timeout_s=0.5, max_inflight_s=0.5), Side(started.control)


@pytest.fixture
def doomed() -> Iterator[Victims]:
    with victims(new_child("victims", []).environment) as running:
        yield running


def settled() -> bool:
    return not Delivery.objects.filter(state__in=OPEN).exists()


def test_a_crash_point_is_for_test_runs_only_and_strikes_once(coupa, tmp_path):
    """`CRASH_AT=intended@file`: the first process dies, the next one does the work; elsewhere the variable is nothing."""
    target, side = coupa
    world.supplier()
    where = f"intended@{tmp_path / 'struck'}"
    once = [sys.executable, "manage.py", "dispatcher", "--once"]

    def ends(**environment: str) -> int:
        child = new_child("struck", [], CRASH_AT=where, **environment)
        return subprocess.run(once, cwd=database.ROOT, env=child.environment, timeout=60, check=False).returncode

    assert ends() == -signal.SIGKILL
    assert Delivery.objects.get().state == "unknown" and side.effects() == []
    assert ends() == 0, "struck once"
    world.send_until_settled()
    assert checker.check({target: side}).clean
    (tmp_path / "struck").unlink()
    world.supplier(legal_name="Anders GmbH", tax_registrations=[])
    assert ends(MDM_ENV="demo") == 0
    assert Delivery.objects.filter(state="posted").count() == 2


@pytest.mark.slow
def test_one_message_ten_times_at_once(coupa):
    """A worker of ten processes finds the same message ten times: whoever comes first does the work."""
    target, side = coupa
    for number in range(3):
        world.supplier(legal_name=f"Zehnmal {number} GmbH", tax_registrations=[])
    world.dispatch_now()
    with current_app.connection_for_write() as broker:
        for _ in range(10):
            tasks.drain.apply_async(args=(target.pk,), connection=broker)
    command = [*WORKER, "--hostname", f"ten-{time.monotonic_ns()}@%h"]
    command[command.index("--concurrency") + 1] = "10"
    worker = new_child("ten", command)
    worker.start()
    try:
        wait_for(settled, worker)
    finally:
        worker.end(grace=5)
    found = checker.check({target: side})
    assert found.clean, found.told()
    assert found.states == {"posted": 3} and found.effects == 3
    assert Attempt.objects.filter(kind="send").count() == 3


def points(always: str, *sometimes: str) -> pytest.MarkDecorator:
    """One point in every run of the tests, the others in fault runs."""
    return pytest.mark.parametrize("point", [always, *(pytest.param(p, marks=pytest.mark.faults) for p in sometimes)])


@pytest.mark.slow
@points("intended", "claimed", "looked", "sent", "answered")
def test_a_process_frozen_beyond_its_lease_writes_nothing_old(coupa, doomed, point):
    """Another one takes over and sends a newer version too; the first wakes up in the middle of its work."""
    target, side = coupa
    uid = world.supplier()
    world.send_until_settled()
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    assert doomed.run(f"{point}:STOP") == "stopped"
    world.send_until_settled()
    world.propose("supplier", {"legal_name": "Nordlicht Papier AG"}, uid=uid)
    world.send_until_settled()
    assert doomed.go_on() == "ended 0"
    found = checker.check({target: side})
    assert found.clean, found.told()
    assert [row["name"] for row in side.records().values()] == ["Nordlicht Papier AG"]
    assert set(found.states) == {"posted"}


@pytest.mark.slow
@points("claiming", "dispatching", "recording")
def test_a_process_frozen_in_a_transaction_stops_nobody(coupa, doomed, point):
    """It holds the locks of everybody: the database ends its session, and the others go on."""
    target, side = coupa
    for number in range(3):
        world.supplier(legal_name=f"Starr {number} GmbH", tax_registrations=[])
    assert doomed.run(f"{point}:STOP") == "stopped"
    began = time.monotonic()
    while Delivery.objects.filter(state="posted").count() < 3:
        assert time.monotonic() - began < 40, "the frozen process holds everybody up"
        world.send_now()
        time.sleep(0.2)
    doomed.go_on()
    found = checker.check({target: side})
    assert found.clean, found.told()


def test_the_dispatcher_goes_on_without_redis(coupa):
    """Nobody listens at the broker's address and there is no worker: everything is sent all the same."""
    target, side = coupa
    for number in range(5):
        world.supplier(legal_name=f"Ohne Glocke {number} GmbH", tax_registrations=[])
    dispatcher = new_child("alone", DISPATCHER, REDIS_URL="redis://127.0.0.1:1/0")
    dispatcher.start()
    try:
        wait_for(lambda: Delivery.objects.filter(state="posted").count() == 5, dispatcher)
    finally:
        dispatcher.end(grace=5)
    found = checker.check({target: side})
    assert found.clean and found.effects == 5, found.told()


def test_rings_arrive_after_redis_was_flushed(coupa, celery_worker_process):
    """The broker has forgotten its queues while worker and ringer were connected; no dispatcher is there to help."""
    target, side = coupa
    world.supplier(legal_name="Vor der Spülung GmbH", tax_registrations=[])
    world.dispatch_now()
    assert tasks.ring_drain(target.pk)
    wait_for(settled, celery_worker_process)
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    world.supplier(legal_name="Nach der Spülung GmbH", tax_registrations=[])
    world.dispatch_now()
    assert tasks.ring_drain(target.pk)
    wait_for(settled, celery_worker_process, seconds=20)
    assert len(side.records()) == 2


def test_a_replay_twice_has_no_effect(coupa):
    """Everything is sent again, again and again: the target holds it already, so nothing is written."""
    target, side = coupa
    for number in range(4):
        world.supplier(legal_name=f"Nochmal {number} GmbH", tax_registrations=[])
    world.send_until_settled()
    effects = side.effects()
    for _ in range(2):
        job = replay.replay(filter={"target": target.code, "state": "posted"}, dry_run=False, by=ROBOT)
        assert job.counts["queued"] == 4
        job_work.go_on()
        again = replay.replay(filter={"target": target.code, "state": "posted"}, dry_run=False, by=ROBOT)
        assert not again.counts.get("queued"), "what waits already is left alone"
        world.send_until_settled()
    assert side.effects() == effects
    assert Delivery.objects.filter(reason="replay", state="posted", effect="unchanged").count() == 8


def test_a_word_to_a_target_inside_a_transaction_is_an_error(coupa):
    """What the whole suite runs under: the rule is enforced, and by the engine itself too."""
    target, side = coupa
    with transaction.atomic(), platforms.session(target) as connector, pytest.raises(InsideTransaction):
        connector.read("supplier", "1")
    world.supplier()
    world.dispatch_now()
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        drain.drain(target.pk)
    assert side.effects() == []
    assert connection.in_atomic_block is False


def test_a_lost_request_is_waited_for_from_the_last_write_on(coupa):
    """A push of several requests: each asks leave, and both lease and quarantine count from the last of them."""
    target, _ = coupa
    world.supplier()
    world.dispatch_now()
    (held,) = claims.claim(target, claims.PROCESS)
    asked = time.monotonic()
    claims.intend(
        held,
        target,
        claims.PROCESS,
        written={"action": "upsert", "payload_hash": "", "mapping_version": ""},
    )
    leave = claims.Leave([held], target, since=asked)
    before = Lane.objects.get()
    leave()
    assert Lane.objects.get().ambiguous_until == before.ambiguous_until, "the intent is leave enough for a while"
    time.sleep(target.timeout_s)
    leave()
    after = Lane.objects.get()
    assert (after.ambiguous_until - before.ambiguous_until).total_seconds() >= target.timeout_s
    assert (after.lease_until - before.lease_until).total_seconds() >= target.timeout_s
    Lane.objects.update(lease_until=Now())
    time.sleep(target.timeout_s)
    with pytest.raises(claims.LostLease):
        leave()
