"""Owns what every mapping whose rows are records has in common: its document, how a row is read, columns and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from mdm import registry
from mdm.documents import ChildDocument, Code, Day, LongText, Name, Part, Text
from mdm.mapping import Between, MappingError, Row, notation, when
from mdm.mapping.expressions import Expression
from mdm.registry import ChildType, Column, RecordType, Section
from mdm.types import Document, Problem

Kind = Literal["explicit", "between", "in", "multi", "like"]
BUILT_IN = ("legal_entity", "cost_center", "profit_center", "project", "tax_code", "gl_account", "country")
"""Dimensions a condition may name besides the custom ones, which go by their code."""
LONGEST = 200  # characters of a code
_NOBODY = UUID(int=0)


@dataclass(frozen=True, eq=False)
class Mapped:
    """A mapping whose rows are records of type `key`: `dimension` is what it maps (a condition on it sees the code
    itself), `source` and `target` the fields of a row that say from where to where; "" when it is the hub itself."""

    key: str
    model: Any
    conditions: Any
    dimension: str
    source: str
    target: str

    def at(self, source: str, target: str) -> dict[str, str]:
        """Which rows lead from there to there, as a filter; also what a new row begins with."""
        fields = {self.source: source, self.target: target}
        return {field: code for field, code in fields.items() if field}

    @property
    def record_type(self) -> RecordType:
        return registry.get(self.key)


MAPPINGS: dict[str, Mapped] = {}
"""By the record type of their rows."""


class ConditionDocument(ChildDocument):
    """The row applies only where the dimension's code is one of these: `A`, `A..B`, `A, B` or `A*`. `dimension`: a record
    type such as cost_center, country, or the code of a custom dimension."""

    dimension: Code
    codes: LongText


class RowDocument(Part):
    """`source` and `target` are codes, written as docs/mapping.md says; `kind` says how `source` names them, a multi row
    has none: its conditions alone decide."""

    name: Name
    kind: Kind
    source: LongText | None = None
    target: Text
    flip: bool = False
    order: int = Field(default=0, ge=-1_000_000, le=1_000_000)
    valid_from: Day | None = None
    valid_to: Day | None = None
    note: LongText | None = None
    conditions: list[ConditionDocument] = Field(default_factory=list, max_length=20)


# --- reading ----------------------------------------------------------------------------------------------------------


def read(values: Mapping[str, Any], *, uid: UUID | None = None, active: bool = True) -> Row:
    """The row as the engine knows it, from a document or columns of the table. Raises MappingError."""
    kind = values["kind"]
    return Row(
        uid=uid or _NOBODY,
        source=None if kind == "multi" else notation.read(values["source"] or "", kind),
        target=values["target"],
        conditions=when({test["dimension"]: notation.read(test["codes"]) for test in values["conditions"]}),
        flip=values["flip"],
        valid_from=values["valid_from"],
        valid_to=values["valid_to"],
        order=values["order"],
        active=active,
    )


def read_document(document: Mapping[str, Any]) -> Row:
    """A row from its canonical document, or one typed so far. Raises MappingError."""
    days = {name: _day(document.get(name)) for name in ("valid_from", "valid_to")}
    defaults = {"source": None, "target": "", "flip": False, "order": 0, "conditions": ()}
    values = {**defaults, **{name: value for name, value in document.items() if value is not None}, **days}
    values["order"] = int(values["order"])
    uid, active = document.get("uid"), document.get("status") in (None, "active")
    return read(values, uid=UUID(str(uid)) if uid else None, active=active)


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def check_row(document: Document) -> list[Problem]:
    """Its texts read as the engine reads them, each problem at the field that has it."""
    return list(_problems(document))


def _problems(document: Document) -> Iterator[Problem]:
    kind, text, tests = document["kind"], document.get("source"), document.get("conditions") or ()
    source, complete = None, True
    if kind == "multi":
        if text:
            yield Problem("source", "not_empty", "A multi row has no source: its conditions alone decide.")
        if not tests:
            complete = False
            words = "A multi row needs a condition; a row for every code is of kind like and written *."
            yield Problem("conditions", "missing", words)
    elif not text:
        complete = False
        yield Problem("source", "missing", f"This field is needed; write {notation.HOW[kind]}.")
    else:
        source, problem = _read("source", text, kind)
        complete = problem is None
        yield from (problem,) if problem else ()
    conditions: dict[str, Expression] = {}
    for place, row in enumerate(tests):
        path = f"conditions/{row.get('uid') or place}"
        if row["dimension"] in conditions:
            words = "There is a condition on this dimension already; write its codes into one, with commas."
            yield Problem(f"{path}/dimension", "twice", words)
        elif not known(row["dimension"]):
            words = f"There is no dimension “{row['dimension']}”; there are {', '.join(BUILT_IN)} and the custom ones."
            yield Problem(f"{path}/dimension", "unknown_dimension", words)
        test, problem = _read(f"{path}/codes", row["codes"])
        yield from (problem,) if problem else ()
        if test:
            conditions[row["dimension"]] = test
        complete = complete and problem is None
    if complete:
        try:
            Row(_NOBODY, source, document["target"], when(conditions))
        except MappingError as error:
            yield Problem("target", "not_readable", str(error))
    start, end = document.get("valid_from"), document.get("valid_to")
    if start and end and start >= end:
        yield Problem("valid_to", "empty_period", "It would end before it begins: no day is in this period.")


def _read(path: str, text: str, kind: str | None = None) -> tuple[Expression | None, Problem | None]:
    try:
        found = notation.read(text, kind)
    except MappingError as error:
        return None, Problem(path, "not_readable", str(error))
    if isinstance(found, Between) and found.empty():
        words = f"The range begins with {found.first} after its end {found.last}: no code is in it."
        return None, Problem(path, "empty_range", words)
    if kind == "explicit":  # these are looked up by the text they have, in an index
        if notation.write(found) != text:
            words = f"Leave out the backslashes that nothing needs: write {notation.write(found)}."
            return None, Problem(path, "needless_escape", words)
        if len(text) > LONGEST:
            return None, Problem(path, "too_long", f"A code has at most {LONGEST} characters; this has {len(text)}.")
    return found, None


def known(dimension: str) -> bool:
    """Whether a condition may name it: built in, or the code of a custom dimension on file."""
    if dimension in BUILT_IN:
        return True
    custom = registry.find("dimension")
    return custom is not None and custom.model._default_manager.filter(code=dimension, status="active").exists()


# --- declaring --------------------------------------------------------------------------------------------------------


def columns(first: tuple[Column, ...], codes: str, last: tuple[Column, ...], target: str) -> tuple[Column, ...]:
    """`first`, `last`: where rows come from and lead to; `codes`, `target`: what is mapped, and what it becomes."""
    return (
        Column("code", "Code", "code"),
        Column("name", "Name"),
        *first,
        Column("kind", "Kind"),
        Column("source", codes, "code"),
        *last,
        Column("target", target, "code"),
        Column("order", "Order", "number", default=False),
        Column("valid_from", "Since", "day", default=False),
        Column("valid_to", "Until", "day", default=False),
        Column("status", "Status", "status"),
        Column("updated_at", "Changed", "date"),
    )


def sections(*between: str) -> tuple[Section, ...]:
    return (
        Section("General", ("name", *between, "note")),
        Section("Rule", ("kind", "source", "target", "order", "flip")),
        Section("Validity", ("valid_from", "valid_to")),
    )


FILTERS = {"kind": "kind", "source": "source", "target": "target", "status": "status", "code": "code"}
SEARCH = ("code", "name", "source", "target", "note")
LABELS = {
    "flip": "Turns the sign", "conditions": "Condition", "valid_from": "Valid from",
    "valid_to": "Valid until the day before", "name": "Name",
}  # fmt: skip


def conditions(model: Any) -> ChildType:
    return ChildType(
        name="conditions",
        title="Conditions",
        model=model,
        document=ConditionDocument,
        identity=("dimension",),
        columns=("dimension", "codes"),
    )
