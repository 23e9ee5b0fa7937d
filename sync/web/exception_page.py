"""One business exception as a page: what was refused and why, who looks after it, what puts it right, what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from mdm import registry
from mdm.models import ChangeRequest
from mdm.web import deadlines, visitor
from mdm.web.page import Badge, Callout, Event, Fact, Link, Meta, Page, Part, Rich
from mdm.web.pointers import request_url
from mdm.web.states import look
from mdm.web.tables import Cell, Column, Row, Table
from sync import labels
from sync.models import Delivery, ExceptionItem
from sync.selectors import exception_views
from sync.web import doors, exception_rows
from sync.web.exception_groups import map_form, title_of

PROBLEM_COLUMNS = (
    Column(label="Field there"),
    Column(label="Golden field", priority=1),
    Column(label="Code", priority=2),
    Column(label="In the platform's words"),
)


@require_GET
@visitor.page
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    doors.require_read(request)
    item = exception_views.find(uid, visitor.entities(request))
    change = exception_views.proposals([item]).get((item.type, item.record))
    live = item.state == "open"
    people_ = exception_rows.operators() if live and doors.may_act(request) else []
    decisions = exception_rows.decisions(request, item, people_)
    mapped = live and item.table and doors.may_map(request)
    context = {
        "page": Page(
            title=title_of(item.target.title, item.field, item.table, item.value),
            crumbs=[Link("Exceptions", reverse("sync:exceptions")), Link(item.label or str(item.record), "")],
            badges=[Badge(state=item.state, domain="exception"), *_overdue(item)],
            meta=_meta(item),
            menu=decisions[1:] if live else (),
            primary=exception_rows.correct(request, item) if live and not mapped else None,
        ),
        "words": item.words,
        "source": doors.source(item.target.system),
        "callouts": _callouts(item, change),
        "form": map_form(request, item.target, item.table, item.value) if mapped else None,
        "actions": decisions[:1] if live else [],
        "facts": _facts(item, change),
        "problems": _problems(item),
        "story": _story(item),
    }
    return render(request, "sync/exception.html", context)


def _overdue(item: ExceptionItem) -> list[Badge]:
    return [Badge(label="Overdue", tone="red", icon="clock")] if exception_views.is_overdue(item) else []


def _meta(item: ExceptionItem) -> list[Meta]:
    version = f"{item.label or item.record}, version {item.delivery.version}"
    found = [Meta(kind="link", text=version, url=doors.record_link(item.type, item.record))]
    if item.delivery.target_key:
        found.append(Meta(kind="id", text=item.delivery.target_key))
    return [*found, Meta(kind="time", at=item.opened_at, prefix="refused")]


def _callouts(item: ExceptionItem, change: ChangeRequest | None) -> list[Callout]:
    found = []
    if item.state in exception_views.LIVE:
        found.append(Callout(title="What puts it right", body=exception_views.hint_of(item), icon="info", tone="blue"))
    if change and item.state in exception_views.LIVE:
        body: Rich = [Part(text=f"{change.number} {change.title}", url=request_url(change)), ": "]
        body = [*body, "its next version is sent by itself, and closes this when it arrives."]
        found.append(Callout(title="A change of this record is under way", body=body, icon="half", tone="blue"))
    if item.state == "retrying":
        body = ["It is open again if that comes to nothing. ", *_later(item)]
        found.append(Callout(title="A later delivery is on its way", body=body, icon="send", tone="blue"))
    if item.state == "corrected":
        found.append(Callout(title="Corrected", body=_corrected(item), icon="check", tone="green"))
    if item.state == "repeated":
        later = item.followed_by.first()
        body = [Part(text="The exception that goes on", url=_url(later)), "."] if later else ""
        found.append(Callout(title="What followed it was refused too", body=body, icon="history", tone="amber"))
    return found


def _later(item: ExceptionItem) -> list[Part | str]:
    later = item.delivery.corrected_by
    return [Part(text="Look at it", url=_delivery(later)), "."] if later else []


def _corrected(item: ExceptionItem) -> Rich:
    later = item.delivery.corrected_by
    if later is None:
        return ""
    words: list[Part | str] = ["By ", Part(text=f"version {later.version}, delivered", url=_delivery(later))]
    change = later.event.change if later.event else None
    if change is not None:
        words += [", which ", Part(text=change.number, url=request_url(change)), " made"]
    return [*words, "."]


def _url(item: ExceptionItem) -> str:
    return reverse("sync:exception", args=[item.uid])


def _delivery(row: Delivery) -> str:
    return reverse("sync:delivery", args=[row.uid])


def _facts(item: ExceptionItem, change: ChangeRequest | None) -> list[Fact]:
    due = deadlines.due(item.due_at) if item.state in exception_views.LIVE else None
    found = [
        Fact(label="Target", value=item.target.title, kind="link", url=reverse("sync:targets")),
        Fact(label="Field there", value=item.field or None, kind="mono"),
        Fact(label="Golden field", value=labels.of(registry.find(item.type), item.path) if item.path else None),
        Fact(label="Code", value=item.code or None, kind="mono"),
        Fact(label="Owner", value=exception_views.owner_of(item) or "Nobody"),
        Fact(label="Assigned to", value=item.assignee or "Nobody", kind="person" if item.assignee else ""),
        Fact(label="Due", value=item.due_at, kind="time", note=due.text if due else "")
        if item.due_at
        else Fact(label="Due", value="No limit"),
        Fact(label="Rule", value=item.rule.name if item.rule else "None fits"),
        Fact(label="Attempts", value=item.delivery.attempts),
        Fact(label="Delivery", value="What was said, word by word", kind="link", url=_delivery(item.delivery)),
    ]
    if later := item.delivery.corrected_by:
        state = look(later.state, "delivery").label.lower()
        found.append(
            Fact(label="Followed by", value=f"version {later.version}, {state}", kind="link", url=_delivery(later))
        )
    if item.follows:
        found.append(Fact(label="Earlier", value="Refused before", kind="link", url=_url(item.follows)))
    return found


def _problems(item: ExceptionItem) -> Table | None:
    """Only when there is more to say than the words above."""
    rows = [
        Row(
            cells=[
                Cell(value=problem["field"] or None, kind="mono"),
                Cell(value=labels.of(registry.find(item.type), problem["path"]) if problem["path"] else None),
                Cell(value=problem["code"] or None, kind="mono"),
                Cell(value=problem["message"]),
            ]
        )
        for problem in item.problems
    ]
    return Table(caption="What it refuses", columns=PROBLEM_COLUMNS, rows=rows, plain=True) if rows else None


def _story(item: ExceptionItem) -> list[Event]:
    found = [Event(at=item.opened_at, text=f"Refused by {item.target.title}", icon="no", tone="red", exact=True)]
    if item.closed_at:
        shown: Any = look(item.state, "exception")
        text: Rich = [Part(text=shown.label, strong=True), f": {item.note}"] if item.note else shown.label
        who = item.closed_by or None
        found.append(Event(at=item.closed_at, text=text, who=who, icon=shown.icon, tone=shown.tone, exact=True))
    return found
