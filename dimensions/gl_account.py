"""The GL account: document, rules and declaration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dimensions import dated
from dimensions.models import GLAccount, GLAccountPeriod
from mdm.documents import Code, Currency, DatedDocument, Name, Part, PeriodDocument, Text
from mdm.registry import Column, RecordType, Section, register
from mdm.types import Document, Problem

Kind = Literal["asset", "liability", "equity", "revenue", "expense", "statistical"]
BALANCE_SHEET = ("asset", "liability", "equity")


class _Values(Part):
    name: Name
    kind: Kind
    group: Text | None = None
    currency: Currency | None = None
    open_items: bool = False
    reconciliation: Literal["suppliers", "customers", "assets"] | None = None
    blocked_for_posting: bool = False


class GLAccountSlice(_Values, PeriodDocument):
    """What holds of an account for a period."""


class GLAccountDocument(DatedDocument, _Values):
    """An account of one chart."""

    chart: Code
    number: Code
    slices: list[GLAccountSlice] = Field(default_factory=list)


def check_balance_sheet(document: Document) -> list[Problem]:
    """Open items and subledgers stand in the balance sheet."""
    if document["kind"] in BALANCE_SHEET:
        return []
    text = "Only an account of the balance sheet (asset, liability, equity) has this."
    return [Problem(name, "not_in_balance_sheet", text) for name in ("open_items", "reconciliation") if document[name]]


def declare() -> RecordType:
    return register(
        RecordType(
            key="gl_account",
            path="gl-accounts",
            title="GL account",
            plural="GL accounts",
            model=GLAccount,
            document=GLAccountDocument,
            code_prefix="GL-",
            name_field="name",
            icon="account",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("chart", "Chart", "code"),
                Column("number", "Number", "code"),
                Column("kind", "Kind"),
                Column("group", "Group", default=False),
                *dated.COLUMNS,
            ),
            sections=(
                Section("General", ("chart", "number", "name", "kind", "group")),
                Section("Posting", ("currency", "open_items", "reconciliation", "blocked_for_posting")),
                dated.VALIDITY,
            ),
            filters={"chart": "chart", "number": "number", "kind": "kind", "group": "group", **dated.FILTERS},
            search=("code", "name", "number", "group"),
            rules=(check_balance_sheet,),
            children=(dated.periods(GLAccountPeriod, GLAccountSlice, ("name", "kind", "group")),),
            periods=dated.PERIODS,
            references={"chart": "chart_of_accounts"},
            labels=dated.LABELS,
        )
    )
