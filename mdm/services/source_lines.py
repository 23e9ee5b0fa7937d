"""Owns source records of dated types while a file is read: rows of one key, in whatever chunk they come, are one timeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from mdm import dating, source_periods
from mdm.models import ImportJob, SourceRecord
from mdm.registry import RecordType
from mdm.source_periods import Told
from mdm.types import Document, Problem, same

FOREVER = "9999-12-31"  # what platforms write for “until further notice”


def weight(source: SourceRecord) -> int:
    """How many rows of the file a staged source record accounts for."""
    given = source.given or {}
    return max(len(given.get("rows", ())) - int(given.get("counted", 0)), 1)


@dataclass
class Line:
    """What the rows of one key make together. `counted`: rows that changed nothing and were counted as that already."""

    kind: RecordType
    before: SourceRecord | None
    ends: bool  # the file has a column for the end of a period
    document: Document = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    base: list[Document] = field(default_factory=list)
    counted: int = 0
    number: int = 0  # of the last row

    @classmethod
    def of(cls, kind: RecordType, before: SourceRecord | None, job: ImportJob) -> Line:
        line = cls(kind, before, "valid_to" in _fed(job))
        if before is None:
            return line
        given = before.given or {}
        if before.job_id == job.pk and given.get("rows"):
            line.told, line.counted = list(given["rows"]), int(given.get("counted", 0))
            line.document, line.number = before.document, before.row or 0
        if line.told or before.outcome == "staged":  # what nobody has approved yet is no base for anything
            line.base = given.get("base") or []
        elif before.golden_uid:
            line.base = before.document.get(kind.periods) or []
        return line

    def add(self, number: int, document: Document, mark: str) -> Problem | None:
        """Take one more row in; what is wrong with it beside the others. A row that was there already adds nothing."""
        if any(one["mark"] == mark for one in self.told):
            return None
        period = document[self.kind.periods][0]
        told: Told = {**period, "row": number, "mark": mark}
        told.pop("uid", None)
        if (told.get("valid_to") or "") >= FOREVER:
            told["valid_to"] = None
        if problem := self._beside(told, document):
            return problem
        self.told.append(told)
        self.number = max(self.number, number)
        today = timezone.localdate().isoformat()
        rows = source_periods.timeline(self.base, self.told, ends=self.ends, today=today)
        self.document = dating.shown(self.kind, {**document, self.kind.periods: rows}, today)
        return None

    def knows(self, mark: str) -> bool:
        return any(one["mark"] == mark for one in self.told)

    def _beside(self, told: Told, document: Document) -> Problem | None:
        always = [n for n in self.kind.document.model_fields if n not in self.kind.derived and n != self.kind.periods]
        for name in always if self.told else ():
            if not same(self.document.get(name), document.get(name)):
                words = f"Row {self.told[0]['row']} has another value here, and it holds for all periods of the key."
                return Problem(name, "differs_between_rows", words)
        if earlier := source_periods.clash(self.told, told):
            words = f"Row {earlier['row']} of the same key speaks of the same days ({_days(earlier)})."
            return Problem("valid_from", "overlap", f"{words} Give each row days of its own.")
        return None

    @property
    def given(self) -> dict[str, Any]:
        return {"rows": self.told, "base": self.base, "counted": self.counted}

    def changes_nothing(self) -> bool:
        """Whether the source says what it said before; what it shows of it on a day plays no part."""
        return self.before is not None and same(self._said(self.before.document), self._said(self.document))

    def _said(self, document: Document) -> Document:
        return {name: value for name, value in document.items() if name not in self.kind.derived}


def _fed(job: ImportJob) -> set[str]:
    return {*job.mapping.get("columns", {}).values(), *job.mapping.get("const", {})}


def _days(told: Told) -> str:
    start, end = told.get("valid_from"), told.get("valid_to")
    return f"{f'from {start}' if start else 'since ever'}{f' to {end}' if end else ''}"
