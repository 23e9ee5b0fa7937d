"""Owns what the rows of a load mean for one another, for types whose records do: judged together, before any is taken in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO
from uuid import UUID

from mdm.models import Crosswalk, ImportJob, SourceRecord, System
from mdm.reading import tables
from mdm.reading.columns import ColumnMap
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services.source_lines import Line
from mdm.types import Document, Problem


def misfits(kind: RecordType, system: System, documents: Mapping[str, Document]) -> dict[str, list[Problem]]:
    """{key: what stands against it}. A row that needs one that does not fit does not fit either."""
    if kind.across is None or not documents:
        return {}
    known = _known(kind, system, documents)
    current = records.current_documents(kind.key, list(known.values()))
    left = {key: (current.get(str(known.get(key))), document) for key, document in documents.items()}
    found: dict[str, list[Problem]] = {}
    while left:
        pairs = [(before, _after(key, before, document)) for key, (before, document) in left.items()]
        told = kind.across.problems(pairs)
        wrong = {key: told[after["uid"]] for key, (_, after) in zip(left, pairs, strict=True) if after["uid"] in told}
        if not wrong:
            break
        found |= wrong
        left = {key: pair for key, pair in left.items() if key not in wrong}
    return found


def _known(kind: RecordType, system: System, keys: Mapping[str, Document]) -> dict[str, UUID]:
    """{key: uid of the record it is a key of}."""
    mine = {"system": system, "type": kind.key, "key__in": list(keys)}
    found = dict(Crosswalk.objects.filter(**mine, active=True).values_list("key", "uid"))
    said = SourceRecord.objects.filter(**mine).exclude(golden_uid=None).values_list("key", "golden_uid")
    return found | {key: uid for key, uid in said if uid}


def _after(key: str, before: Document | None, document: Document) -> Document:
    header = before or {"uid": f"row {key}", "status": "active"}
    return {**header, **document, "uid": header["uid"], "status": header["status"]}


def of_file(job: ImportJob, kind: RecordType, mapper: ColumnMap, file: BinaryIO) -> dict[str, list[Problem]]:
    """The same for a whole file, read through before its rows are staged; {} at once for most types."""
    from mdm.services import importing, loading

    if kind.across is None:
        return {}
    with tables.read(file, limits=importing.limits()) as reader:
        taken = [(row, *loading.take(kind, mapper, row)) for row in reader]
    file.seek(0)
    said = {row.key: row for row in SourceRecord.objects.filter(system=job.system, type=kind.key)} if taken else {}
    lines: dict[str, Line] = {}
    for row, key, document, _ in taken:
        if document is not None:
            line = lines.setdefault(key, Line.of(kind, said.get(key), job))
            line.add(row.number, document, loading.row_digest(row.values))
    return misfits(kind, job.system, {key: line.document for key, line in lines.items()})
