"""The coding rule: what may be coded together; document, rules and declaration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from dimensions.coding import BUILT_IN, CODES
from dimensions.models import CodingRule, CodingRuleCondition
from mdm import registry
from mdm.documents import ChildDocument, Code, Day, LongText, Name, Part
from mdm.mapping import Between, MappingError, notation
from mdm.registry import ChildType, Column, RecordType, Section, register
from mdm.types import Document, Problem

Side = Literal["when", "then"]
What = Literal["codes", "given", "not_given"]


class CodingConditionDocument(ChildDocument):
    """One condition: of the lines that are meant (`when`), or of what is asked of them (`then`). `test`: whether the
    dimension's code is one of `codes` (`A`, `A..B`, `A, B` or `A*`), or only whether the line gives one."""

    side: Side
    dimension: Code = Field(description=f"{', '.join(BUILT_IN)}, or the code of a dimension of one's own.")
    test: What = "codes"
    codes: LongText | None = None


class CodingRuleDocument(Part):
    """A line that meets every `when` must meet every `then`; a rule without a `then` refuses. `message` is what whoever
    coded the line is told."""

    name: Name
    message: LongText = Field(min_length=1)
    valid_from: Day | None = None
    valid_to: Day | None = None
    conditions: list[CodingConditionDocument] = Field(default_factory=list, max_length=20)


def own_dimensions() -> Mapping[str, str]:
    """{code: name} of the dimensions of one's own, in the order of names; one query."""
    kind = registry.find("dimension")
    if kind is None:
        return {}
    rows = kind.model._default_manager.exclude(status__in=("retired", "merged"))
    return dict(rows.order_by("name", "code").values_list("code", "name"))


def check_rule(document: Document) -> list[Problem]:
    """Its texts read as the rules read them, each problem at the field that has it."""
    return list(_problems(document))


def _problems(document: Document) -> Iterator[Problem]:
    if not document["conditions"]:
        yield Problem("conditions", "missing", "A rule needs a condition: without one it would refuse every line.")
    seen: set[tuple[str, str]] = set()
    for place, row in enumerate(document["conditions"]):
        path = f"conditions/{row.get('uid') or place}"
        where = (row["side"], row["dimension"])
        if where in seen:
            words = f"There is a condition on this dimension under “{row['side']}” already; write its codes into one."
            yield Problem(f"{path}/dimension", "twice", words)
        seen.add(where)
        yield from _of_condition(path, row)
    start, end = document["valid_from"], document["valid_to"]
    if start and end and start >= end:
        yield Problem("valid_to", "empty_period", "It would end before it begins: no day is in this period.")


def _of_condition(path: str, row: Document) -> Iterator[Problem]:
    if row["dimension"] not in BUILT_IN and row["dimension"] not in (own := own_dimensions()):
        words = f"There is no dimension “{row['dimension']}”. There is {', '.join((*BUILT_IN, *sorted(own)))}."
        yield Problem(f"{path}/dimension", "unknown_dimension", words)
    if row["test"] != CODES:
        if row["codes"]:
            yield Problem(f"{path}/codes", "not_empty", "This condition only asks whether there is a code; name none.")
        return
    if not row["codes"]:
        words = f"Write {notation.HOW['explicit']}, {notation.HOW['in']}, or {notation.HOW['like']}."
        yield Problem(f"{path}/codes", "missing", words)
        return
    try:
        found = notation.read(row["codes"])
    except MappingError as error:
        yield Problem(f"{path}/codes", "not_readable", str(error))
        return
    if isinstance(found, Between) and found.empty():
        words = f"The range begins with {found.first} after its end {found.last}: no code is in it."
        yield Problem(f"{path}/codes", "empty_range", words)


def declare() -> RecordType:
    return register(
        RecordType(
            key="coding_rule",
            path="coding-rules",
            title="Coding rule",
            plural="Coding rules",
            model=CodingRule,
            document=CodingRuleDocument,
            code_prefix="RU-",
            name_field="name",
            icon="shield",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("message", "What people are told"),
                Column("valid_from", "Since", "day", default=False),
                Column("valid_to", "Until", "day", default=False),
                Column("status", "Status", "status"),
                Column("updated_at", "Changed", "date"),
            ),
            sections=(Section("General", ("name", "message")), Section("Validity", ("valid_from", "valid_to"))),
            filters={"name": "name", "status": "status", "code": "code"},
            search=("code", "name", "message"),
            rules=(check_rule,),
            children=(
                ChildType(
                    name="conditions",
                    title="Conditions",
                    model=CodingRuleCondition,
                    document=CodingConditionDocument,
                    identity=("side", "dimension"),
                    columns=("side", "dimension", "test", "codes"),
                ),
            ),
            labels={
                "name": "Name", "message": "What people are told", "conditions": "Condition", "valid_from": "Valid from",
                "valid_to": "Valid until the day before", "side": "When or then", "test": "What is asked",
                "codes": "Codes",
            },
        )
    )  # fmt: skip
