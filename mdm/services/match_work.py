"""Working on matching: each task run to its end, and work that nobody asked for noticed."""

from __future__ import annotations

import contextlib
import logging
import time

from django.db import transaction

from mdm.errors import AlreadyDone, HubError
from mdm.models import MatchJob, MatchRun
from mdm.services import indexing, learning, match_jobs, model_rehearsal, models, rescoring, snapshots

log = logging.getLogger(__name__)
TASKS = {
    "train": learning.run,
    "rehearse": model_rehearsal.run,
    "rescore": rescoring.run,
    "snapshot": snapshots.run,
}
_LOOK_S = 300.0  # how often the hub looks whether it has grown
_next_look = 0.0


def run(pk: int) -> MatchJob | None:
    """Work one job to its end; None when it is done or somebody else works on it. Safe to call at any time."""
    job = match_jobs.claim(pk)
    if job is None:
        return None
    try:
        TASKS[job.task](job)
    except HubError as error:
        with transaction.atomic():
            row = match_jobs.locked(job)
            if row:
                match_jobs.finish(row, "failed", error.message)
    except Exception:
        log.exception("matching job %s stopped", job.uid)
        MatchJob.objects.filter(pk=pk).update(beat_at=None)  # the next tick takes it up again
        raise
    return MatchJob.objects.get(pk=pk)


def waiting() -> list[int]:
    """Jobs that nobody works on, those among them that nobody asked for."""
    global _next_look
    if time.monotonic() >= _next_look:
        _next_look = time.monotonic() + _LOOK_S
        notice()
    return match_jobs.waiting()


def notice() -> None:
    """Have a hub counted anew that grew, or that somebody waits to look through."""
    for kind in models.kinds():
        looked_at = MatchRun.objects.filter(type=kind.key, state="running", snapshot=None).exists()
        if looked_at or indexing.has_grown(kind.key):
            with contextlib.suppress(AlreadyDone):
                match_jobs.queue(type_key=kind.key, task="snapshot", plan={"cause": "look" if looked_at else "grown"})
