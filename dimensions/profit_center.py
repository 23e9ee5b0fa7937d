"""The profit center: document and declaration."""

from __future__ import annotations

from pydantic import Field

from dimensions import dated
from dimensions.models import ProfitCenter, ProfitCenterPeriod
from mdm.documents import Code, DatedDocument, Name, Part, PeriodDocument, Text
from mdm.registry import Column, RecordType, Section, register


class _Values(Part):
    name: Name
    legal_entity: Code | None = None
    segment: Text | None = None
    responsible: Text | None = None
    blocked: bool = False


class ProfitCenterSlice(_Values, PeriodDocument):
    """What holds of a profit center for a period."""


class ProfitCenterDocument(DatedDocument, _Values):
    """Where a result is made."""

    slices: list[ProfitCenterSlice] = Field(default_factory=list)


def declare() -> RecordType:
    return register(
        RecordType(
            key="profit_center",
            path="profit-centers",
            title="Profit center",
            plural="Profit centers",
            model=ProfitCenter,
            document=ProfitCenterDocument,
            code_prefix="PC-",
            name_field="name",
            icon="center",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("legal_entity", "Legal entity", "code"),
                Column("segment", "Segment"),
                Column("responsible", "Responsible"),
                *dated.COLUMNS,
            ),
            sections=(
                Section("General", ("name", "legal_entity", "segment", "responsible", "blocked")),
                dated.VALIDITY,
            ),
            filters={"legal_entity": "legal_entity", "segment": "segment", **dated.FILTERS},
            search=("code", "name", "segment", "responsible"),
            children=(dated.periods(ProfitCenterPeriod, ProfitCenterSlice, ("name", "segment", "responsible")),),
            periods=dated.PERIODS,
            entity_field="legal_entity",
            references={"legal_entity": "legal_entity"},
            labels=dated.LABELS,
        )
    )
