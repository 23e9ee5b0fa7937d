"""What can be done with a push job on its page: approve, refuse, pause, go on, cancel, repeat."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from mdm.web.browsing import plural
from mdm.web.page import Action, Confirm
from sync.models import PushJob
from sync.models.job import MOVES
from sync.services import jobs
from sync.web import doors


def _lever(request: HttpRequest, job: PushJob, label: str, name: str, icon: str, view: str, **more: Any) -> Action:
    return doors.action(
        request, label=label, name=name, url=reverse(f"sync:{view}", args=[job.uid]), icon=icon, **more
    )  # fmt: skip


def _move(request: HttpRequest, job: PushJob, label: str, what: str, icon: str, **more: Any) -> Action:
    return _lever(request, job, label, what, icon, "job-move", fields={"do": what}, **more)


def primary(request: HttpRequest, job: PushJob) -> Action | None:
    if job.state == "waiting":
        return _approve(request, job)
    if job.state == "running" or job.state == "checking":
        return _move(request, job, "Pause", "pause", "pause")
    if job.state == "paused":
        return _move(request, job, "Go on", "resume", "play")
    if job.state == "stale" or (job.kind == "plan" and job.state == "failed"):
        return _lever(request, job, "Plan again", "repeat", "refresh", "job-repeat")
    if not MOVES[job.state] and (failed := jobs.failed_rows(job).count()):
        label = f"Send {plural(failed, 'failed one')} again"
        return _lever(request, job, label, "repeat", "refresh", "job-repeat")
    return None


def _approve(request: HttpRequest, job: PushJob) -> Action:
    own = job.needs_approval and job.requested_by_id == request.user.pk
    label = "Apply the plan" if job.kind == "plan" else "Approve"
    body = f"{plural(job.sends, 'record is', 'records are')} sent to {job.target.title} at {job.rate_per_s:g} a second."
    if job.kind == "plan":
        body += " It is looked up first whether the target still holds what was planned on; if not, nothing is sent."
    confirm = Confirm(
        title=f"{label}?",
        body=body,
        button=label,
        cancel="Not now",
        reason_label="Comment",
        reason_name="comment",
        reason_required=False,
    )
    why_not = "You asked for it: somebody else decides." if own else ""
    fields = {"content_hash": job.content_hash}
    return _lever(
        request, job, label, "approve", "check", "job-approve", confirm=confirm, fields=fields, allowed=not own,
        why_not=why_not,
    )  # fmt: skip


def menu(request: HttpRequest, job: PushJob) -> list[Action]:
    found = []
    if job.state == "waiting":
        ask = Confirm(title="Refuse this job?", body="Nothing of it is sent.", button="Refuse", reason_label="Why")
        found.append(_lever(request, job, "Refuse", "refuse", "no", "job-refuse", confirm=ask))
    if "cancelled" in MOVES[job.state]:
        ask = Confirm(
            title="Cancel this job?",
            body="The records that were not queued yet are not sent. What was queued goes out.",
            button="Cancel the job",
            danger=True,
        )
        found.append(_move(request, job, "Cancel", "cancel", "no", confirm=ask, style="danger"))
    found.append(Action(label="Download the rows", url=reverse("sync:job-export", args=[job.uid]), icon="download"))
    return found
