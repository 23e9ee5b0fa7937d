"""What happened around a record: the requests about it and its entries of the audit log."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from mdm.models import AuditEntry, ChangeRequest
from mdm.selectors import keyset, request_items
from mdm.web import browsing, visitor
from mdm.web.page import Empty, Event, Part, Rich
from mdm.web.record_frame import Frame
from mdm.web.review import words
from mdm.web.tables import Cell, Column, Row, Table

SIZE = 50
# action of the log → icon, tone, words after the person's name
_SAID: dict[str, tuple[str, str, str]] = {
    "record.created": ("plus", "green", "created it"),
    "record.updated": ("pencil", "blue", "changed it"),
    "record.blocked": ("lock", "red", "blocked it"),
    "record.unblocked": ("ok", "green", "unblocked it"),
    "record.retired": ("minus", "grey", "retired it"),
    "record.merged": ("duplicate", "blue", "merged it"),
    "record.unmerged": ("undo", "blue", "took a merge back"),
    "bank.revealed": ("eye", "amber", "looked at the full bank numbers"),
    "value.pinned": ("pin", "blue", "pinned a value"),
    "value.unpinned": ("pin", "grey", "took a pin away"),
    "value.pin_dropped": ("pin", "grey", "dropped a pin that is needed no more"),
    "value.pin_expired": ("pin", "grey", "dropped a pin that came to its end"),
}


def requests(frame: Frame) -> dict[str, Any]:
    found = request_items.touching(visitor.requests_seen(frame.request), frame.kind, frame.row.uid)
    found = found.select_related("requester").prefetch_related("steps")
    part = keyset.cut(found, size=SIZE, cursor=frame.request.GET.get("cursor", ""), falling=True)
    text = "Changes of this record are asked for by requests; they stay listed here."
    return {
        "table": _table(part.rows) if part.rows else None,
        "pager": browsing.pager(frame.request, part, "requests"),
        "empty": None if part.rows else Empty(title="No request yet", text=text, icon="inbox"),
    }


def _table(listed: list[ChangeRequest]) -> Table:
    columns = [
        Column(label="Request"), Column(label="Number"), Column(label="State"), Column(label="By", priority=1),
        Column(label="Step", priority=2), Column(label="Made", numeric=True),
    ]  # fmt: skip
    rows = [
        Row(
            cells=[
                Cell(value=change.title, kind="title", url=_url(change)),
                Cell(value=change.number, kind="id"),
                Cell(value=change.state, kind="state", domain="request"),
                Cell(value=words.requester(change), kind="person"),
                Cell(value=words.step_words(list(change.steps.all())), muted=True),
                Cell(value=change.created_at, kind="time", muted=True),
            ]
        )
        for change in listed
    ]
    return Table(caption="Requests", columns=columns, rows=rows)


def _url(change: ChangeRequest) -> str:
    return reverse("web:request", args=[request_items.number_of(change)])


def audit(frame: Frame) -> dict[str, Any]:
    rows = AuditEntry.objects.filter(object_type=frame.kind.key, object_uid=str(frame.row.uid))
    part = keyset.cut(rows, size=SIZE, cursor=frame.request.GET.get("cursor", ""), falling=True)
    return {
        "events": [_event(frame.request, entry) for entry in part.rows],
        "pager": browsing.pager(frame.request, part, "entries"),
        "empty": None if part.rows else Empty(title="Nothing is on record", icon="shield"),
    }


def _event(request: HttpRequest, entry: AuditEntry) -> Event:
    icon, tone, said = _SAID.get(entry.action, ("info", "", entry.action.replace(".", " ").replace("_", " ")))
    return Event(at=entry.at, text=_text(entry, said), who=entry.actor_name, icon=icon, tone=tone, exact=True)  # type: ignore[arg-type]


def _text(entry: AuditEntry, said: str) -> Rich:
    detail = entry.detail
    parts: list[Part | str] = [said]
    if version := detail.get("version"):
        parts.append(f", version {version}")
    number = str(detail.get("change_request") or "")
    if number.startswith("CR-") and number[3:].isdigit():
        parts += [", by ", Part(text=number, url=reverse("web:request", args=[int(number[3:])]))]
    if reason := detail.get("reason"):
        parts.append(f": “{reason}”")
    return [*parts, "."]
