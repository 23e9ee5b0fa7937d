"""The file once more with what became of each row: as received where it waits, from the source record where it went in."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any

from mdm import crypto, registry
from mdm.models import ImportJob
from mdm.reading import exports
from mdm.reading.paths import BadPath, Path, parse
from mdm.reading.spec import key_columns
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import quarantine
from mdm.services.loading import RAW
from mdm.web import import_words

CHUNK = 1000
HEAD = ("Row", "What became of it", "Record", "Why")
WORDS = {
    **import_words.NAMES,
    "staged": "Read, not applied yet",
    "open": "In quarantine",
    "resolved": "Corrected and sent again",
    "dismissed": "Left out",
}


def chunks(job: ImportJob) -> Iterator[bytes]:
    """CSV in pieces, in the order of the file. Bank numbers are masked; formulas are made harmless."""
    kind = registry.get(job.type)
    names = import_words.columns_of(kind, job.mapping)
    rows = heapq.merge(_taken_in(job, kind, names), _put_aside(job, names), key=lambda row: row[0])
    return exports.csv_chunks([*HEAD, *names], (values for _, values in rows))


def _taken_in(job: ImportJob, kind: RecordType, names: list[str]) -> Iterator[tuple[int, list[Any]]]:
    keys, places = key_columns(job.mapping), _places(kind, job.mapping.get("columns", {}))
    rows = (
        job.records.exclude(row=None).order_by("row").only("row", "key", "outcome", "golden_uid", "document", "given")
    )
    batch: list[Any] = []
    for row in rows.iterator(chunk_size=CHUNK):
        batch.append(row)
        if len(batch) == CHUNK:
            yield from _batch(kind, batch, keys, places, names)
            batch = []
    yield from _batch(kind, batch, keys, places, names)


def _batch(
    kind: RecordType, rows: list[Any], keys: tuple[str, ...], places: Mapping[str, Path], names: list[str]
) -> Iterator[tuple[int, list[Any]]]:
    codes = records.names(kind.key, {row.golden_uid for row in rows if row.golden_uid}) if rows else {}
    for row in rows:
        parts = dict(zip(keys, row.key.split("/") if len(keys) > 1 else [row.key], strict=False))
        code = codes.get(str(row.golden_uid), ("", ""))[0]
        for number, document in _told(row):
            values = [
                parts[name] if name in parts else crypto.mask(places[name].value(document)) if name in places else ""
                for name in names
            ]
            yield number, [number, WORDS.get(row.outcome, row.outcome), code, "", *values]


def _told(row: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number of the row, its values): several of one key are the periods of a dated record."""
    told = sorted((row.given or {}).get("rows", ()), key=lambda one: one["row"])
    yield from ((one["row"], {**row.document, **one}) for one in told) if told else [(row.row, row.document)]


def _places(kind: RecordType, columns: Mapping[str, str]) -> dict[str, Path]:
    """Several columns that feed one path were joined: the first of them shows it."""
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for column, text in columns.items():
        if text not in seen:
            seen.add(text)
            try:
                found[column] = parse(text, kind)
            except BadPath:
                continue
    return found


def _put_aside(job: ImportJob, names: list[str]) -> Iterator[tuple[int, list[Any]]]:
    """A corrected row is told by its source record as well; here it says that it was corrected."""
    for row in job.quarantine.select_related("job").order_by("row").iterator(chunk_size=CHUNK):
        if row.state == "resolved":
            continue
        shown = quarantine.shown(row)
        why = "; ".join(problem["message"] for problem in row.problems)
        values = [shown.get(name, "") for name in names]
        if RAW in shown and not any(values):
            why = f"{why} Received: {shown[RAW][:500]}"
        yield row.row, [row.row, WORDS[row.state], "", why, *values]
