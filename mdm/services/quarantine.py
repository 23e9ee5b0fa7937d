"""Rows that could not be taken in: shown as received, edited, resubmitted, or dismissed with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mdm import crypto, registry
from mdm.errors import CorrectInput, HubError, NotNow
from mdm.logs import redact
from mdm.models import ImportJob, QuarantinedRow, SourceRecord
from mdm.reading import columns
from mdm.reading.columns import ColumnMap
from mdm.reading.json_lines import read_row
from mdm.reading.row_facts import Spend
from mdm.reading.tables import Row
from mdm.registry import RecordType
from mdm.services import audit, documents, fitting, importing, loading
from mdm.services.source_lines import Line
from mdm.types import Actor, Document

_LONG_NUMBER = re.compile(r"\d(?:[ .\-/]?\d){6,}")
CUT = "…[cut here]"  # how reading marks a value it kept only in part


def values_of(row: QuarantinedRow) -> dict[str, str]:
    """The row as it was received, column by column; for the one who corrects it."""
    values: dict[str, str] = json.loads(crypto.open_bytes(row.raw))
    return values


def shown(row: QuarantinedRow) -> dict[str, str]:
    """As received, with the columns that hold bank numbers masked: a mask sent back means unchanged."""
    secret, received = secret_columns(row.job), values_of(row)
    # A line nobody could split may hold a bank number anywhere, also in a column that is none of its own.
    other = _mask_long_numbers if loading.RAW in received else str
    return {name: _mask(value) if name in secret else other(value) for name, value in received.items()}


def secret_columns(job: ImportJob) -> set[str]:
    return columns.secret_columns(job.mapping, registry.get(job.type))


def _mask_long_numbers(text: str) -> str:
    return _LONG_NUMBER.sub(lambda found: _mask(found[0]), redact(text))


def _mask(value: str) -> str:
    number = crypto.normalise_number(value)
    return "…".join(crypto.shown_of(number)) if number else ""


@transaction.atomic
def resubmit(*, row: QuarantinedRow, values: dict[str, str], by: Actor) -> QuarantinedRow:
    """Take the corrected row in. CorrectInput tells what is still wrong; then the row stays as it was."""
    return _take_in([_corrected(_locked(row), values)], by)[0]


def resubmit_many(
    *, corrections: Mapping[QuarantinedRow, dict[str, str]], by: Actor
) -> tuple[list[QuarantinedRow], dict[QuarantinedRow, HubError]]:
    """Several rows of one import at once, under one request: (taken in, what is still wrong with the others)."""
    refused: dict[QuarantinedRow, HubError] = {}
    with transaction.atomic():
        ready: list[Corrected] = []
        for row, values in corrections.items():
            try:
                ready.append(_corrected(_locked(row), values, {one.key for one in ready}))
            except HubError as error:
                refused[row] = error
        return _take_in(ready, by) if ready else [], refused


@dataclass(frozen=True)
class Corrected:
    """A row that can be taken in now."""

    row: QuarantinedRow
    key: str
    document: Document
    values: dict[str, str]
    spend: Spend | None
    given: dict[str, Any]


def _locked(row: QuarantinedRow) -> QuarantinedRow:
    row = (
        QuarantinedRow.objects.select_for_update(of=("self", "job"))  # two people must not queue it twice
        .select_related("job__system")
        .get(pk=row.pk)
    )
    if row.state != "open":
        raise NotNow("This row was settled already.")
    if row.job.state not in ("done", "failed"):
        raise NotNow("Wait until the import is done, then correct its rows.")
    return row


def _corrected(row: QuarantinedRow, values: dict[str, str], taken: Container[str] = ()) -> Corrected:
    """The row with the new values through mapping, validation and references. `taken`: keys of rows beside it."""
    job, kind = row.job, registry.get(row.job.type)
    merged = _merged(row, dict(values))
    mapper = ColumnMap(job.mapping, kind)
    key, document, problems = loading.take(kind, mapper, Row(row.row, merged, None))
    if document is not None:
        problems = documents.check_references(kind, document) or fitting.misfits(kind, job.system, {key: document}).get(
            key, []
        )
    if problems or document is None:
        raise CorrectInput("The row still has problems.", problems=problems)
    before = SourceRecord.objects.filter(system=job.system, type=kind.key, key=key).first()
    if kind.periods and key not in taken:
        return _as_period(row, kind, key, document, merged, before, mapper)
    if (before and before.job_id == job.pk) or key in taken:
        text = f"The key {key} was taken in with another row of this file. Give this row its own key, or dismiss it."
        raise CorrectInput(text, problems=[loading.twice(key)])
    return Corrected(row, key, document, merged, mapper.facts.spend(merged)[0], {})


def _as_period(
    row: QuarantinedRow,
    kind: RecordType,
    key: str,
    document: Document,
    values: dict[str, str],
    before: SourceRecord | None,
    mapper: ColumnMap,
) -> Corrected:
    """A row of a dated type joins the others of its key; those were counted already."""
    line = Line.of(kind, before, row.job)
    line.counted = len(line.told)
    if problem := line.add(row.row, document, loading.row_digest(values)):
        raise CorrectInput("The row still has problems.", problems=[problem])
    return Corrected(row, key, line.document, values, mapper.facts.spend(values)[0], line.given)


def _merged(row: QuarantinedRow, values: dict[str, str]) -> dict[str, str]:
    """The row as received with the corrections; a mask sent back means unchanged."""
    received, seen = values_of(row), shown(row)
    if row.job.format == "ndjson" and loading.RAW in values:
        # A broken line is corrected as a line: what it says now replaces everything.
        again = read_row(values.pop(loading.RAW), importing.limits(), number=row.row)
        if again.problem:
            raise CorrectInput(again.problem.message, problems=[again.problem])
        received, seen, values = {}, {}, {**again.values, **values}
    merged = {**received, **{name: value for name, value in values.items() if value != seen.get(name)}}
    merged.pop(loading.RAW, None)
    if any(value.endswith(CUT) for value in merged.values()):
        raise CorrectInput("A value of this row was too long and is kept only in part: give it whole, or shorter.")
    return merged


def _take_in(rows: Sequence[Corrected], by: Actor) -> list[QuarantinedRow]:
    """Stage the rows under one request and queue their import again."""
    job = rows[0].row.job
    for one in rows:
        SourceRecord.objects.update_or_create(
            system=job.system,
            type=job.type,
            key=one.key,
            defaults={
                "digest": loading.row_digest(one.values),
                "document": one.document,
                "job": job,
                "row": one.row.row,
                "outcome": "staged",
                "received_at": timezone.now(),
                "spend": one.spend.amount if one.spend else None,
                "spend_currency": one.spend.currency if one.spend else "",
                "given": one.given,
            },
        )
    what = f"Row {rows[0].row.row}" if len(rows) == 1 else f"{len(rows)} rows"
    job.change = loading.open_request(job=job, by=by, title=f"{what} of {job.file_name}, corrected")
    ImportJob.objects.filter(pk=job.pk).update(
        change=job.change,
        state="queued",
        quarantined=F("quarantined") - len(rows),
        rows_in=F("rows_in") - len(rows),
        finished_at=None,
    )
    for one in rows:
        one.row.state, one.row.resolved_by, one.row.resolved_at = "resolved", by.name, timezone.now()
        one.row.save()
        audit.record(
            action="quarantine.resubmitted",
            by=by,
            object_type="import",
            object_uid=job.uid,
            object_label=str(job),
            detail={"row": one.row.row, "key": one.key, "columns": sorted(one.values)},
        )
    importing.ring(job)
    return [one.row for one in rows]


@transaction.atomic
def dismiss(*, row: QuarantinedRow, reason: str, by: Actor) -> QuarantinedRow:
    """Leave the row out for good; it stays on record with the reason."""
    if not reason.strip():
        raise CorrectInput("Say why this row is left out.")
    row = QuarantinedRow.objects.select_for_update().get(pk=row.pk)
    if row.state != "open":
        raise NotNow("This row was settled already.")
    row.state, row.resolved_by, row.resolved_at = "dismissed", by.name, timezone.now()
    row.save()
    audit.record(
        action="quarantine.dismissed",
        by=by,
        object_type="import",
        object_uid=row.job.uid,
        object_label=str(row.job),
        detail={"row": row.row, "reason": reason},
    )
    return row
