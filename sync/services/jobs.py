"""Owns asking for push jobs and deciding about them: who may, the second person, pause, cancel, and what to repeat."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from mdm import correlation, registry
from mdm.errors import AlreadyDone, CorrectInput, FourEyes, NotAllowed, NotNow, Reload
from mdm.permissions import may
from mdm.services import audit
from mdm.types import Actor
from sync import platforms
from sync.models import PushJob, PushRow, Subscription, Target
from sync.models.job import MOVES
from sync.services import job_rows, job_work
from sync.services.exceptions import require_operate

FORCE = "sync:force"


@transaction.atomic
def ask(
    target: Target,
    kind: str,
    scope: dict[str, Any],
    *,
    by: Actor,
    reason: str = "",
    forced: bool = False,
    rate_per_s: float | None = None,
    batch: uuid.UUID | None = None,
    needs_approval: bool = False,
    parent: PushJob | None = None,
) -> PushJob:
    """Put a job on record and begin with it; what is small and needs nobody else is queued when this returns."""
    require_operate(by)
    if kind == "plan" and not platforms.readable(target.connector):
        raise CorrectInput(
            f"{target.title} cannot be asked what it holds, so nothing can be planned: push without a plan."
        )
    if forced:
        _require_force(by, reason)
    rate = target.rate_per_s if rate_per_s is None else rate_per_s
    if not 0 < rate <= target.rate_per_s:
        raise CorrectInput(f"Give a pace above nought and at most that of the target, {target.rate_per_s:g} a second.")
    job = PushJob.objects.create(
        target=target,
        kind=kind,
        scope=scope,
        forced=forced,
        reason=reason.strip(),
        rate_per_s=rate,
        batch=batch or uuid.uuid4(),
        needs_approval=needs_approval or forced,
        parent=parent,
        requested_by=by.user,
        requested_by_name=by.name,
        correlation_id=correlation.current(),
    )
    _log(job, "asked", by, scope=scope, forced=forced, reason=reason)
    for _ in range(job_work.STEPS):  # built, its turn, its first rows: at once, when it is small
        if not job_work.step(job.pk):
            break
    job.refresh_from_db()
    return job


def _require_force(by: Actor, reason: str) -> None:
    if not may(by, FORCE):
        raise NotAllowed("Sending a version as it was, over a newer one, is for lead stewards.")
    if not reason.strip():
        raise CorrectInput("Say why the version as it was is sent instead of the newest.")


def types_of(target: Target, type: str = "") -> list[str]:
    """What a job over whole types covers, in the order in which records refer to one another."""
    subscribed = Subscription.objects.filter(target=target, active=True).values_list("type", flat=True)
    taken = [one for one in subscribed if platforms.takes(target.connector, one)]
    if type and type not in taken:
        kind = registry.find(type)
        raise CorrectInput(f"{target.title} is not subscribed to {kind.nouns if kind else 'that type'}.")
    if not taken:
        raise CorrectInput(f"{target.title} has no subscription yet.")
    return [type] if type else sorted(taken, key=_referring)


def _referring(type: str) -> tuple[int, str]:
    """Types that others refer to come first."""
    return (len(registry.get(type).references), type)


def ask_for_records(
    target: Target,
    *,
    by: Actor,
    type: str = "",
    since: datetime | None = None,
    records: Sequence[str] = (),
    plan: bool = False,
    rate_per_s: float | None = None,
    reason: str = "",
) -> PushJob:
    """Everything the target is subscribed to, what changed since a moment, or some records; `plan`: looked at first."""
    if records and not type:
        raise CorrectInput("Name the type of the records.")
    scope: dict[str, Any] = {"types": types_of(target, type)}
    if since is not None:
        scope["since"] = since.isoformat()
    if records:
        scope["records"] = sorted({str(uid) for uid in records})
    kind = "plan" if plan else "delta" if since is not None else "load"
    return ask(target, kind, scope, by=by, rate_per_s=rate_per_s, reason=reason)


def count(
    target: Target, *, by: Actor, type: str = "", since: datetime | None = None, records: Sequence[str] = ()
) -> Counter[str]:
    """What such a job would queue, counted now; nothing is put on record. May take seconds: a plan does not."""
    require_operate(by)
    scope: dict[str, Any] = {"types": types_of(target, type)}
    scope |= {"since": since.isoformat()} if since else {}
    scope |= {"records": list(records)} if records else {}
    return job_rows.count(PushJob(target=target, kind="load", scope=scope, rate_per_s=1))


@transaction.atomic
def repeat_failed(job: PushJob, *, by: Actor) -> PushJob:
    """A new job for those rows that did not arrive and that nothing followed."""
    if MOVES[job.state]:
        raise NotNow("The job is not at its end yet.")
    if not failed_rows(job).exists():
        raise NotNow("Nothing of this job is left to repeat.")
    return ask(job.target, "repeat", {"repeat": str(job.uid)}, by=by, rate_per_s=job.rate_per_s, parent=job)


def failed_rows(job: PushJob) -> Any:
    return PushRow.objects.filter(job=job, state__in=("refused", "failed"), made__corrected_by=None)


def plan_again(job: PushJob, *, by: Actor) -> PushJob:
    """The same question once more, of the target as it is now."""
    if job.kind != "plan":
        raise NotNow("Only a plan is made again; repeat what failed of any other job.")
    return ask(job.target, "plan", job.scope, by=by, rate_per_s=job.rate_per_s, reason=job.reason, parent=job)


# --- deciding -----------------------------------------------------------------------------------------------------


@transaction.atomic
def approve(job: PushJob, *, by: Actor, content_hash: str, comment: str = "") -> PushJob:
    """Let a job be worked on. Large and forced ones need somebody other than who asked; the database refuses as well."""
    require_operate(by)
    row = _locked(job)
    if row.state != "waiting":
        raise AlreadyDone(f"This job is {row.state} already.") if row.approved_by_id else _not_now(row, "approved")
    if row.content_hash != content_hash:
        raise Reload("The job is not what you saw: read it again, then decide.")
    if row.needs_approval:
        _require_second(row, by)
        row.approved_by, row.approved_at = by.user, Now()
    row.comment, row.state = comment.strip()[:2000], "queued"
    row.save()
    _log(row, "approved", by, comment=comment, content_hash=content_hash)
    for _ in range(job_work.STEPS):
        if not job_work.step(row.pk):
            break
    row.refresh_from_db()
    return row


def _require_second(row: PushJob, by: Actor) -> None:
    if by.user is None:
        raise NotAllowed("Only a person can approve a job.")
    if by.user.pk == row.requested_by_id:
        raise FourEyes("You asked for this job: somebody else has to approve it.")


@transaction.atomic
def refuse(job: PushJob, *, by: Actor, reason: str) -> PushJob:
    """Nothing of it is sent; the rows stay for whoever wants to know what was asked for."""
    require_operate(by)
    row = _locked(job)
    if row.state != "waiting":
        raise _not_now(row, "refused")
    if not reason.strip():
        raise CorrectInput("Say why it is not to be sent.")
    row.comment = reason.strip()[:2000]
    job_work.end(row, "refused")
    _log(row, "refused", by, reason=reason)
    return row


@transaction.atomic
def pause(job: PushJob, *, by: Actor) -> PushJob:
    """No further row is queued; what was queued goes on, and another job of the target may have its turn."""
    require_operate(by)
    row = _locked(job)
    if "paused" not in MOVES[row.state]:
        raise _not_now(row, "paused")
    row.state, row.lease_until = "paused", None
    row.save()
    _log(row, "paused", by)
    return row


@transaction.atomic
def resume(job: PushJob, *, by: Actor) -> PushJob:
    """In line again; a plan is checked against the target once more before it goes on."""
    require_operate(by)
    row = _locked(job)
    if row.state != "paused":
        raise _not_now(row, "resumed")
    row.state = "queued"
    row.save()
    _log(row, "resumed", by)
    job_work.step(row.pk)
    row.refresh_from_db()
    return row


@transaction.atomic
def cancel(job: PushJob, *, by: Actor) -> PushJob:
    """The rows that were not queued yet are given up; what was queued is sent, and counted here."""
    require_operate(by)
    row = _locked(job)
    if "cancelled" not in MOVES[row.state]:
        raise _not_now(row, "cancelled")
    left = PushRow.objects.filter(job=row, state="waiting").update(state="left", why="given_up")
    counts = dict(row.counts)
    if left:
        counts["given_up"] = left
    row.counts, row.done = counts, row.done + left
    job_work.end(row, "cancelled")
    _log(row, "cancelled", by, left=left)
    return row


def _locked(job: PushJob) -> PushJob:
    return PushJob.objects.select_for_update(of=("self",)).select_related("target").get(pk=job.pk)


def _not_now(row: PushJob, what: str) -> NotNow:
    return NotNow(f"This job is {row.state}: it cannot be {what} now.")


def _log(job: PushJob, action: str, by: Actor, **detail: Any) -> None:
    audit.record(
        action=f"push_job.{action}", by=by, object_type="push_job", object_uid=job.uid,
        object_label=f"{job.get_kind_display().capitalize()} to {job.target.title}",
        detail={"sends": job.sends, "total": job.total, **detail},
    )  # fmt: skip
