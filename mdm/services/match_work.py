"""Working on matching: each task run to its end, and work that nobody asked for noticed."""

from __future__ import annotations

import logging
import time

from django.db import transaction

from mdm.errors import AlreadyDone, HubError
from mdm.models import KeySnapshot, MatchJob
from mdm.services import indexing, learning, match_jobs, model_rehearsal, models, rescoring

log = logging.getLogger(__name__)
TASKS = {
    "train": learning.run,
    "rehearse": model_rehearsal.run,
    "rescore": rescoring.run,
    "snapshot": rescoring.refresh,
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
    """Have a hub that grew counted anew, and the counts that imports took compared with those before."""
    for kind in models.kinds():
        newest = KeySnapshot.objects.filter(type=kind.key).only("pk", "report").first()
        plan: dict[str, str | int] = {}
        if indexing.has_grown(kind.key):
            plan = {"cause": "grown"}
        elif newest and not newest.report:
            plan = {"snapshot": newest.pk}
        if plan:
            try:
                match_jobs.queue(type_key=kind.key, task="snapshot", plan=plan)
            except AlreadyDone:
                continue
