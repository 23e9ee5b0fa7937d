"""The chart of accounts: document and declaration."""

from __future__ import annotations

from dimensions.models import ChartOfAccounts
from mdm.documents import Country, Currency, Name, Part
from mdm.registry import Column, RecordType, Section, register


class ChartOfAccountsDocument(Part):
    """A plan of accounts: the group's own, or the one a country or a system keeps its books in."""

    name: Name
    country: Country | None = None
    currency: Currency | None = None


def declare() -> RecordType:
    return register(
        RecordType(
            key="chart_of_accounts",
            path="charts-of-accounts",
            title="Chart of accounts",
            plural="Charts of accounts",
            model=ChartOfAccounts,
            document=ChartOfAccountsDocument,
            code_prefix="COA-",
            name_field="name",
            icon="columns",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("country", "Country", "country"),
                Column("currency", "Currency", "code"),
                Column("status", "Status", "status"),
                Column("updated_at", "Changed", "date"),
            ),
            sections=(Section("General", ("name", "country", "currency")),),
            filters={"country": "country", "status": "status", "code": "code"},
            search=("code", "name"),
        )
    )
