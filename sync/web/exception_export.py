"""Exceptions as a file: what the list shows, all of it, streamed; and on record in the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from mdm.errors import CorrectInput
from mdm.reading import exports
from mdm.services import audit
from mdm.web import visitor
from sync.models import ExceptionItem
from sync.selectors import exception_views

FORMATS = {"csv": ("CSV", exports.CSV_TYPE), "xlsx": ("Excel", exports.XLSX_TYPE)}
HEADINGS = (
    "target", "record", "uid", "version", "state", "code", "field", "path", "words", "value", "hint", "owner", "assignee",
    "opened", "due", "overdue", "closed", "closed_by", "note", "delivery", "corrected_by",
)  # fmt: skip


def answer(request: HttpRequest, rows: QuerySet[ExceptionItem]) -> StreamingHttpResponse:
    format_ = request.GET.get("format", "csv")
    if format_ not in FORMATS:
        raise CorrectInput("Exceptions can be exported as CSV or XLSX.")
    audit.record(
        action="exceptions.exported", by=visitor.actor(request), object_type="exception", object_label="Exceptions",
        detail={"format": format_, "query": request.GET.urlencode()[:1000]},
    )  # fmt: skip
    lines = _lines(rows.order_by("-pk"))
    chunks = (
        exports.csv_chunks(HEADINGS, lines)
        if format_ == "csv"
        else exports.xlsx_chunks(HEADINGS, lines, title="Exceptions")
    )
    name = f"exceptions-{timezone.localdate():%Y-%m-%d}.{format_}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(chunks, content_type=FORMATS[format_][1], headers=headers)


def _lines(rows: QuerySet[ExceptionItem]) -> Iterator[tuple[Any, ...]]:
    for item in rows.iterator(chunk_size=500):
        corrected = item.delivery.corrected_by
        yield (
            item.target.code, item.label, str(item.record), item.delivery.version, item.state, item.code, item.field,
            item.path, item.words, item.value, exception_views.hint_of(item), item.owner_role,
            item.assignee.get_username() if item.assignee else "", item.opened_at, item.due_at,
            exception_views.is_overdue(item), item.closed_at, item.closed_by, item.note, str(item.delivery.uid),
            str(corrected.uid) if corrected else "",
        )  # fmt: skip
