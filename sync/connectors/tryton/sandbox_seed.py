"""Owns reading a Tryton export (CSV) into the raw parties a sandbox starts out with."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
