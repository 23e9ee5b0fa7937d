"""Owns how the sandbox comes to hold an extract of vendors, with the companies and payment terms they need."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sync.connectors.dynamics365.sandbox_rules import derive
from sync.connectors.dynamics365.sandbox_schema import SETS
from sync.connectors.dynamics365.shape import BANKS, VENDORS

Fields = dict[str, Any]
# Companies with their name, city, country and accounting currency: those of the invented group.
COMPANIES = {
    "nh01": ("Nordhaven Holding AG", "Hamburg", "DEU", "EUR"),
    "nh10": ("Nordhaven Deutschland GmbH", "Bremen", "DEU", "EUR"),
    "nh20": ("Nordhaven France SAS", "Lyon", "FRA", "EUR"),
    "nh30": ("Nordhaven UK Ltd", "Leeds", "GBR", "GBP"),
    "nh40": ("Nordhaven Iberia SL", "Valencia", "ESP", "EUR"),
    "nh90": ("Nordhaven Americas Inc.", "Chicago", "USA", "USD"),
}
TERMS = {
    "COD": ("Cash on delivery", 0),
    "Net10": ("Net 10 days", 10),
    "Net14": ("Net 14 days", 14),
    "Net15": ("Net 15 days", 15),
    "Net30": ("Net 30 days", 30),
    "Net45": ("Net 45 days", 45),
    "Net60": ("Net 60 days", 60),
    "Net90": ("Net 90 days", 90),
    "2%10Net30": ("2% 10 days, net 30 days", 30),
}
# Values of dimensions and main accounts that somebody entered before the hub came: some as the hub has them, some not.
VALUES = {
    "cost_center": ("CostCenter", {"DE-1000": "Management", "DE-2100": "Giesserei", "DE-9999": "Clearing"}),
    "profit_center": ("ProfitCenter", {"PC-CORP": "Corporate"}),
    "project": ("Project", {"P-OLD": "Warehouse move 2018"}),
}
ACCOUNTS = {"160000": ("Trade payables", "Liability"), "999000": ("Suspense", "Asset")}
_OF_ACCOUNT = ("VendorBankAccountId", "IBAN", "BankAccountNumber", "RoutingNumber", "SWIFTCode", "BankName")


def companies() -> Iterator[tuple[str, Fields]]:
    for area, (name, city, country, currency) in COMPANIES.items():
        fields = {"LegalEntityId": area.upper(), "Name": name, "AddressCity": city, "AddressCountryRegionId": country}
        derive(fields)
        yield area.upper(), {**fields, "AccountingCurrency": currency}


def terms() -> Iterator[tuple[str, Fields]]:
    for area in COMPANIES:
        for name, (words, days) in TERMS.items():
            fields = {"dataAreaId": area, "Name": name, "Description": words, "NumberOfDays": days}
            yield f"{area}/{name}", {**fields, "PaymentMethodType": "COD" if name == "COD" else "Net"}


def dimensions() -> Iterator[tuple[str, Iterator[tuple[str, Fields]]]]:
    for type, (dimension, values) in VALUES.items():
        yield type, _values(dimension, values)


def _values(dimension: str, values: dict[str, str]) -> Iterator[tuple[str, Fields]]:
    for code, words in values.items():
        key = {"FinancialDimension": dimension, "LegalEntityId": "", "DimensionValue": code}
        yield "/".join(key.values()), {**key, "Description": words, "IsSuspended": "No"}


def accounts() -> Iterator[tuple[str, Fields]]:
    for number, (name, kind) in ACCOUNTS.items():
        key = {"ChartOfAccounts": "NH-GROUP", "MainAccountId": number}
        yield "/".join(key.values()), {**key, "Name": name, "MainAccountType": kind, "IsSuspended": "No"}


def vendors(file: Path) -> Iterator[tuple[str, Fields]]:
    """Rows with company, account and name, each account once; columns are named as the properties."""
    seen: set[str] = set()
    with file.open(encoding="utf-8-sig", newline="", errors="replace") as handle:
        for row in csv.DictReader(handle):
            cells = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str) and name}
            key = f"{cells.get('dataAreaId', '').lower()}/{cells.get('VendorAccountNumber', '')}"
            if not all(key.split("/", 1)) or not cells.get("VendorOrganizationName") or key in seen:
                continue
            seen.add(key)
            yield key, _vendor(cells)


def _vendor(cells: dict[str, str]) -> Fields:
    known = SETS[VENDORS].properties
    fields: Fields = {name: value for name, value in cells.items() if value and name in known}
    fields["dataAreaId"] = cells["dataAreaId"].lower()
    fields.setdefault("VendorPartyType", "Organization")
    fields.setdefault("OnHoldStatus", "No")
    fields.setdefault("VendorGroupId", "10")
    derive(fields)
    if account := cells.get("VendorBankAccountId"):
        held = {leaf: cells[leaf] for leaf in _OF_ACCOUNT if cells.get(leaf)}
        fields.update({f"{BANKS}[{account}].{leaf}": value for leaf, value in held.items()})
        fields[f"{BANKS}[{account}].RecVersion"] = 1
    return fields
