"""Owns reading a Coupa extract (XLSX) into the raw suppliers a sandbox starts out with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

COLUMNS = {
    "Supplier Number": "number",
    "Supplier Name": "name",
    "Display Name": "display-name",
    "Status": "status",
    "Street 1": "primary-address.street1",
    "Street 2": "primary-address.street2",
    "City": "primary-address.city",
    "State": "primary-address.state",
    "Postal Code": "primary-address.postal-code",
    "Country Code": "primary-address.country.code",
    "Tax ID": "tax-id",
    "DUNS": "duns",
    "Primary Contact": "primary-contact.name-fullname",
    "Contact Email": "primary-contact.email",
    "Contact Phone": "primary-contact.phone-work.number",
    "Website": "website",
    "Payment Term": "payment-term.code",
    "Shipping Term": "shipping-term.code",
    "Commodity": "commodity.name",
}
DEFAULTS = {"payment-method": "invoice", "invoice-matching-level": "3-way", "po-method": "prompt"}


def read_extract(file: Path) -> Iterator[dict[str, Any]]:
    """Rows that could be suppliers: with a number and a name, each number and each name once, as in Coupa."""
    numbers: set[str] = set()
    names: set[str] = set()
    for cells in _rows(file):
        fields: dict[str, Any] = {
            **DEFAULTS,
            **{name: cells[column] for column, name in COLUMNS.items() if cells.get(column)},
        }
        number, name = fields.get("number", ""), fields.get("name", "")
        if not number or not name or number in numbers or name.casefold() in names:
            continue
        numbers.add(number)
        names.add(name.casefold())
        fields["status"] = fields.get("status", "active").lower()
        fields["on-hold"] = cells.get("On Hold", "").lower() in {"yes", "true", "x", "1"}
        if tags := [tag.strip() for tag in cells.get("Tags", "").split(",") if tag.strip()]:
            fields["tags"] = tags
        yield fields


def _rows(file: Path) -> Iterator[dict[str, str]]:
    from openpyxl import load_workbook  # a tenth of a second, and only a workbook needs it

    book = load_workbook(file, read_only=True, data_only=True)
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        header = [str(cell or "").strip() for cell in next(rows, ())]
        for row in rows:
            yield {name: _text(cell) for name, cell in zip(header, row, strict=False) if name}
    finally:
        book.close()


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # a number that a spreadsheet took for one
    return str(cell).strip()
