"""Rows broken on purpose: each has one named cause, so that what an import puts aside can be counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from suppliers.demo.building.entry import CONCUR, COUPA, S4HANA, Entry, number

# How many rows of each cause; about one in a hundred rows over the three files.
PLAN: dict[str, dict[str, int]] = {
    S4HANA: {
        "missing_key": 2, "missing_name": 2, "duplicate_key": 2, "invalid_country": 2, "invalid_iban": 2,
        "unknown_payment_term": 2, "malformed_email": 1, "cell_too_long": 1, "too_few_columns": 2,
        "too_many_columns": 1, "invalid_date": 2,
    },
    COUPA: {
        "missing_key": 2, "missing_name": 2, "duplicate_key": 2, "invalid_country": 2,
        "unknown_payment_term": 2, "malformed_email": 1, "cell_too_long": 1,
    },
    CONCUR: {
        "missing_key": 1, "missing_name": 2, "duplicate_key": 1, "invalid_country": 2, "invalid_iban": 2,
        "unknown_payment_term": 1, "malformed_email": 1, "cell_too_long": 1, "broken_json": 2,
    },
}  # fmt: skip
SMALL_PLAN = {
    S4HANA: {"missing_name": 1, "invalid_iban": 1},
    COUPA: {"invalid_country": 1, "unknown_payment_term": 1},
    CONCUR: {"broken_json": 1, "missing_key": 1},
}
COLUMN = {
    S4HANA: {
        "key": "Supplier", "name": "Name 1", "country": "Country", "term": "Payment Terms",
        "email": "E-Mail", "long": "Street",
    },
    COUPA: {
        "key": "Supplier Number", "name": "Supplier Name", "country": "Country Code", "term": "Payment Term",
        "email": "Contact Email", "long": "Street 1",
    },
    CONCUR: {
        "key": "VendorCode", "name": "VendorName", "country": "CountryCode", "term": "PaymentTerms",
        "email": "ContactEmail", "long": "Address1",
    },
}  # fmt: skip
COUNTRIES = ("XX", "UK", "USA", "D")
UNKNOWN_TERMS: dict[str, tuple[object, ...]] = {
    S4HANA: ("Z999", "ZB01"),
    COUPA: ("Net 37", "per contract"),
    CONCUR: (777,),
}
EMAILS = ("accounts(at)nordbank.example", "info@@hansen.example", "rechnung@")
DATES = ("2023-02-30", "2021-13-01")


@dataclass
class Row:
    """A row to be written: its cells, and the cause it is broken by, if any."""

    entry: Entry
    cause: str = ""


def break_rows(system: str, entries: list[Entry], plan: dict[str, int], keep: set[str]) -> list[Row]:
    """Breaks rows in place, and adds the doubled keys. Suppliers in `keep` (used in stories) stay whole."""
    rows = [Row(entry) for entry in entries]
    for cause, count in plan.items():
        for nth in range(count):
            row = _choose(rows, cause, nth, keep)
            if cause == "duplicate_key":
                rows.insert(_later(rows, row), _doubled(system, rows, row, nth, keep))
            else:
                row.cause = cause
                if cause in BREAK:
                    BREAK[cause](row.entry.cells, COLUMN[system], nth, system)
    return rows


def _choose(rows: list[Row], cause: str, nth: int, keep: set[str]) -> Row:
    needs = {"malformed_email": "email", "invalid_iban": "iban", "invalid_date": "iban"}.get(cause)
    doubled = {row.entry.key for row in rows if row.cause == "duplicate_key"}
    able = [
        row
        for row in rows
        if not row.cause
        and row.entry.entity not in keep
        and row.entry.key not in doubled
        and (not needs or getattr(row.entry, needs))
    ]
    return able[number("broken", cause, str(nth), able[0].entry.system) % len(able)]


def _later(rows: list[Row], row: Row) -> int:
    """Somewhere after the row whose key is used again."""
    place = rows.index(row) + 1
    return place + number("later", row.entry.key) % (len(rows) - place + 1)


def _doubled(system: str, rows: list[Row], first: Row, nth: int, keep: set[str]) -> Row:
    """Another supplier under a key that is taken: the content of one row, the key of an earlier one."""
    other = _choose([row for row in rows if row is not first], "other", nth, keep).entry
    entry = Entry(
        system=system,
        entity=other.entity,
        group=other.group,
        name=other.name,
        country=other.country,
        key=first.entry.key,
    )
    entry.cells = other.cells | {COLUMN[system]["key"]: first.entry.key}
    if system == COUPA:
        entry.cells["Supplier Name"] = f"{other.name} {nth + 2}"
    return Row(entry, "duplicate_key")


Cells = dict[str, object]
Columns = dict[str, str]


def _missing_key(cells: Cells, columns: Columns, nth: int, system: str) -> None:
    cells[columns["key"]] = ""


def _missing_name(cells: Cells, columns: Columns, nth: int, system: str) -> None:
    cells[columns["name"]] = ""
    if system == S4HANA:
        cells["Name 2"] = ""


def _invalid_country(cells: Cells, columns: Columns, nth: int, system: str) -> None:
    cells[columns["country"]] = COUNTRIES[(nth + number(system)) % len(COUNTRIES)]


def _invalid_iban(cells: Cells, columns: Columns, nth: int, system: str) -> None:
    """One more on the last check digit: the digits no longer agree."""
    if system == CONCUR:
        bank = dict(cells["BankAccount"])  # type: ignore[call-overload]
        bank["AccountNumber"] = _spoil(bank["AccountNumber"])
        cells["BankAccount"] = bank
    else:
        cells["IBAN"] = _spoil(str(cells["IBAN"]))


def _spoil(iban: str) -> str:
    return f"{iban[:3]}{(int(iban[3]) + 1) % 10}{iban[4:]}"


def _unknown_term(cells: Cells, columns: Columns, nth: int, system: str) -> None:
    cells[columns["term"]] = UNKNOWN_TERMS[system][nth % len(UNKNOWN_TERMS[system])]


def _malformed_email(cells: Cells, columns: Columns, nth: int, system: str) -> None:
    cells[columns["email"]] = EMAILS[(nth + number(system)) % len(EMAILS)]


def _too_long(cells: Cells, columns: Columns, nth: int, system: str) -> None:
    """A delivery note pasted into the address."""
    cells[columns["long"]] = ("Deliveries at the rear gate, ring twice, ask for the warehouse. " * 90).strip()


def _invalid_date(cells: Cells, columns: Columns, nth: int, system: str) -> None:
    cells["Bank Valid From"] = DATES[nth % len(DATES)]


BREAK: dict[str, Callable[[Cells, Columns, int, str], None]] = {
    "missing_key": _missing_key,
    "missing_name": _missing_name,
    "invalid_country": _invalid_country,
    "invalid_iban": _invalid_iban,
    "unknown_payment_term": _unknown_term,
    "malformed_email": _malformed_email,
    "cell_too_long": _too_long,
    "invalid_date": _invalid_date,
}  # the other causes are broken where the file is written
