"""One round of background work: number events, dispatch them, follow changed mappings, wake whoever sends."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter

from mdm.services import events
from sync import tasks
from sync.services import dispatch, drain, drift, job_work, lanes, planning, pushing

log = logging.getLogger(__name__)
OVERDUE_S = 5.0  # a queue nobody has worked for this long is worked by the dispatcher itself
_REMAP_EVERY_S = 10.0
_remapped_at = 0.0


def dispatch_round() -> int:
    """How many events became deliveries."""
    global _remapped_at
    events.seal()
    done = dispatch.dispatch_all()
    job_work.go_on()
    if time.monotonic() - _remapped_at > _REMAP_EVERY_S:
        _remapped_at = time.monotonic()
        pushing.remap()
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
    return states
