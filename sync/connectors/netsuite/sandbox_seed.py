"""Owns what a sandbox of NetSuite starts out with: the account's own lists, and vendors from an extract (CSV)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sync import flat

# NetSuite's standard terms have the first six ids; the others somebody has made.
TERMS = {
    "1": ("Net 15", 15, 0, 0),
    "2": ("Net 30", 30, 0, 0),
    "3": ("Net 60", 60, 0, 0),
    "4": ("Due on receipt", 0, 0, 0),
    "5": ("1% 10 Net 30", 30, 1, 10),
    "6": ("2% 10 Net 30", 30, 2, 10),
    "7": ("Net 10", 10, 0, 0),
    "8": ("Net 14", 14, 0, 0),
    "9": ("Net 45", 45, 0, 0),
    "10": ("Net 90", 90, 0, 0),
}
CURRENCIES = ("USD", "GBP", "CAD", "EUR", "CHF", "PLN", "CZK", "SEK", "DKK", "NOK", "HUF", "RON", "BRL")
SUBSIDIARIES = {
    "1": ("Nordhaven Group", "DE", "EUR"),
    "2": ("Nordhaven Deutschland", "DE", "EUR"),
    "3": ("Nordhaven France", "FR", "EUR"),
    "4": ("Nordhaven UK", "GB", "GBP"),
    "5": ("Nordhaven Iberia", "ES", "EUR"),
    "6": ("Nordhaven US", "US", "USD"),
}
# Departments, classes and accounts that somebody entered before the hub came; the hub's own names for the first of them.
DEPARTMENTS = {"1": ("GB-1000 Management", "4"), "2": ("Sales North (old)", "4")}
CLASSES = {"1": "PC-CORP Corporate"}
ACCOUNTS = {"1": ("480000", "Rent", "Expense"), "2": ("999000", "Suspense", "OthCurrLiab")}
COLUMNS = {
    "ID": "entityId",
    "External ID": "externalId",
    "Company Name": "companyName",
    "Legal Name": "legalName",
    "Email": "email",
    "Phone": "phone",
    "Web Address": "url",
    "Tax ID": "taxIdNum",
}
ADDRESS = {
    "Address 1": "addr1",
    "Address 2": "addr2",
    "City": "city",
    "State/Province": "state",
    "Zip Code": "zip",
    "Country": "country.id",
}
Seed = Iterator[tuple[str, str, dict[str, Any]]]  # type, internal id, raw fields


def lists() -> Seed:
    """Terms, currencies, subsidiaries and dimensions, which an account has before it has a vendor."""
    for id, code in enumerate(CURRENCIES, 1):
        yield "currency", str(id), {"name": code}
    for key, (name, net, percent, days) in TERMS.items():
        due = {"daysUntilNetDue": net, "discountPercent": percent, "daysUntilExpiry": days}
        yield "payment_term", key, {"name": name, "dateDriven": False, "isInactive": False, **due}
    for key, (name, country, currency) in SUBSIDIARIES.items():
        fields = {
            "name": name,
            "legalName": f"{name} ({country})",
            "country.id": country,
            "mainAddress.country.id": country,
            "currency.id": str(CURRENCIES.index(currency) + 1),
            "isInactive": False,
        }
        yield "legal_entity", key, fields if key == "1" else {**fields, "parent.id": "1"}
    yield from dimensions()


def dimensions() -> Seed:
    for key, (name, subsidiary) in DEPARTMENTS.items():
        yield "cost_center", key, {"name": name, "subsidiary.items": subsidiary, "isInactive": False}
    for key, name in CLASSES.items():
        yield (
            "profit_center",
            key,
            {"name": name, "subsidiary.items": "1", "includeChildren": True, "isInactive": False},
        )
    for key, (number, name, kind) in ACCOUNTS.items():
        fields = {"acctNumber": number, "acctName": name, "acctType.id": kind, "isInactive": False}
        yield "gl_account", key, {**fields, "subsidiary.items": "1", "includeChildren": True}


def vendors(file: Path) -> Seed:
    """Rows that could be vendors: with both ids and a name, each internal id once."""
    terms = {name: id for id, (name, *_) in TERMS.items()}
    entities = {name: id for id, (name, *_) in SUBSIDIARIES.items()}
    seen: set[str] = set()
    with file.open(encoding="utf-8-sig", newline="") as text:
        for cells in csv.DictReader(text):
            id = (cells.get("Internal ID") or "").strip()
            if not id.isdigit() or id in seen or not cells.get("ID") or not cells.get("Company Name"):
                continue
            seen.add(id)
            fields: dict[str, Any] = {name: cells[column] for column, name in COLUMNS.items() if cells.get(column)}
            fields |= {"isPerson": False, "isInactive": cells.get("Inactive", "").lower() == "yes"}
            fields["subsidiary.id"] = entities.get(cells.get("Primary Subsidiary", ""), "1")
            if cells.get("Currency") in CURRENCIES:
                fields["currency.id"] = str(CURRENCIES.index(cells["Currency"]) + 1)
            if cells.get("Terms") in terms:
                fields["terms.id"] = terms[cells["Terms"]]
            yield "supplier", id, {**fields, **_address(id, cells)}


def _address(id: str, cells: dict[str, str]) -> dict[str, Any]:
    given = {name: cells[column] for column, name in ADDRESS.items() if cells.get(column)}
    leaves: dict[str, Any] = {f"addressBookAddress.{name}": value for name, value in given.items()}
    if not leaves:
        return {}
    line = str(10000 + int(id))
    label = cells.get("Address 1") or cells["Country"]
    return flat.from_rows("addressBook", {line: {"id": line, "label": label, "defaultBilling": True, **leaves}})
