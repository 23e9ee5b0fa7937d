"""Owns the parties a sandbox starts out with: read from a Tryton export (CSV), made as everybody makes them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sync.connectors.tryton import sandbox_rules as rules
from sync.connectors.tryton.sandbox_records import Records, Values
from sync.sandbox_store import Row

_ROWS = {
    "addresses": {"Street": "street", "Postal Code": "postal_code", "City": "city", "Country": "country"},
    "identifiers": {"Tax Identifier Type": "type", "Tax Identifier": "code"},
}
_MECHANISMS = {"E-Mail": "email", "Phone": "phone", "Website": "website"}


def read_extract(file: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(a party with its rows as lists, its bank account or {}), each code once as in Tryton."""
    codes: set[str] = set()
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for cells in csv.DictReader(lines):
            code, name = cells.get("Code", "").strip(), cells.get("Name", "").strip()
            if not code or not name or code in codes:
                continue
            codes.add(code)
            party: dict[str, Any] = {"code": code, "name": name, "active": cells["Active"] != "False"}
            party["supplier_payment_term"] = cells["Supplier Payment Term"] or None
            for part, columns in _ROWS.items():
                row = {leaf: cells[column].replace(" / ", "\n") for column, leaf in columns.items() if cells[column]}
                party[part] = [row] if row else []
            party["contact_mechanisms"] = [
                {"type": kind, "value": cells[column]} for column, kind in _MECHANISMS.items() if cells[column]
            ]
            account = {"number": cells["IBAN"].replace(" ", ""), "currency": cells["Currency"], "bic": cells["BIC"]}
            yield party, account if account["number"] else {}


def seed_party(records: Records, party: Values, account: Values, terms: Iterable[Row]) -> None:
    """A party of the extract, made by the commands that everybody uses; what Tryton would refuse is left out."""
    values: Values = {name: party[name] for name in ("code", "name")}
    by_name = {row.fields["name"]: row.fields["id"] for row in terms}
    values["supplier_payment_term"] = by_name.get(party["supplier_payment_term"])
    for row in party["addresses"]:
        country = rules.one_of(rules.COUNTRIES, row.get("country"))
        row["country"] = country["id"] if country else None
    values.update({part: [["create", party[part]]] for part in rules.ROWS if party[part]})
    if account:
        currency = rules.one_of(rules.CURRENCIES, account["currency"])
        bank = rules.one_of(rules.BANKS, account["bic"], "bic")
        new: Values = {"numbers": [["create", [{"type": "iban", "number": account["number"]}]]]}
        new.update({"currency": currency["id"] if currency else None, "bank": bank["id"] if bank else None})
        values["bank_accounts"] = [["create", [new]]]
    made = records.create_party(values)
    if not party["active"]:
        records.write_party(made, {"active": False}, {})
