"""Rows become records: first every row is staged or quarantined, then staged rows are resolved chunk by chunk.

A chunk is one transaction with its counts, so a killed worker loses nothing and doubles nothing: whoever goes on
starts after the last committed row. Memory is bounded by the chunk, not by the file.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from mdm import correlation, crypto, registry
from mdm.errors import CorrectInput, HubError
from mdm.models import ApprovalStep, ChangeRequest, ImportJob, Participant, QuarantinedRow, SourceRecord
from mdm.permissions import actor_of
from mdm.reading import tables
from mdm.reading.columns import ColumnMap
from mdm.reading.paths import CODE
from mdm.reading.row_facts import Spend
from mdm.registry import RecordType
from mdm.services import audit, bulk, comparisons, documents, fitting, policy, proposing, resolving, snapshots
from mdm.services.policy import Facts
from mdm.services.source_lines import Line, weight
from mdm.types import Actor, Document, Problem, digest

log = logging.getLogger(__name__)
RAW = "_raw"  # the whole line as received, kept where its columns could not be told apart
STALE = timedelta(seconds=60)  # a job without a sign of life this long belongs to nobody


def open_request(*, job: ImportJob, by: Actor, title: str) -> ChangeRequest:
    """The one change request of a load. Policy decides whether its rows may be applied at once or wait for a person."""
    decision = policy.decide(
        [
            Facts(type=job.type, action=action, paths=(), origin="import", system=job.system.code)
            for action in ("create", "update")
        ]
    )
    change = ChangeRequest.objects.create(
        title=title[:300],
        reason=f"File {job.file_name}, {job.file_bytes} bytes",
        kind="load",
        origin="import",
        state="approved" if decision.auto else "in_review",
        content_hash=digest({"job": str(job.uid), "sha256": job.file_hash, "mapping": job.mapping}),
        policies=decision.names,
        correlation_id=job.correlation_id or correlation.current(),
        requester=by.user,
        requester_name=by.name,
        import_job=job,
        submitted_at=timezone.now(),
        decided_at=timezone.now() if decision.auto else None,
    )
    if by.user:
        Participant.objects.create(request=change, person=by.user, side="maker")
    if not decision.auto:
        ApprovalStep.objects.bulk_create(
            ApprovalStep(request=change, **step) for step in policy.steps_as_json(decision)
        )
        first = min(order for order, _ in decision.steps)
        for step in change.steps.filter(order=first):
            step.state, step.due_at = "open", timezone.now() + timedelta(hours=step.sla_hours)
            step.save()
            change.due_at = step.due_at
        change.save()
    return change


def claim(job_id: int) -> ImportJob | None:
    """Take a queued job, or a running one whose process is gone; None when somebody else has it."""
    with transaction.atomic():
        job = ImportJob.objects.select_for_update(skip_locked=True).filter(pk=job_id).first()
        if job is None or job.state not in ("queued", "running"):
            return None
        if job.state == "running" and job.beat_at and job.beat_at > timezone.now() - STALE:
            return None
        job.state, job.beat_at = "running", timezone.now()
        job.started_at = job.started_at or job.beat_at
        job.save(update_fields=["state", "beat_at", "started_at"])
        return job


def run(job_id: int) -> ImportJob | None:
    """Work a job to its end, or to the point where a person must approve; safe to call again at any time."""
    job = claim(job_id)
    if job is None:
        return None
    correlation.adopt(job.correlation_id)
    try:
        if job.rows_total is None:
            _stage_all(job)
        if not _resolve_all(job):
            return job
        _finish(job, "done")
    except HubError as error:
        _finish(job, "failed", error.message)
    except Exception:
        log.exception("import %s stopped", job.uid)
        ImportJob.objects.filter(pk=job.pk).update(beat_at=None)  # the next tick takes it up again
        raise
    return job


def _finish(job: ImportJob, state: str, error: str = "") -> None:
    with transaction.atomic():
        job.refresh_from_db()
        if job.state == "cancelled":
            return
        job.state, job.error, job.finished_at = state, error, timezone.now()
        job.save(update_fields=["state", "error", "finished_at"])
        job.chunks.all().delete()
        change = ChangeRequest.objects.select_for_update().get(loads=job)
        if change.state == "approved":
            change.state, change.applied_at = ("applied" if state == "done" else "withdrawn"), timezone.now()
            change.save()
        who = Actor.system("Import")
        audit.record(
            action=f"import.{state}",
            by=actor_of(job.created_by) if job.created_by else who,
            object_type="import",
            object_uid=job.uid,
            object_label=str(job),
            detail={**job.counts, "error": error},
        )


def _alive(job: ImportJob) -> bool:
    """Say that we still work on it, and stop when somebody cancelled it."""
    if not ImportJob.objects.filter(pk=job.pk, state="running").update(beat_at=timezone.now()):
        raise CorrectInput("The import was cancelled.")
    return True


def _stage_all(job: ImportJob) -> None:
    from mdm.services import importing

    kind = registry.get(job.type)
    mapper = ColumnMap(job.mapping, kind)
    done = max(
        SourceRecord.objects.filter(job=job).aggregate(last=Max("row"))["last"] or 0,
        job.quarantine.aggregate(last=Max("row"))["last"] or 0,
    )
    number = 0
    with importing.opened(job) as copy:
        chunk: list[tables.Row] = []
        against = fitting.of_file(job, kind, mapper, copy)
        with tables.read(copy, limits=importing.limits()) as reader:
            for row in reader:
                number = row.number
                if row.number <= done:
                    continue
                chunk.append(row)
                if len(chunk) >= settings.IMPORT_CHUNK:
                    _stage(job, kind, mapper, chunk, against)
                    chunk = []
            if chunk:
                _stage(job, kind, mapper, chunk, against)
            encoding = reader.encoding  # only sure once the last byte was read
    total = sum(weight(row) for row in job.records.filter(outcome="staged").only("given").iterator(chunk_size=2000))
    job.refresh_from_db()
    job.rows_total, job.encoding = job.rows_in + total, encoding
    job.save(update_fields=["rows_total", "encoding"])
    if number == 0:
        raise CorrectInput("The file has headings but no rows.")


def row_digest(values: dict[str, str]) -> str:
    """Keyed digest of a row as received: an unkeyed one would let a guessed account number be confirmed."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False)
    return hmac.new(settings.INDEX_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


@transaction.atomic
def _stage(
    job: ImportJob, kind: RecordType, mapper: ColumnMap, rows: list[tables.Row], against: Mapping[str, list[Problem]]
) -> None:
    """One chunk: rows that can be taken in are staged, the others quarantined, the same as before counted unchanged.

    `against`: what stands against rows, by key, beside all others of the file.
    """
    _alive(job)
    if kind.periods:
        _stage_lines(job, kind, mapper, rows, against)
        return
    taken: dict[str, tuple[tables.Row, Document, str]] = {}
    gone: set[str] = set()
    spend: dict[str, Spend | None] = {}
    refused: list[QuarantinedRow] = []
    repeats: list[tuple[tables.Row, str, str]] = []
    for row in rows:
        key, document, problems = take(kind, mapper, row)
        problems, mark = problems or against.get(key, []), row_digest(row.values)
        if problems or document is None:
            refused.append(quarantined(job, row, key, problems))
        elif key in taken:
            repeats.append((row, key, mark))
        else:
            taken[key] = (row, document, mark)
            spend[key] = mapper.facts.spend(row.values)[0]
            if mapper.facts.is_gone(row.values):
                gone.add(key)
    _refuse_unknown_references(job, kind, taken, refused)
    known = {
        r.key: r for r in SourceRecord.objects.filter(system=job.system, type=kind.key, key__in=taken).defer("document")
    }
    unchanged = 0
    staged = []
    same = []
    for key, (row, document, mark) in taken.items():
        before = known.get(key)
        if before and before.job_id == job.pk and before.digest != mark:
            refused.append(quarantined(job, row, key, [twice(key)]))
        elif before and before.digest == mark and before.golden_uid and before.active != (key in gone):
            unchanged += 1
            before.job, before.row, before.outcome = job, row.number, "unchanged"
            same.append(before)
        else:
            fresh = source_of(job, kind, row, key, document, mark, before, gone=key in gone)
            staged.append(with_spend(fresh, spend[key]))
    for row, key, mark in repeats:
        if taken.get(key, (None, None, ""))[2] == mark:
            unchanged += 1
        else:
            refused.append(quarantined(job, row, key, [twice(key)]))
    # Unchanged rows are marked as seen too: a second row with their key in this file is a duplicate, not an update.
    bulk.update(same, ["job", "row", "outcome"])
    _keep_stage(job, staged, refused, unchanged)


def _stage_lines(
    job: ImportJob, kind: RecordType, mapper: ColumnMap, rows: list[tables.Row], against: Mapping[str, list[Problem]]
) -> None:
    """A chunk of a dated type: rows of one key are the periods of one source record, whichever chunk they come in."""
    refused: list[QuarantinedRow] = []
    taken: list[tuple[tables.Row, str, Document]] = []
    for row in rows:
        key, document, problems = take(kind, mapper, row)
        problems = problems or against.get(key, [])
        if problems or document is None:
            refused.append(quarantined(job, row, key, problems))
        else:
            taken.append((row, key, document))
    unknown = documents.unknown_references(kind, [document for _, _, document in taken])
    known = {
        r.key: r
        for r in SourceRecord.objects.filter(system=job.system, type=kind.key, key__in={k for _, k, _ in taken})
    }
    lines: dict[str, Line] = {}
    last: dict[str, tables.Row] = {}
    fresh: Counter[str] = Counter()
    unchanged = 0
    for row, key, document in taken:
        if unknown and (problems := documents.check_references(kind, document, unknown=unknown)):
            refused.append(quarantined(job, row, key, problems))
            continue
        line, mark = lines.get(key) or Line.of(kind, known.get(key), job), row_digest(row.values)
        if line.knows(mark):
            unchanged += 1
        elif problem := line.add(row.number, document, mark):
            refused.append(quarantined(job, row, key, [problem]))
        else:
            lines[key], last[key] = line, row
            fresh[key] += 1
    staged, same = [], []
    for key, line in lines.items():
        before, row = line.before, last[key]
        gone = mapper.facts.is_gone(row.values)
        waits = before is not None and before.outcome == "staged"
        if before and before.golden_uid and not waits and line.changes_nothing() and before.active != gone:
            line.counted += fresh[key]
            unchanged += fresh[key]
            before.job, before.row, before.outcome, before.given = job, line.number, "unchanged", line.given
            same.append(before)
            continue
        source = source_of(job, kind, row, key, line.document, row_digest(row.values), before, gone=gone)
        source.row, source.given = line.number, line.given
        staged.append(with_spend(source, mapper.facts.spend(row.values)[0]))
    bulk.update(same, ["job", "row", "outcome", "given"])
    _keep_stage(job, staged, refused, unchanged)


def _keep_stage(job: ImportJob, staged: list[SourceRecord], refused: list[QuarantinedRow], unchanged: int) -> None:
    SourceRecord.objects.bulk_create(
        staged,
        update_conflicts=True,
        unique_fields=["system", "type", "key"],
        update_fields=[
            "digest",
            "document",
            "job",
            "row",
            "outcome",
            "received_at",
            "active",
            "left_at",
            "left_why",
            "spend",
            "spend_currency",
            "given",
        ],
        batch_size=1000,
    )
    QuarantinedRow.objects.bulk_create(refused, batch_size=500)
    ImportJob.objects.filter(pk=job.pk).update(
        rows_in=F("rows_in") + unchanged + len(refused),
        unchanged=F("unchanged") + unchanged,
        quarantined=F("quarantined") + len(refused),
    )


def take(kind: RecordType, mapper: ColumnMap, row: tables.Row) -> tuple[str, Document | None, list[Problem]]:
    """One row through mapping and validation: (key, body or None, problems)."""
    if row.problem:
        return "", None, [row.problem]
    key, raw, problems = mapper.map_row(row.values)
    problems += mapper.facts.spend(row.values)[1]
    if problems:
        return key, None, list(problems)
    for path, origin in kind.inherits.items():
        name, _, column = path.partition(".")
        for child in raw.get(name) or []:
            if not child.get(column) and raw.get(origin):
                child[column] = raw[origin]
    code = raw.pop(CODE, None)
    if code is not None and not proposing.CODE.fullmatch(code):
        return key, None, [Problem(CODE, "invalid_code", proposing.CODE_WORDS)]
    try:
        document = documents.validate(kind, raw)
        return key, {**document, CODE: code} if code else document, []
    except CorrectInput as error:
        return key, None, list(error.problems)


def quarantined(job: ImportJob, row: tables.Row, key: str, problems: list[Problem]) -> QuarantinedRow:
    received = {**row.values, RAW: row.raw} if row.raw else row.values
    raw = crypto.seal_bytes(json.dumps(received, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    shown = [problem.as_json() for problem in problems]
    return QuarantinedRow(job=job, row=row.number, key=key[:100], cause=problems[0].code[:40], problems=shown, raw=raw)


def twice(key: str) -> Problem:
    return Problem("key", "duplicate_key", f"The key {key} stands twice in this file, with different content.")


def source_of(
    job: ImportJob,
    kind: RecordType,
    row: tables.Row,
    key: str,
    document: Document,
    mark: str,
    before: SourceRecord | None,
    gone: bool = False,
) -> SourceRecord:
    """The row as it is staged. `gone`: its system marks it as deleted, so it speaks last from now on."""
    now = timezone.now()
    return SourceRecord(
        system=job.system,
        type=kind.key,
        key=key,
        digest=mark,
        document=document,
        golden_uid=before.golden_uid if before else None,
        job=job,
        row=row.number,
        outcome="staged",
        received_at=now,
        active=not gone,
        left_at=now if gone else None,
        left_why="deleted" if gone else "",
    )


def with_spend(source: SourceRecord, spend: Spend | None) -> SourceRecord:
    source.spend, source.spend_currency = (spend.amount, spend.currency) if spend else (None, "")
    return source


def _refuse_unknown_references(
    job: ImportJob,
    kind: RecordType,
    taken: dict[str, tuple[tables.Row, Document, str]],
    refused: list[QuarantinedRow],
) -> None:
    """References of the whole chunk in one query per type: each body is asked only for values found unknown."""
    unknown = documents.unknown_references(kind, [document for _, document, _ in taken.values()])
    if not unknown:
        return
    for key, (row, document, _) in list(taken.items()):
        problems = documents.check_references(kind, document, unknown=unknown)
        if problems:
            refused.append(quarantined(job, row, key, problems))
            del taken[key]


def _resolve_all(job: ImportJob) -> bool:
    """Resolve what is staged; False when the load waits for approval."""
    change = ChangeRequest.objects.get(loads=job)
    if change.state == "in_review":
        ImportJob.objects.filter(pk=job.pk).update(state="queued", beat_at=None)
        return False
    if change.state != "approved":
        raise CorrectInput(f"The request {change.number} was {change.state}: its rows are kept and not applied.")
    by = actor_of(job.created_by) if job.created_by else Actor.system("Import")
    resolver = resolving.Resolver(job=job, change=change, by=by)
    while True:
        if resolver.kind.match:
            snapshots.refresh_if_grown(resolver.kind.key, load=job, beat=lambda *_: _alive(job))
        while comparisons.work_off():  # what the chunk before has changed
            _alive(job)
        with transaction.atomic():
            _alive(job)
            rows = list(SourceRecord.objects.filter(job=job, outcome="staged").order_by("row")[: settings.IMPORT_CHUNK])
            if not rows:
                return True
            counts = resolver.resolve(rows)
            ImportJob.objects.filter(pk=job.pk).update(
                rows_in=F("rows_in") + sum(weight(row) for row in rows),
                **{name: F(name) + number for name, number in counts.items() if number},
            )
