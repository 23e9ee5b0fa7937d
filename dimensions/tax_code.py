"""The tax code: document, rules and declaration."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from dimensions import dated
from dimensions.models import TaxCode, TaxCodePeriod
from mdm.documents import Country, DatedDocument, Name, Part, PeriodDocument, Text
from mdm.registry import Column, RecordType, Section, register

Percent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=3), PlainSerializer(str, return_type=str)]
Kind = Literal["input", "output", "withholding", "reverse_charge"]


class _Values(Part):
    name: Name
    rate: Percent
    deductible: Percent | None = None


class TaxCodeSlice(_Values, PeriodDocument):
    """What holds of a tax code for a period: above all its rate."""


class TaxCodeDocument(DatedDocument, _Values):
    """A kind of tax of one country or region. `rate` and `deductible` (the share of it) in percent."""

    country: Country
    region: Text | None = None
    kind: Kind
    jurisdiction: Text | None = None
    slices: list[TaxCodeSlice] = Field(default_factory=list)


def declare() -> RecordType:
    return register(
        RecordType(
            key="tax_code",
            path="tax-codes",
            title="Tax code",
            plural="Tax codes",
            model=TaxCode,
            document=TaxCodeDocument,
            code_prefix="TX-",
            name_field="name",
            icon="tax",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("country", "Country", "country"),
                Column("kind", "Kind"),
                Column("rate", "Rate %", "number"),
                Column("region", "Region", default=False),
                *dated.COLUMNS,
            ),
            sections=(
                Section("General", ("name", "country", "region", "kind", "jurisdiction")),
                Section("Rate", ("rate", "deductible")),
                dated.VALIDITY,
            ),
            filters={"country": "country", "region": "region", "kind": "kind", "rate": "rate", **dated.FILTERS},
            search=("code", "name", "region", "jurisdiction"),
            children=(dated.periods(TaxCodePeriod, TaxCodeSlice, ("name", "rate", "deductible")),),
            periods=dated.PERIODS,
            labels={**dated.LABELS, "rate": "Rate %", "deductible": "Deductible share %"},
        )
    )
