"""Rows that could not be taken in: shown as received, edited, resubmitted, or dismissed with a reason."""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mdm import crypto, registry
from mdm.errors import CorrectInput, NotNow
from mdm.logs import redact
from mdm.models import ImportJob, QuarantinedRow, SourceRecord
from mdm.reading import columns
from mdm.reading.columns import ColumnMap
from mdm.reading.json_lines import read_row
from mdm.reading.tables import Row
from mdm.services import audit, documents, importing, loading
from mdm.types import Actor

CUT = "…[cut here]"  # how reading marks a value it kept only in part


def values_of(row: QuarantinedRow) -> dict[str, str]:
    """The row as it was received, column by column; for the one who corrects it."""
    values: dict[str, str] = json.loads(crypto.open_bytes(row.raw))
    return values


def shown(row: QuarantinedRow) -> dict[str, str]:
    """As received, with the columns that hold bank numbers masked: a mask sent back means unchanged."""
    secret = secret_columns(row.job)
    values = {name: _mask(value) if name in secret else value for name, value in values_of(row).items()}
    if loading.RAW in values:
        # A line nobody could split may hold a bank number anywhere.
        values[loading.RAW] = redact(values[loading.RAW])
    return values


def secret_columns(job: ImportJob) -> set[str]:
    return columns.secret_columns(job.mapping, registry.get(job.type))


def _mask(value: str) -> str:
    number = crypto.normalise_number(value)
    return f"{number[:4]}…{number[-4:]}" if len(number) > 8 else "…" if number else ""


@transaction.atomic
def resubmit(*, row: QuarantinedRow, values: dict[str, str], by: Actor) -> QuarantinedRow:
    """Take the corrected row in. CorrectInput tells what is still wrong; then the row stays as it was."""
    row = QuarantinedRow.objects.select_for_update().select_related("job__system").get(pk=row.pk)
    if row.state != "open":
        raise NotNow("This row was settled already.")
    job = row.job
    if job.state not in ("done", "failed"):
        raise NotNow("Wait until the import is done, then correct its rows.")
    received = values_of(row)
    secret = secret_columns(job)
    if job.format == "ndjson" and loading.RAW in values:
        # A broken line is corrected as a line: what it says now replaces everything.
        again = read_row(values.pop(loading.RAW), importing.limits(), number=row.row)
        if again.problem:
            raise CorrectInput(again.problem.message, problems=[again.problem])
        received, values = {}, {**again.values, **values}
    merged = {
        **received,
        **{k: v for k, v in values.items() if not (k in secret and v == _mask(received.get(k, "")))},
    }
    merged.pop(loading.RAW, None)
    if any(value.endswith(CUT) for value in merged.values()):
        raise CorrectInput(
            "A value of this row was too long and is kept only in part: give it whole, or shorter."
        )
    kind = registry.get(job.type)
    key, document, problems = loading.take(kind, ColumnMap(job.mapping, kind), Row(row.row, merged, None))
    if document is not None:
        problems = documents.check_references(kind, document)
    if problems or document is None:
        raise CorrectInput("The row still has problems.", problems=problems)
    _take_in(row, job, key, document, merged, by)
    return row


def _take_in(
    row: QuarantinedRow, job: ImportJob, key: str, document: Any, values: dict[str, str], by: Actor
) -> None:
    kind = registry.get(job.type)
    before = SourceRecord.objects.filter(system=job.system, type=kind.key, key=key).first()
    if before and before.job_id == job.pk:
        text = f"The key {key} was taken in with another row of this file. Give this row its own key, or dismiss it."
        raise CorrectInput(text, problems=[loading._twice(key)])
    source, _ = SourceRecord.objects.update_or_create(
        system=job.system,
        type=kind.key,
        key=key,
        defaults={
            "digest": loading.row_digest(values),
            "document": document,
            "job": job,
            "row": row.row,
            "outcome": "staged",
            "received_at": timezone.now(),
        },
    )
    job.change = loading.open_request(job=job, by=by, title=f"Row {row.row} of {job.file_name}, corrected")
    ImportJob.objects.filter(pk=job.pk).update(
        change=job.change,
        state="queued",
        quarantined=F("quarantined") - 1,
        rows_in=F("rows_in") - 1,
        finished_at=None,
    )
    row.state, row.resolved_by, row.resolved_at = "resolved", by.name, timezone.now()
    row.save()
    audit.record(
        action="quarantine.resubmitted",
        by=by,
        object_type="import",
        object_uid=job.uid,
        object_label=str(job),
        detail={"row": row.row, "key": source.key, "columns": sorted(values)},
    )
    importing.ring(job)


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
