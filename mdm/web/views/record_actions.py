"""What is done on a record's page: asking for another status, pinning a value, looking at sealed numbers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST

from mdm.errors import CorrectInput, HubError
from mdm.selectors import request_items
from mdm.services import changes, pins, revealing
from mdm.services.proposing import STATUS_AFTER, ProposedItem
from mdm.web import record_frame, record_overview, visitor
from mdm.web.page import Callout
from mdm.web.record_frame import Frame
from mdm.web.views import record_tabs


def refused(request: HttpRequest, frame: Frame, error: HubError) -> HttpResponse:
    """The record's page again, saying why nothing was done."""
    shown = record_overview.overview(frame)
    shown["then"] = Callout(title=error.message, body="Nothing was changed.", tone="red", icon="alert")
    return record_tabs.answer(request, frame, shown, visitor.status_of(error))


@require_POST
@visitor.page
def ask_status(request: HttpRequest, type_path: str, uid: Any, action: str) -> HttpResponse:
    """Block, unblock or retire: a request like any other change."""
    if action not in STATUS_AFTER:
        raise Http404
    frame = record_frame.load(request, type_path, uid)
    try:
        visitor.kind_at(request, type_path, "propose")
        reason = request.POST.get("reason", "").strip()
        if not reason:
            raise CorrectInput("Say why: whoever decides has to know.")
        item = ProposedItem(type=frame.kind.key, action=action, uid=str(uid), base_version=frame.row.version)
        change = changes.propose(items=[item], by=visitor.actor(request), reason=reason)
    except HubError as error:
        return refused(request, frame, error)
    said = "Applied" if change.state == "applied" else "Sent for approval"
    messages.success(request, f"{said}: {change.title}")
    return redirect("web:request", request_items.number_of(change))


@require_POST
@visitor.page
def pin(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    """Pin a value, or take its pin away (`unpin`)."""
    frame = record_frame.load(request, type_path, uid)
    path, reason = request.POST.get("path", "")[:200], request.POST.get("reason", "")
    by = visitor.actor(request)
    try:
        if "unpin" in request.POST:
            pins.unpin(kind=frame.kind, uid=uid, path=path, reason=reason, by=by)
            messages.success(request, "The pin is gone: the sources decide again.")
        else:
            until = _until(request.POST.get("until", ""))
            pins.pin(kind=frame.kind, uid=uid, path=path, reason=reason, until=until, by=by)
            messages.success(request, "Pinned: this value stays, whatever the sources say.")
    except HubError as error:
        return refused(request, frame, error)
    return redirect(f"{frame.url()}?why={path}")


def _until(text: str) -> Any:
    try:
        day = parse_date(text.strip()) if text.strip() else None
    except ValueError:
        day = None
    if text.strip() and day is None:
        raise CorrectInput("Give the day as 2026-12-31.")
    return day


@require_POST
@visitor.page
def reveal(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    """The page once with the numbers in plain: not kept by the browser, not at an address of its own."""
    frame = record_frame.load(request, type_path, uid)
    try:
        revealing.reveal(
            kind=frame.kind,
            document=frame.document,
            by=visitor.actor(request),
            reason=request.POST.get("reason", ""),
        )
    except HubError as error:
        return refused(request, frame, error)
    shown = record_overview.overview(frame, revealed=True)
    shown["then"] = Callout(
        title="The full numbers are shown once",
        body="That you looked, when and why is in the audit log. Leave or reload the page to hide them.",
        tone="amber",
        icon="eye",
    )
    response = record_tabs.answer(request, frame, shown)
    response["Cache-Control"] = "no-store"
    return response
