"""The queue of work on matching: one of each task per record type at a time, taken by lease, found again when left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from mdm.errors import AlreadyDone
from mdm.models import MatchJob, MatchModel
from mdm.types import Actor

STALE = timedelta(seconds=60)  # a job without a sign of life this long belongs to nobody
BUSY = {
    "train": "A training is under way already.",
    "rehearse": "A rehearsal is under way already.",
    "rescore": "The queue is being scored anew already.",
    "snapshot": "Keys and words are being counted already.",
}


def queue(
    *,
    type_key: str,
    task: str,
    by: Actor | None = None,
    model: MatchModel | None = None,
    plan: Mapping[str, Any] | None = None,
) -> MatchJob:
    """Put the work down and ring for it after commit. AlreadyDone while the same work of this type is under way."""
    try:
        with transaction.atomic():
            job = MatchJob.objects.create(
                type=type_key, task=task, model=model, plan=dict(plan or {}), requested_by=by.user if by else None
            )
    except IntegrityError:
        raise AlreadyDone(BUSY[task]) from None
    ring(job)
    return job


def queue_again(*, type_key: str, task: str) -> MatchJob | None:
    """The same for work without a plan of its own: one under way begins anew instead, because what it rests on changed."""
    live = MatchJob.objects.filter(type=type_key, task=task, state__in=MatchJob.LIVE)
    if live.update(cursor=0, done=0, plan={}, counts={}):
        return None
    with contextlib.suppress(AlreadyDone):
        return queue(type_key=type_key, task=task)
    return None


def ring(job: MatchJob) -> None:
    """Wake a worker after commit; without a broker the next tick finds the work by itself."""
    from mdm.tasks import run_match_job

    def call() -> None:
        with contextlib.suppress(Exception):
            run_match_job.delay(job.pk)

    transaction.on_commit(call, robust=True)


def waiting() -> list[int]:
    """Work that nobody does."""
    alone = Q(beat_at=None) | Q(beat_at__lt=timezone.now() - STALE)
    return list(
        MatchJob.objects.filter(alone, state__in=MatchJob.LIVE).order_by("pk").values_list("pk", flat=True)[:20]
    )


def claim(pk: int) -> MatchJob | None:
    """Take the work; None when it is done or somebody else has it."""
    with transaction.atomic():
        job = MatchJob.objects.select_for_update(skip_locked=True).filter(pk=pk, state__in=MatchJob.LIVE).first()
        if job is None or (job.beat_at and job.beat_at > timezone.now() - STALE):
            return None
        job.state, job.beat_at = "running", timezone.now()
        job.save(update_fields=["state", "beat_at"])
        return job


def beat(job: MatchJob, phase: str, done: int, total: int) -> bool:
    """A sign of life with how far it is; False when the work was called off."""
    job.phase, job.done, job.total, job.beat_at = phase, done, total, timezone.now()
    changed = MatchJob.objects.filter(pk=job.pk, state="running").update(
        phase=phase, done=done, total=total, beat_at=job.beat_at
    )
    return bool(changed)


def locked(job: MatchJob) -> MatchJob | None:
    """The row, locked and still to be worked on; in the transaction of each batch. None when it was called off."""
    return MatchJob.objects.select_for_update().filter(pk=job.pk, state="running").first()


def finish(job: MatchJob, state: str = "done", error: str = "") -> None:
    job.state, job.error, job.finished_at, job.beat_at = state, error, timezone.now(), None
    job.save(update_fields=["state", "error", "finished_at", "beat_at"])


def cancel(*, model: MatchModel) -> None:
    """Call off what is being done about a version."""
    MatchJob.objects.filter(model=model, state__in=MatchJob.LIVE).update(
        state="cancelled", finished_at=timezone.now(), beat_at=None
    )
