"""The value of a dimension of the group's own: document, rules and declaration."""

from __future__ import annotations

from pydantic import Field

from dimensions import dated
from dimensions.models import DimensionValue, DimensionValuePeriod
from mdm.documents import Code, DatedDocument, Name, Part, PeriodDocument
from mdm.registry import Column, RecordType, Section, register
from mdm.types import Document, Problem

_MOST = 40  # characters of a code


class _Values(Part):
    name: Name
    parent: Code | None = None
    blocked: bool = False


class DimensionValueSlice(_Values, PeriodDocument):
    """What holds of a value for a period."""


class DimensionValueDocument(DatedDocument, _Values):
    """A value of a dimension, such as NORTH of REGION. `value` is its code inside the dimension, `parent` the code of the
    record above it, of the same dimension."""

    dimension: Code
    value: Code
    slices: list[DimensionValueSlice] = Field(default_factory=list)


def code_of(document: Document) -> str:
    """REGION/NORTH: the record's code, where it is given none and this one is short enough."""
    code = f"{document['dimension']}/{document['value']}"
    return code if len(code) <= _MOST else ""


def check_parent(document: Document) -> list[Problem]:
    """The value above is of the same dimension and not below this one."""
    if not document["parent"]:
        return []
    me, above = (document["dimension"], document["value"]), document["parent"]
    for _ in range(100):
        row = DimensionValue.objects.filter(code=above).values_list("dimension", "value", "parent").first()
        if row is None:  # told by the check of references
            return []
        if row[0] != me[0]:
            return [Problem("parent", "other_dimension", f"{above} is a value of {row[0]}, not of {me[0]}.")]
        if row[:2] == me:
            return [Problem("parent", "own_parent", "This value would stand above itself: choose another one.")]
        if not row[2]:
            return []
        above = row[2]
    return [Problem("parent", "too_deep", "There are more than 100 values above this one.")]


def declare() -> RecordType:
    return register(
        RecordType(
            key="dimension_value",
            path="dimension-values",
            title="Dimension value",
            plural="Dimension values",
            model=DimensionValue,
            document=DimensionValueDocument,
            code_prefix="DV-",
            code_of=code_of,
            name_field="name",
            icon="tree",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("dimension", "Dimension", "code"),
                Column("value", "Value", "code"),
                Column("parent", "Part of", "code"),
                *dated.COLUMNS,
            ),
            sections=(
                Section("General", ("dimension", "value", "name", "parent")),
                Section("Use", ("blocked",)),
                dated.VALIDITY,
            ),
            filters={"dimension": "dimension", "value": "value", "parent": "parent", **dated.FILTERS},
            search=("code", "name", "value"),
            rules=(check_parent,),
            children=(dated.periods(DimensionValuePeriod, DimensionValueSlice, ("name", "parent", "blocked")),),
            periods=dated.PERIODS,
            references={"dimension": "dimension", "parent": "dimension_value"},
            labels={**dated.LABELS, "parent": "Part of"},
        )
    )
