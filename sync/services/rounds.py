"""One round of background work: number events, dispatch them, follow changed mappings, wake whoever sends."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter

from mdm.services import events
from sync import tasks
from sync.crash_points import reach
from sync.frozen import losing_locks
from sync.services import (
    alerts,
    connections,
    correcting,
    dispatch,
    drain,
    drift,
    freezing,
    job_work,
    lanes,
    notifying,
    planning,
    pushing,
)

log = logging.getLogger(__name__)
OVERDUE_S = 5.0  # a queue nobody has worked for this long is worked by the dispatcher itself
_NOW_AND_THEN_S = 10.0
_looked_at = 0.0


def dispatch_round() -> int:
    """How many events became deliveries."""
    with losing_locks():
        return _dispatch_round()


def _dispatch_round() -> int:
    global _looked_at
    events.seal()
    reach("sealed")
    freezing.keep()
    done = dispatch.dispatch_all()
    job_work.go_on()
    if time.monotonic() - _looked_at > _NOW_AND_THEN_S:
        _looked_at = time.monotonic()
        pushing.remap()
        correcting.reconcile()
        alerts.look_around()
        connections.wipe_overdue()
    return done


def ring_round() -> bool:
    """Ring for every queue with work; False when the broker is down."""
    rung = True
    for target_id, _, _ in lanes.ready_targets():
        rung = tasks.ring_drain(target_id) and rung
    for run_uid in drift.waiting():
        rung = tasks.ring_drift(str(run_uid)) and rung
    for job_uid in planning.waiting():
        rung = tasks.ring_plan(str(job_uid)) and rung
    if notifying.due():
        rung = tasks.ring_notify() and rung
    return rung


def own_round(process: uuid.UUID, *, budget_s: float = 5, everything: bool = False) -> Counter[str]:
    """Work what is overdue, or everything when there is no broker: the hub goes on without Redis and without workers."""
    states: Counter[str] = Counter()
    for target_id, _, overdue_s in lanes.ready_targets():
        if everything or overdue_s > OVERDUE_S:
            states += drain.drain(target_id, budget_s=budget_s, process=process)
    for run_uid in drift.waiting(overdue_s=0 if everything else OVERDUE_S):
        states[f"drift {drift.run(run_uid).state}"] += 1
    for job_uid in planning.waiting(overdue_s=0 if everything else OVERDUE_S):
        states[f"plan {planning.run(job_uid).state}"] += 1
    if notifying.due(overdue_s=0 if everything else OVERDUE_S):
        states += Counter({f"notification {state}": number for state, number in notifying.send_due(most=10).items()})
    return states
