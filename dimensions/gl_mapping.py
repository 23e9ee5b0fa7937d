"""The GL mapping: one row of what the accounts of a chart become in another; document, rules and declaration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from uuid import UUID

from pydantic import Field

from dimensions.models import GLMapping, GLMappingCondition
from mdm.documents import ChildDocument, Code, Day, LongText, Name, Part, Text
from mdm.mapping import Between, MappingError, Row, notation, when
from mdm.mapping.expressions import Expression
from mdm.registry import ChildType, Column, RecordType, Section, register
from mdm.types import Document, Problem

Kind = Literal["explicit", "between", "in", "multi", "like"]
Dimension = Literal["legal_entity", "cost_center", "profit_center", "project", "tax_code", "gl_account"]
MAPPED = "gl_account"
"""The dimension that is mapped: a condition on it sees the account itself."""
_NOBODY = UUID(int=0)


class ConditionDocument(ChildDocument):
    """The row applies only where the dimension's code is one of these: `A`, `A..B`, `A, B` or `A*`."""

    dimension: Dimension
    codes: LongText


class GLMappingDocument(Part):
    """What accounts of the source chart become in the target chart. `source` and `target` are account numbers, written as
    docs/mapping.md says; `kind` says how `source` names them, a multi row has none: its conditions alone decide."""

    name: Name
    source_chart: Code
    target_chart: Code
    kind: Kind
    source: LongText | None = None
    target: Text
    flip: bool = False
    order: int = Field(default=0, ge=-1_000_000, le=1_000_000)
    valid_from: Day | None = None
    valid_to: Day | None = None
    note: LongText | None = None
    conditions: list[ConditionDocument] = Field(default_factory=list, max_length=20)


def check_row(document: Document) -> list[Problem]:
    """Its texts read as the engine reads them, each problem at the field that has it."""
    return list(_problems(document))


def _problems(document: Document) -> Iterator[Problem]:
    kind, text = document["kind"], document["source"]
    source, complete = None, True
    if kind == "multi":
        if text:
            yield Problem("source", "not_empty", "A multi row has no source: its conditions alone decide.")
        if not document["conditions"]:
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
    for place, row in enumerate(document["conditions"]):
        path = f"conditions/{row.get('uid') or place}"
        if row["dimension"] in conditions:
            words = "There is a condition on this dimension already; write its codes into one, with commas."
            yield Problem(f"{path}/dimension", "twice", words)
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
    start, end = document["valid_from"], document["valid_to"]
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
    return found, None


def declare() -> RecordType:
    return register(
        RecordType(
            key="gl_mapping",
            path="gl-mappings",
            title="GL mapping",
            plural="GL mappings",
            model=GLMapping,
            document=GLMappingDocument,
            code_prefix="GM-",
            name_field="name",
            icon="mapping",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("source_chart", "From chart", "code"),
                Column("kind", "Kind"),
                Column("source", "Accounts", "code"),
                Column("target_chart", "To chart", "code"),
                Column("target", "Account there", "code"),
                Column("order", "Order", "number", default=False),
                Column("valid_from", "Since", "day", default=False),
                Column("valid_to", "Until", "day", default=False),
                Column("status", "Status", "status"),
                Column("updated_at", "Changed", "date"),
            ),
            sections=(
                Section("General", ("name", "source_chart", "target_chart", "note")),
                Section("Rule", ("kind", "source", "target", "order", "flip")),
                Section("Validity", ("valid_from", "valid_to")),
            ),
            filters={
                "source_chart": "source_chart", "target_chart": "target_chart", "kind": "kind", "source": "source",
                "target": "target", "status": "status", "code": "code",
            },
            search=("code", "name", "source", "target", "note"),
            rules=(check_row,),
            children=(
                ChildType(
                    name="conditions",
                    title="Conditions",
                    model=GLMappingCondition,
                    document=ConditionDocument,
                    identity=("dimension",),
                    columns=("dimension", "codes"),
                ),
            ),
            references={"source_chart": "chart_of_accounts", "target_chart": "chart_of_accounts"},
            labels={
                "source_chart": "From chart", "target_chart": "To chart", "source": "Accounts", "target": "Account there",
                "flip": "Turns the sign", "conditions": "Condition", "valid_from": "Valid from",
                "valid_to": "Valid until the day before", "name": "Name",
            },
        )
    )  # fmt: skip
