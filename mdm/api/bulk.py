"""Bulk proposals: NDJSON documents or CSV rows as one body become an import job."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from django.conf import settings
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api import bodies
from mdm.api.import_shapes import ImportBody
from mdm.api.imports import ImportView, spool
from mdm.api.operations import Answer, Operation, Query, Upload, operation
from mdm.errors import CorrectInput
from mdm.reading import row_facts, tables
from mdm.reading.json_lines import flatten
from mdm.reading.paths import BadPath, parse
from mdm.registry import RecordType
from mdm.types import Problem

CSV = "text/csv"
NDJSON = ("application/x-ndjson", "application/jsonl")
_OWN = ("system", "key")
_MOST_NAMES = 2000  # distinct fields in one body


class BulkQuery(Query):
    system: str | None = Field(
        None, max_length=40, description="System the rows come from; NDJSON lines may say it themselves, all the same."
    )
    file_name: str | None = Field(None, max_length=255, description="A name to find it by.")


class Bulk(ImportView):
    kind: RecordType

    @operation(
        "Propose many {type} records in one body",
        scope="propose:{type}",
        query=BulkQuery,
        body=Upload(None, (*NDJSON, CSV)),
        answers={202: Answer(ImportBody, headers=("Location",))},
        max_bytes=settings.IMPORT_MAX_BYTES,
        id="{type}_bulk",
        notes="NDJSON: a document a line, with `key` and `system`. CSV: with the column mapping kept for the system.",
    )
    def post(self, request: Request) -> Response:
        system, mapping = self.query.system, None
        if bodies.media_of(request) != CSV:
            found, mapping = describe(self.kind, self.stream)
            system = self._one_system(found)
        if not system:
            text = "Say which system the rows come from."
            raise CorrectInput(text, problems=[Problem("system", "missing", text)])
        ending = "csv" if mapping is None else "ndjson"
        name = self.query.file_name or f"bulk.{ending}"
        return self.accept(
            system=system, type_=self.kind.key, name=name, stream=self.stream, mapping=mapping, remember=mapping is None
        )

    def _one_system(self, found: set[str]) -> str | None:
        named = found | ({self.query.system} if self.query.system else set())
        if len(named) > 1:
            text = "All lines of one call come from one system: " + ", ".join(sorted(named))[:200]
            raise CorrectInput(text, problems=[Problem("system", "several_systems", text)])
        return next(iter(named), None)

    def read_upload(self, request: Request, spec: Operation) -> None:
        bodies.check_media(request, spec)
        self.stream, digest = spool(request, spec.max_bytes or settings.IMPORT_MAX_BYTES)
        request._mdm_upload_digest = digest  # type: ignore[attr-defined]


def describe(kind: RecordType, stream: BinaryIO) -> tuple[set[str], dict[str, Any]]:
    """The systems the lines name, and the mapping by which their fields are what they are called.

    A field the document does not have refuses the whole body: to leave it out would lose what was sent.
    """
    systems: set[str] = set()
    names: dict[str, None] = {}
    for row in tables.read_documents(stream):
        if row.problem:
            continue  # this line goes to quarantine
        if isinstance(row.document.get("system"), str):
            systems.add(row.document["system"])
        names |= dict.fromkeys(flatten(row.document))
        if len(names) > _MOST_NAMES:
            raise CorrectInput(f"The lines have more than {_MOST_NAMES} different fields.")
    stream.seek(0)
    columns = {name: _path(name) for name in names if name not in _OWN}
    unknown = [name for name, path in columns.items() if not _is_known(kind, path)]
    if unknown:
        words = "There is no such field."
        raise CorrectInput(words, problems=[Problem(_shown(name), "extra_forbidden", words) for name in unknown[:100]])
    return systems, {"key": "key", "columns": columns}


def _path(name: str) -> str:
    """`addresses.0.lines.1` as mappings write it: `addresses[0].lines[1]`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", name)


def _shown(name: str) -> str:
    return name.replace(".", "/")[:200]


def _is_known(kind: RecordType, path: str) -> bool:
    if path in row_facts.paths(kind):
        return True
    try:
        parse(path, kind)
    except BadPath:
        return False
    return True
