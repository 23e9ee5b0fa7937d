"""Celery's part: a doorbell. Tasks carry ids only; what they find to do is in PostgreSQL, so a lost one costs seconds."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from datetime import timedelta

from celery import shared_task
from celery.signals import worker_init, worker_process_init
from django.db import Error, connection
from django.db.models.functions import Now

from mdm.models import Heartbeat
from sync.crash_points import reach

log = logging.getLogger(__name__)
_BROKER_PAUSE_S = 10.0
_BEAT_S = 5.0
_DRAIN_S = 10.0
_broker_down_until = 0.0
_process: tuple[int, uuid.UUID] = (0, uuid.uuid4())


def process_id() -> uuid.UUID:
    """New for every process: a forked worker must not go on under its parent's name."""
    global _process
    if _process[0] != os.getpid():
        _process = (os.getpid(), uuid.uuid4())
    return _process[1]


def beat(kind: str) -> None:
    """A sign of life of this process; /readyz reads it and the rate of targets is shared by it."""
    Heartbeat.objects.update_or_create(process=process_id(), defaults={"kind": kind, "seen_at": Now()})


@worker_init.connect
def _load(**_: object) -> None:
    from sync import platforms
    from sync.services import rounds  # noqa: F401 - loaded before the fork, as everything that works needs it

    platforms.load_all()


@worker_process_init.connect
def _start_beating(**_: object) -> None:
    """In every worker process: a thread, because a long import must not look like a dead worker."""
    threading.Thread(target=_beat_for_ever, name="heartbeat", daemon=True).start()


def _beat_for_ever() -> None:
    while True:
        try:
            beat("worker")
            Heartbeat.objects.filter(seen_at__lt=Now() - timedelta(hours=1)).delete()
        except Error:
            connection.close()  # the database restarts: try again at the next beat
        time.sleep(_BEAT_S)


def wake() -> None:
    """Rung after every commit that made events."""
    ring()


def ring() -> bool:
    """Wake a worker to dispatch; False when the broker is down, which is then not asked again for a while."""
    return _send(tick)


def ring_drain(target_id: int) -> bool:
    return _send(drain, target_id)


def ring_drift(run_uid: str) -> bool:
    return _send(run_drift, run_uid)


def ring_plan(job_uid: str) -> bool:
    return _send(run_plan, job_uid)


def ring_notify() -> bool:
    return _send(notify)


def _send(task: object, *args: object) -> bool:
    global _broker_down_until
    if time.monotonic() < _broker_down_until:
        return False
    reach("ringing")
    try:
        task.apply_async(args=args, expires=30, retry=False)  # type: ignore[attr-defined]
    except Exception as error:  # whatever the broker's client raises: the dispatcher does the work instead
        log.warning("The broker does not answer (%s); the dispatcher goes on without it.", type(error).__name__)
        _broker_down_until = time.monotonic() + _BROKER_PAUSE_S
        return False
    return True


@shared_task(name="sync.tasks.tick", ignore_result=True)
def tick() -> None:
    """Seal, dispatch, and ring for every target that has work and every drift run that waits."""
    from sync.services import rounds

    rounds.dispatch_round()
    rounds.ring_round()


@shared_task(name="sync.tasks.drain", ignore_result=True)
def drain(target_id: int) -> None:
    """Rings again when the time was over before the queue was: else nothing is ready, or others have all that may be
    under way, and they go on."""
    from sync.services import drain as queue

    began = time.monotonic()
    queue.drain(target_id, budget_s=_DRAIN_S, process=process_id())
    if time.monotonic() - began >= _DRAIN_S:
        ring_drain(target_id)


@shared_task(name="sync.tasks.run_drift", ignore_result=True)
def run_drift(run_uid: str) -> None:
    from sync.services import drift

    drift.run(uuid.UUID(run_uid))


@shared_task(name="sync.tasks.run_plan", ignore_result=True)
def run_plan(job_uid: str) -> None:
    """Look up what a plan needs to know of its target."""
    from sync.services import planning

    planning.run(uuid.UUID(job_uid))


@shared_task(name="sync.tasks.notify", ignore_result=True)
def notify() -> None:
    """Tell people what waits in the outbox of notifications."""
    from sync.services import notifying

    notifying.send_due()
