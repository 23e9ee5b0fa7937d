"""Retiring or closing a record that others use: who they are, and the two plans for them."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from mdm import registry
from mdm.errors import CorrectInput, HubError
from mdm.selectors import references, request_items
from mdm.services import changes, retiring
from mdm.services.proposing import ProposedItem
from mdm.services.retiring import Users
from mdm.web import record_frame, visitor
from mdm.web.page import Link, Meta, Page
from mdm.web.record_frame import Frame
from mdm.web.tables import Cell, Column, Field, Row, Table

SHOWN = 50  # users named on the page


@require_http_methods(["GET", "POST"])
@visitor.page
def leave(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    """`?on=` a day closes a dated record then; without one it is retired. POST plan=replace|keep|none."""
    frame = record_frame.load(request, type_path, uid)
    visitor.kind_at(request, type_path, "propose")
    if request.method == "GET":
        return _answer(request, frame)
    try:
        change = changes.propose(
            items=[_asked(request, frame)], by=visitor.actor(request), reason=request.POST.get("reason", "").strip()
        )
    except HubError as error:
        return _answer(request, frame, error)
    messages.success(request, f"{'Applied' if change.state == 'applied' else 'Sent for approval'}: {change.title}")
    return redirect("web:request", request_items.number_of(change))


def _asked(request: HttpRequest, frame: Frame) -> ProposedItem:
    typed = request.POST
    if not typed.get("reason", "").strip():
        raise CorrectInput("Say why: whoever decides has to know.")
    plans = {
        "replace": {"replace_with": typed.get("replace_with", "").strip(), "from": typed.get("from", "")},
        "keep": {"keep": typed.get("keep", "").strip()},
    }
    chosen = plans.get(typed.get("plan", ""))
    if chosen is not None and not any(chosen[name] for name in ("replace_with", "keep") if name in chosen):
        raise CorrectInput("Name the record that takes its place." if "from" in chosen else "Say why they may stay.")
    day = typed.get("on", "")
    return ProposedItem(
        type=frame.kind.key,
        action="update" if day else "retire",
        uid=str(frame.row.uid),
        patch={"valid_to": day} if day else None,
        base_version=frame.row.version,
        plan=chosen,
    )


def _answer(request: HttpRequest, frame: Frame, error: HubError | None = None) -> HttpResponse:
    given, kind = request.POST or request.GET, frame.kind
    day = _day(given.get("on", "")) if kind.periods else ""
    found = retiring.users(kind, frame.document, day or timezone.localdate().isoformat())
    seen = Users(references.seen(found.records, visitor.entities(request)), found.elsewhere)
    hidden = len(found.records) - len(seen.records)
    fields = [
        Field(name="reason", id="reason", label="Why?", kind="textarea", value=given.get("reason", "")[:2000]),
        *([_closing(day)] if kind.periods else []),
    ]
    context = {
        "page": _head(frame, found),
        "error": error.message if error else "",
        "problems": [problem.message for problem in error.problems] if error and len(error.problems) > 1 else [],
        "url": request.path,
        "fields": fields,
        "users": _table(seen, hidden) if found.count else None,
        "users_note": f"the first {SHOWN} of {found.count:,}" if seen.count > SHOWN else f"{found.count:,}",
        "not_theirs": retiring.not_theirs(hidden) if hidden else "",
        "replace": [
            Field(
                name="replace_with", id="replace_with", label=f"The {kind.noun} they refer to instead",
                value=given.get("replace_with", "")[:40], help="Its code. It has to be active.",
            ),
            Field(
                name="from", id="from", label="From", kind="date", value=given.get("from", "")[:10], optional=True,
                help="Empty: from the day it leaves. Earlier days keep what they say.",
            ),
        ],
        "keep": Field(
            name="keep", id="keep", label="Why may they go on referring to it?", kind="textarea",
            value=given.get("keep", "")[:1000], help="Whoever approves is shown this, and how many there are.",
        ),
        "verb": "closing" if day else "retiring",
    }  # fmt: skip
    return render(request, "web/leave.html", context, status=visitor.status_of(error) if error else 200)


def _closing(day: str) -> Field:
    help_ = "Nothing holds from that day on. Empty: retired for good, with all its periods."
    return Field(name="on", id="on", label="Closes on", kind="date", value=day, optional=True, help=help_)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat() if text.strip() else ""
    except ValueError:
        return ""


def _head(frame: Frame, found: Users) -> Page:
    kind, document = frame.kind, frame.document
    listing = Link(kind.plural, reverse("web:records", args=[kind.path]))
    record = Link(str(document["code"]), visitor.record_url(kind, document["uid"]))
    used = f"used by {found.words()}" if found.count else "used by nobody"
    return Page(
        title=f"Retire {kind.name_of(document)}",
        crumbs=[listing, record, Link("Retire", "")],
        meta=[Meta(kind="id", text=str(document["code"])), Meta(text=used)],
    )


def _table(found: Users, hidden: int) -> Table:
    """`hidden`: how many more there are of companies the visitor does not see."""
    rows = []
    for one in found.records[:SHOWN]:
        kind = registry.get(one.type)
        label = kind.label(one.path.partition(".")[2] or one.path)
        rows.append(
            Row(
                cells=[
                    Cell(value=one.name, kind="title", url=visitor.record_url(kind, one.uid)),
                    Cell(value=one.code, kind="id"),
                    Cell(value=f"{kind.title}, {label[0].lower()}{label[1:]}"),
                ]
            )
        )
    for other in found.elsewhere[: SHOWN - len(rows)]:
        name = Cell(value=other["title"], kind="title", url=other.get("url") or "")
        rows.append(Row(cells=[name, Cell(value=""), Cell(value=f"{other['kind']} {other.get('note') or ''}".strip())]))
    if hidden:
        rows.append(Row(cells=[Cell(note=retiring.unseen(hidden)), Cell(value=""), Cell(value="")]))
    columns = [Column(label="Record"), Column(label="Code"), Column(label="How")]
    return Table(caption="Who refers to it", columns=columns, rows=rows, plain=True)
