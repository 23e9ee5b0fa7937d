"""ColumnMap: one system's columns become documents. Checked and compiled once, then a few microseconds per
row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mdm.errors import CorrectInput
from mdm.reading import row_facts
from mdm.reading.guessing import guess, known_paths
from mdm.reading.paths import BadPath, Path, parse
from mdm.reading.placing import Placing, Put
from mdm.reading.row_facts import RowFacts
from mdm.reading.spec import Spec, check_shape, key_columns, paths_by_column, secret_columns
from mdm.reading.values import CASTS, BadValue
from mdm.registry import RecordType
from mdm.types import Document, Problem

__all__ = ["ColumnMap", "check", "guess", "known_paths", "paths_by_column", "secret_columns"]

KEY_JOIN = "/"
KEY_LENGTH = 100
ANY, KEEP = "*", "="  # values: {"*": "="} keeps every value the table does not name
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_MISSING: Any = object()


@dataclass(slots=True)
class _Step:
    """Everything that leads to one path."""

    path: Path
    columns: frozenset[str]
    only: str  # the one column, where there is one
    table: dict[str, Any] | None
    folded: dict[str, Any]
    ours: frozenset[str]
    cast: Any
    put: Put


def check(spec: Spec, kind: RecordType, columns: Iterable[str], *, partial: bool = False) -> list[Problem]:
    """Mistakes of a spec, and what it asks for that a file lacks. `partial`: rows leave empty columns out
    (NDJSON).
    """
    try:
        return ColumnMap(spec, kind).check(columns, partial=partial)
    except CorrectInput as error:
        return list(error.problems)


class ColumnMap:
    """Columns that lead to one path are joined with a blank, in the order of the row.

    CorrectInput lists every mistake of the spec at once.
    """

    def __init__(self, spec: Spec, kind: RecordType) -> None:
        self.kind = kind
        self.spec = spec
        self.problems = check_shape(spec)
        self._paths: dict[str, Path] = {}
        self._stop_at_problems()
        self.key_columns = key_columns(spec)
        self.facts = RowFacts(spec, kind)
        self._fact_paths = frozenset(row_facts.paths(kind))
        feeds = self._feeds()
        consts = self._consts()
        tables = self._tables(feeds)
        self._stop_at_problems()
        self._require_fields(feeds, consts)
        self._stop_at_problems()
        self._placing = Placing(consts.items())
        self._steps = [self._step(text, names, tables.get(text)) for text, names in feeds.items()]

    def check(self, columns: Iterable[str], *, partial: bool = False) -> list[Problem]:
        """What the mapping reads and the file lacks: errors where no row could be taken in, else warnings.

        A warning matters too: a column read as empty blanks its field in every record.
        """
        present = set(columns)
        problems = [
            Problem(f"key.{name}", "missing_column", f"The file has no column “{name}”, which holds the key.")
            for name in self.key_columns
            if name not in present
        ]
        for step in self._steps:
            absent = sorted(step.columns - present)
            needed = self._is_required(step.path) and len(absent) == len(step.columns)
            if absent and (needed or not partial):
                words = f"The file has no column “{'”, “'.join(absent)}” (for {step.path.text})."
                severity: Literal["error", "warning"] = "error" if needed else "warning"
                problems.append(Problem(f"columns.{absent[0]}", "missing_column", words, severity))
        return problems

    def columns_for(self, path: str) -> tuple[str, ...]:
        """The columns behind the path of a problem (`bank_accounts/0/iban`, `payment_terms`, `key`)."""
        names = [part for part in re.split(r"[/.\[\]]+", path) if part.isidentifier()]
        if names[:1] == ["key"]:
            return self.key_columns
        found: set[str] = set()
        for step in self._steps:
            child, field = step.path.child, step.path.field
            if names[:1] == [child or field] and (not child or field in names[1:]):
                found |= step.columns
        return tuple(name for name in self.spec.get("columns", {}) if name in found)

    def map_row(self, values: Mapping[str, str]) -> tuple[str, Document, list[Problem]]:
        """(key, document, problems). With a problem the document lacks that value; the caller puts the row
        aside.
        """
        problems: list[Problem] = []
        key = self._key(values, problems)
        document, children = self._placing.begin()
        for step in self._steps:
            if step.only:
                raw = values.get(step.only)
                if not raw or not (raw := raw.strip()):
                    continue
            else:
                texts = [text.strip() for name, text in values.items() if name in step.columns]
                if not (raw := " ".join(filter(None, texts))):
                    continue
            value = raw if step.table is None and step.cast is None else _convert(step, raw, problems)
            if value is not None and value != "":
                step.put(document, children, value)
        self._placing.finish(document, children)
        return key, document, problems

    def _key(self, values: Mapping[str, str], problems: list[Problem]) -> str:
        parts = [values.get(name, "").strip() for name in self.key_columns]
        key = KEY_JOIN.join(parts)
        if not all(parts):
            name = self.key_columns[parts.index("")]
            problems.append(Problem("key", "missing_key", f"The key is missing: column “{name}” is empty."))
            return ""
        if len(key) > KEY_LENGTH:
            problems.append(Problem("key", "invalid_key", f"The key has more than {KEY_LENGTH} characters."))
            return ""
        if _CONTROL.search(key):
            problems.append(Problem("key", "invalid_key", "Remove the control characters from the key."))
            return ""
        return key

    def _feeds(self) -> dict[str, list[str]]:
        """path → the columns that lead to it."""
        feeds: dict[str, list[str]] = {}
        for column, text in self.spec.get("columns", {}).items():
            if text not in self._fact_paths and self._knows(text, f"columns.{column}"):
                feeds.setdefault(text, []).append(column)
        return feeds

    def _consts(self) -> dict[Path, Any]:
        return {
            self._paths[text]: value
            for text, value in self.spec.get("const", {}).items()
            if text != row_facts.CURRENCY and self._knows(text, f"const.{text}") and value is not None and value != ""
        }

    def _tables(self, feeds: dict[str, list[str]]) -> Mapping[str, Mapping[str, Any]]:
        tables: Mapping[str, Mapping[str, Any]] = self.spec.get("values", {})
        for text in tables:
            if self._knows(text, f"values.{text}") and text not in feeds:
                self.problems.append(Problem(f"values.{text}", "not_mapped", f"No column is mapped to {text}."))
        return tables

    def _knows(self, text: str, where: str) -> bool:
        if text not in self._paths:
            try:
                self._paths[text] = parse(text, self.kind)
            except BadPath as error:
                self.problems.append(Problem(where, "unknown_path", str(error)))
                return False
        return True

    def _require_fields(self, feeds: dict[str, list[str]], consts: dict[Path, Any]) -> None:
        given = {path.field for path in [*(self._paths[text] for text in feeds), *consts] if not path.child}
        lists = {child.name for child in self.kind.children}
        for name, info in self.kind.document.model_fields.items():
            if info.is_required() and name not in given and name not in lists:
                words = f"Map a column to {name}: every {self.kind.noun} needs it."
                self.problems.append(Problem("columns", "not_mapped", words))

    def _stop_at_problems(self) -> None:
        if self.problems:
            words = "This column mapping has mistakes. Correct it first; no row was read."
            raise CorrectInput(words, problems=self.problems)

    def _is_required(self, path: Path) -> bool:
        info = None if path.child else self.kind.document.model_fields.get(path.field)
        return info is not None and info.is_required()

    def _step(self, text: str, names: list[str], table: Mapping[str, Any] | None) -> _Step:
        path = self._paths[text]
        named = {str(theirs).strip(): ours for theirs, ours in (table or {}).items()}
        return _Step(
            path=path,
            columns=frozenset(names),
            only=names[0] if len(names) == 1 else "",
            table=None if table is None else named,
            folded={theirs.casefold(): ours for theirs, ours in named.items() if theirs != ANY},
            ours=frozenset(ours for ours in named.values() if isinstance(ours, str)),
            cast=CASTS.get(path.type),
            put=self._placing.place(path),
        )


def _convert(step: _Step, raw: str, problems: list[Problem]) -> Any:
    value = raw if step.table is None else _translate(step, step.table, raw)
    if value is _MISSING:
        words = f"“{_short(raw)}” in {_where(step)} is in no value table. Add it there, or correct the row."
        problems.append(Problem(step.path.text, "unknown_value", words))
        return None
    if step.cast is None or not isinstance(value, str):
        return value
    try:
        return step.cast(value)
    except BadValue as error:
        words = f"“{_short(raw)}” in {_where(step)} {error}"
        code = error.code if step.table is None else "unknown_value"
        problems.append(Problem(step.path.text, code, words))
        return None


def _translate(step: _Step, table: dict[str, Any], raw: str) -> Any:
    """Their value to ours: as written, in other capitals, already ours, by `*`; for typed fields as people
    write it.
    """
    value = table.get(raw, _MISSING)
    if value is _MISSING:
        value = step.folded.get(raw.casefold(), _MISSING)
    if value is _MISSING and raw in step.ours:
        return raw
    if value is _MISSING:
        value = table.get(ANY, _MISSING)
    if value == KEEP or (value is _MISSING and step.cast is not None):
        return raw  # a table of a yes/no field may name only the platform's own words
    return value


def _where(step: _Step) -> str:
    names = "” and “".join(sorted(step.columns))
    return f"column “{names}”" if step.only else f"columns “{names}”"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
