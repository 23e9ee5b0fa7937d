"""The cost center: document, rules and declaration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dimensions import dated
from dimensions.models import CostCenter, CostCenterPeriod
from mdm.documents import Code, Currency, DatedDocument, Name, Part, PeriodDocument, Text
from mdm.registry import Column, RecordType, Section, register

Category = Literal["administration", "production", "sales", "research", "logistics", "service", "management", "other"]


class _Values(Part):
    name: Name
    legal_entity: Code
    category: Category
    responsible: Text | None = None
    department: Text | None = None
    profit_center: Code | None = None
    currency: Currency | None = None
    blocked_for_costs: bool = False
    blocked_for_planning: bool = False


class CostCenterSlice(_Values, PeriodDocument):
    """What holds of a cost center for a period."""


class CostCenterDocument(DatedDocument, _Values):
    """Where costs arise."""

    slices: list[CostCenterSlice] = Field(default_factory=list)


def declare() -> RecordType:
    return register(
        RecordType(
            key="cost_center",
            path="cost-centers",
            title="Cost center",
            plural="Cost centers",
            model=CostCenter,
            document=CostCenterDocument,
            code_prefix="CC-",
            name_field="name",
            icon="center",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("legal_entity", "Legal entity", "code"),
                Column("category", "Category"),
                Column("responsible", "Responsible"),
                Column("profit_center", "Profit center", "code", default=False),
                *dated.COLUMNS,
            ),
            sections=(
                Section("General", ("name", "legal_entity", "category", "responsible", "department")),
                Section("Accounting", ("profit_center", "currency", "blocked_for_costs", "blocked_for_planning")),
                dated.VALIDITY,
            ),
            filters={
                "legal_entity": "legal_entity", "category": "category", "profit_center": "profit_center",
                "responsible": "responsible", **dated.FILTERS,
            },
            search=("code", "name", "responsible", "department"),
            children=(
                dated.periods(CostCenterPeriod, CostCenterSlice, ("name", "responsible", "profit_center", "category")),
            ),
            periods=dated.PERIODS,
            entity_field="legal_entity",
            references={"legal_entity": "legal_entity", "profit_center": "profit_center"},
            labels=dated.LABELS,
        )
    )  # fmt: skip
