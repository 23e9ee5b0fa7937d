"""A list as a file: the columns that are shown, all rows that fit, streamed; and on record in the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone

from mdm.errors import CorrectInput
from mdm.reading import exports
from mdm.registry import RecordType
from mdm.services import audit
from mdm.web import listing, visitor
from mdm.web.page import Link

FORMATS = {
    "csv": ("CSV", exports.CSV_TYPE),
    "xlsx": ("Excel", exports.XLSX_TYPE),
    "ndjson": ("NDJSON", exports.NDJSON_TYPE),
}
CHUNK = 2000


def links(request: HttpRequest, kind: RecordType) -> list[Link]:
    base = reverse("web:records-export", args=[kind.path])
    return [Link(title, base + visitor.changed_query(request, format=key)) for key, (title, _) in FORMATS.items()]


def answer(request: HttpRequest, kind: RecordType, found: QuerySet[Any], format_: str) -> StreamingHttpResponse:
    """The file; only plain columns are in a list, so no bank number ever is."""
    if format_ not in FORMATS:
        raise CorrectInput("A list can be exported as CSV, XLSX or NDJSON.")
    shown = listing.columns(request, kind)
    audit.record(
        action="records.exported",
        by=visitor.actor(request),
        object_type=kind.key,
        object_label=kind.plural,
        detail={"format": format_, "query": request.GET.urlencode()[:1000], "columns": [c.name for c in shown]},
    )
    rows = _rows(found.order_by(listing.order(request, kind), "pk"), [column.name for column in shown])
    headings = [column.title for column in shown]
    chunks: Iterator[bytes]
    if format_ == "csv":
        chunks = exports.csv_chunks(headings, rows)
    elif format_ == "xlsx":
        chunks = exports.xlsx_chunks(headings, rows, title=kind.plural)
    else:
        names = [column.name for column in shown]
        chunks = exports.ndjson_chunks(dict(zip(names, row, strict=True)) for row in rows)
    name = f"{kind.path}-{timezone.localdate():%Y-%m-%d}.{format_}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(chunks, content_type=FORMATS[format_][1], headers=headers)


def _rows(found: QuerySet[Any], names: list[str]) -> Iterator[tuple[Any, ...]]:
    yield from found.values_list(*names).iterator(chunk_size=CHUNK)
