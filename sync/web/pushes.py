"""Pushing many records to a target: choose which, then plan first or queue; and one record at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_http_methods

from mdm import registry
from mdm.errors import CorrectInput, HubError, NotAllowed
from mdm.web import visitor
from mdm.web.page import Callout, Link, Page
from mdm.web.tables import Field, Option
from sync import platforms
from sync.models import PushJob, Target
from sync.models.job import LIMIT
from sync.services import jobs, targets
from sync.web import doors, job_words
from sync.web.replays import rate_of

UNPLANNED = "This receiver cannot be asked what it holds, so nothing can be planned."


@require_http_methods(["GET", "POST"])
@visitor.page
def push(request: HttpRequest, code: str) -> HttpResponse:
    """A form for many; or, when a record is named, that one at once."""
    doors.require_read(request)
    target = get_object_or_404(Target.objects.select_related("system"), code=code)
    if request.method == "POST" and request.POST.get("record"):
        return _one(request, target)
    if request.method == "POST":
        return _many(request, target)
    return _form(request, target)


def _form(request: HttpRequest, target: Target, refused: str = "", status: int = 200) -> HttpResponse:
    may = doors.may_act(request)
    context = {
        "page": Page(
            title=f"Push to {target.title}",
            crumbs=[Link("Targets", reverse("sync:targets")), Link(target.title, "")],
        ),
        "callouts": _callouts(target),
        "errors": [{"text": refused}] if refused else [],
        "fields": _fields(target, request.POST),
        "limit": LIMIT,
        "allowed": may,
        "plan_why_not": "" if platforms.readable(target.connector) else UNPLANNED,
        "why_not": "" if may else doors.WHY_NOT,
        "cancel_url": reverse("sync:targets"),
        "rate": f"{target.rate_per_s:g}",
    }
    return render(request, "sync/push.html", context, status=status)


def _one(request: HttpRequest, target: Target) -> HttpResponse:
    uid, type_key = request.POST["record"], request.POST.get("type", "")

    def do() -> str:
        pushed = targets.push(target, by=visitor.actor(request), type=type_key, uids=[uid])
        if not pushed.counts["queued"] and not pushed.counts["already_waiting"]:
            raise CorrectInput(f"{target.title} is not subscribed to this record.")
        return f"Queued for {target.title}"

    return doors.act(request, do, reverse("sync:targets"))


def _many(request: HttpRequest, target: Target) -> HttpResponse:
    """Leads to the job that was made. What was refused stands over the form, which keeps what was typed."""
    plan = request.POST.get("do") != "queue"
    try:
        job = jobs.ask_for_records(
            target, by=visitor.actor(request), type=request.POST.get("type", ""), since=_since(request),
            plan=plan, rate_per_s=rate_of(request), reason=request.POST.get("reason", ""),
        )  # fmt: skip
    except NotAllowed:
        raise
    except HubError as error:
        return _form(request, target, error.message, visitor.status_of(error))
    if plan:
        said = f"What it would do at {target.title} is being looked up"
    elif job.state == "waiting":
        said = "It waits for a second person"
    else:
        said = f"{job_words.title(job)} is under way"
    messages.success(request, said)
    return redirect(reverse("sync:job", args=[job.uid]))


def _since(request: HttpRequest) -> Any:
    text = request.POST.get("since", "").strip()
    if not text:
        return None
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise CorrectInput("Give the day as 2026-12-31.")
    return timezone.make_aware(timezone.datetime(day.year, day.month, day.day))  # type: ignore[attr-defined]


def _callouts(target: Target) -> list[Callout]:
    if target.paused_at:
        body = "What is queued waits until somebody resumes it; a plan can be made meanwhile."
        return [Callout(title=f"{target.title} is paused", body=body, tone="amber", icon="pause")]
    return []


def _fields(target: Target, typed: Mapping[str, str]) -> list[Field]:
    """The form; `typed` is what somebody sent that was refused, so that nothing has to be typed again."""
    try:
        types = jobs.types_of(target)
    except HubError:
        types = []
    options = [Option(value="", label="Everything it is subscribed to")]
    options += [Option(value=one, label=registry.get(one).plural, selected=one == typed.get("type")) for one in types]
    last = PushJob.objects.filter(target=target, kind__in=("load", "delta"), state="done").order_by("-pk").first()
    help = "Empty: all of them, as for a first load."
    if last is not None:
        help += f" The last load or push of changes began {last.created_at:%d %b %Y}."
    return [
        Field(name="type", label="Which records", kind="select", options=options),
        Field(name="since", label="Only what changed since", kind="date", optional=True, help=help, value=typed.get("since", "")),
        Field(
            name="rate", label="Pace, records a second", optional=True, placeholder=f"{target.rate_per_s:g}",
            help="Never more than the target's own rate. Urgent changes overtake it.", value=typed.get("rate", ""),
        ),
        Field(name="reason", label="Why", kind="textarea", optional=True, value=typed.get("reason", "")),
    ]  # fmt: skip
