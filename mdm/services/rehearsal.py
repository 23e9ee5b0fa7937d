"""Before an import starts: its mapping is kept, and a rehearsal tells what would become of its first rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from mdm import registry
from mdm.errors import NotNow
from mdm.models import ChangeRequest, ImportJob, SourceRecord
from mdm.reading import tables
from mdm.reading.columns import ColumnMap
from mdm.registry import RecordType
from mdm.services import documents, fitting, importing, loading, resolving
from mdm.services.resolving import Plan
from mdm.services.source_lines import Line
from mdm.types import Actor, Document, Problem

ROWS = 500  # enough to see what a mapping does, few enough to wait for


@dataclass
class Rehearsal:
    """Counts as an import has them; `complete` when the file has no more rows than were looked at."""

    rows: int = 0
    complete: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[int, str, Problem]] = field(default_factory=list)  # row, key, first problem
    rows_of: dict[str, Line] = field(default_factory=dict)  # of dated types: the rows of each key


@transaction.atomic
def keep_mapping(*, job: ImportJob, mapping: Mapping[str, Any], by: Actor) -> ImportJob:
    """Keep what was chosen so far, right or not: it is checked when the import starts."""
    job = ImportJob.objects.select_for_update().get(pk=job.pk)
    if job.state != "uploaded":
        raise NotNow("This import was started already.")
    job.mapping = dict(mapping)
    job.save(update_fields=["mapping"])
    return job


def rehearse(*, job: ImportJob, mapping: Mapping[str, Any], by: Actor, limit: int = ROWS) -> Rehearsal:
    """What would become of the first rows, by the steps of a real run; nothing of it is kept."""
    kind = registry.get(job.type)
    found = Rehearsal()
    taken = _take(job, kind, ColumnMap(mapping, kind), limit, found)
    with transaction.atomic():
        found.counts += _Rehearser(job=job, change=ChangeRequest(), by=by).foresee(taken, found.rows_of)
        transaction.set_rollback(True)
    return found


def _take(
    job: ImportJob, kind: RecordType, mapper: ColumnMap, limit: int, found: Rehearsal
) -> dict[str, tuple[tables.Row, Document]]:
    taken: dict[str, tuple[tables.Row, Document]] = {}
    lines: dict[str, Line] = {}
    with importing.opened(job) as copy, tables.read(copy, limits=importing.limits()) as reader:
        for row in reader:
            if found.rows == limit:
                found.complete = False
                break
            found.rows += 1
            key, document, problems = loading.take(kind, mapper, row)
            if document is not None and kind.periods:
                _take_line(job, kind, lines, taken, row, key, document, found)
            elif document is not None and key in taken:
                if taken[key][0].values == row.values:
                    found.counts["unchanged"] += 1
                else:
                    _refuse(found, row, key, [loading.twice(key)])
            elif document is None:
                _refuse(found, row, key, problems)
            else:
                taken[key] = (row, document)
    unknown = documents.unknown_references(kind, [document for _, document in taken.values()])
    for key, (row, document) in list(taken.items()):
        if unknown and (problems := documents.check_references(kind, document, unknown=unknown)):
            _refuse(found, row, key, problems, rows=len(lines[key].told) if key in lines else 1)
            del taken[key]
    if found.complete:
        against = fitting.misfits(kind, job.system, {key: document for key, (_, document) in taken.items()})
        for key, problems in against.items():
            _refuse(found, taken.pop(key)[0], key, problems, rows=len(lines[key].told) if key in lines else 1)
    return taken


def _take_line(
    job: ImportJob,
    kind: RecordType,
    lines: dict[str, Line],
    taken: dict[str, tuple[tables.Row, Document]],
    row: tables.Row,
    key: str,
    document: Document,
    found: Rehearsal,
) -> None:
    """A row of a dated type beside the others of its key."""
    if key not in lines:
        before = SourceRecord.objects.filter(system=job.system, type=kind.key, key=key).first()
        lines[key] = Line.of(kind, before, job)
    line, mark = lines[key], loading.row_digest(row.values)
    if line.knows(mark):
        found.counts["unchanged"] += 1
    elif problem := line.add(row.number, document, mark):
        _refuse(found, row, key, [problem])
    else:
        taken[key] = (row, line.document)
        found.rows_of[key] = line


def _refuse(found: Rehearsal, row: tables.Row, key: str, problems: Sequence[Problem], *, rows: int = 1) -> None:
    found.counts["quarantined"] += rows
    found.problems.append((row.number, key, problems[0]))


class _Rehearser(resolving.Resolver):
    """Walks the steps of a run and stops before each write."""

    def foresee(self, taken: Mapping[str, tuple[tables.Row, Document]], lines: Mapping[str, Line]) -> Counter[str]:
        known = {
            source.key: source
            for source in SourceRecord.objects.filter(system=self.job.system, type=self.kind.key, key__in=taken).defer(
                "document"
            )
        }
        counts: Counter[str] = Counter()
        staged = []
        for place, (key, (row, document)) in enumerate(taken.items(), 1):
            before = known.get(key)
            line = lines.get(key)
            if before and before.golden_uid and line and line.changes_nothing():
                counts["unchanged"] += len(line.told)
            elif before and before.golden_uid and not line and before.digest == loading.row_digest(row.values):
                counts["unchanged"] += 1
            else:
                staged.append(self._stage(key, row, document, before, place))
                staged[-1].given = line.given if line else {}
        plan = Plan()
        self._place_by_matching(self._place_known(staged, plan), plan)
        self._write_existing(plan, timezone.now())
        return counts + resolving.counted(plan, staged)

    def _stage(
        self, key: str, row: tables.Row, document: Document, before: SourceRecord | None, place: int
    ) -> SourceRecord:
        source = loading.source_of(self.job, self.kind, row, key, document, "", before)
        source.pk = before.pk if before else -place  # a row of its own where nothing is stored yet
        return source

    def _apply(self, writes: list[Any], now: datetime) -> None:
        """Nothing is written."""

    def _ask(self, one: Any) -> None:
        """Nobody is asked."""
