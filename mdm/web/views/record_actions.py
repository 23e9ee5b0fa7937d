"""What is done on a record's page: asking for another status, pinning a value, looking at sealed numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST

from mdm.errors import CorrectInput, HubError, StillUsed
from mdm.models import ChangeRequest
from mdm.selectors import request_items, visibility
from mdm.services import changes, detaching, pins, revealing
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
    except StillUsed as error:
        messages.warning(request, error.message)
        return redirect(f"{reverse('web:record-leave', args=[frame.kind.path, uid])}?{urlencode({'reason': reason})}")
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
            came = pins.unpin(kind=frame.kind, uid=uid, path=path, reason=reason, by=by)
            messages.success(request, f"The pin is gone: {_what_came(came)}")
        else:
            until = _until(request.POST.get("until", ""))
            system, _, key = request.POST.get("source", "").partition(" ")
            source = (system, key) if key else None
            done = pins.pin(kind=frame.kind, uid=uid, path=path, reason=reason, until=until, by=by, source=source)
            if isinstance(done, ChangeRequest) and done.state != "applied":
                messages.success(request, "Sent for approval: the pin holds once the other value is in force.")
                return redirect("web:request", request_items.number_of(done))
            messages.success(request, "Pinned: this value stays, whatever the sources say.")
    except HubError as error:
        return refused(request, frame, error)
    tab = "sources" if request.POST.get("back") == "sources" else ""
    return redirect(f"{frame.url(tab)}?{urlencode({'why': path})}")


def _what_came(came: Mapping[str, int]) -> str:
    if came.get("changed"):
        return "the sources decide again, and the value changed."
    if came.get("asked"):
        return "the sources say something else, which waits for approval."
    if came.get("refused"):
        return "what the sources say would break a rule of this record, so the value stays."
    return "the sources decide again. The value stays the same."


@require_POST
@visitor.page
def detach(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    """Ask to take a source record off, on its own or onto the record with a code."""
    frame = record_frame.load(request, type_path, uid)
    code = request.POST.get("to", "").strip()[:60]
    try:
        visitor.kind_at(request, type_path, "propose")
        to = _record_by_code(request, frame, code) if code else None
        change = detaching.propose(
            kind=frame.kind,
            uid=uid,
            sources=[(request.POST.get("system", "")[:40], request.POST.get("key", "")[:100])],
            reason=request.POST.get("reason", ""),
            by=visitor.actor(request),
            to=to,
        )
    except HubError as error:
        return refused(request, frame, error)
    said = "Applied" if change.state == "applied" else "Sent for approval"
    messages.success(request, f"{said}: {change.title}")
    return redirect("web:request", request_items.number_of(change))


def _record_by_code(request: HttpRequest, frame: Frame, code: str) -> Any:
    rows = visibility.visible(frame.kind, frame.kind.model._default_manager.all(), visitor.entities(request))
    row = rows.filter(code=code).first()
    if row is None:
        raise CorrectInput(f"There is no {frame.kind.noun} with the code {code}.")
    return row.uid


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
