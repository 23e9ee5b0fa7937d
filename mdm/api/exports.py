"""Exports: all records of a type that a filter leaves, streamed as CSV, XLSX or NDJSON, masked like everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Literal

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from pydantic import BaseModel, Field, create_model
from rest_framework.request import Request

from mdm.api import documents, filters
from mdm.api.operations import Answer, Moment, Query, operation
from mdm.api.records import RecordView, versions_at
from mdm.models import RecordVersion
from mdm.reading import exports
from mdm.registry import RecordType
from mdm.types import Document

CHUNK = 1000
_TYPES = {"csv": exports.CSV_TYPE, "xlsx": exports.XLSX_TYPE, "ndjson": exports.NDJSON_TYPE}


class ExportQuery(Query):
    format: Literal["csv", "xlsx", "ndjson"] = "csv"
    known_at: Moment | None = Field(None, description="As the hub knew it then; only with filters on uid and status.")


@lru_cache(maxsize=64)
def query_shape(kind: RecordType) -> type[BaseModel]:
    """The filters of the list, without its paging."""
    listed = filters.query_shape(kind).model_fields
    paging = ("page_size", "cursor", "count", "ordering", "known_at")
    fields: dict[str, Any] = {name: (info.annotation, info) for name, info in listed.items() if name not in paging}
    shape: type[BaseModel] = create_model(f"{kind.key.title().replace('_', '')}Export", __base__=ExportQuery, **fields)
    return shape


class Export(RecordView):
    @operation(
        "Export {type} records",
        scope="read:{type}",
        query=query_shape,
        answers={
            200: Answer(
                None, "The file.", ("Content-Disposition",), tuple(t.partition(";")[0] for t in _TYPES.values())
            )
        },
        id="{type}_export",
        notes="Streamed; texts that a spreadsheet would take for a formula are made harmless.",
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        fields = documents.fields_of(self.kind, self.query.fields)
        rows = self._known() if self.query.known_at else self._current()
        shown = self._documents(rows, fields)
        response = StreamingHttpResponse(self._chunks(shown, fields), content_type=_TYPES[self.query.format])
        day = timezone.localdate().isoformat()
        response["Content-Disposition"] = f'attachment; filename="{self.kind.path}-{day}.{self.query.format}"'
        return response

    def _current(self) -> QuerySet[Any]:
        rows = filters.apply(self.kind, self.query, self.entities)
        return documents.with_document(rows).order_by("pk")

    def _known(self) -> QuerySet[Any]:
        asked = filters.given(self.kind, self.query)
        return versions_at(self.kind, self.query.known_at, asked, self.query, self.entities).order_by("uid")

    def _documents(self, rows: QuerySet[Any], fields: Any) -> Iterator[Document]:
        for row in rows.iterator(chunk_size=CHUNK):
            if isinstance(row, RecordVersion):
                yield documents.present_version(self.kind, row, self.entities, fields)
            else:
                yield documents.present_row(self.kind, row, self.entities, fields)

    def _chunks(self, shown: Iterator[Document], fields: Any) -> Iterator[bytes]:
        if self.query.format == "ndjson":
            return exports.ndjson_chunks(shown)
        headings = [
            n for n in (*documents.HEADER, *self.kind.document.model_fields) if not fields or n in fields or n == "uid"
        ]
        write: Callable[..., Iterator[bytes]] = (
            exports.csv_chunks if self.query.format == "csv" else exports.xlsx_chunks
        )
        return write(headings, ([document.get(name) for name in headings] for document in shown))
