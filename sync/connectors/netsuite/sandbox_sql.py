"""Owns SuiteQL in the sandbox: the tables of the records catalog, filled from the store, asked through SQLite.

docs.oracle.com NetSuite help, “Executing SuiteQL Queries Through REST Web Services”. Names of columns are in small
letters, flags are T and F, values are text, and a column without a value is left out of its row.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from sync import flat
from sync.sandbox import Fail
from sync.sandbox_store import Row, Store

_TABLES = {"vendor": "supplier", "term": "payment_term", "subsidiary": "legal_entity"}
_NUMBERS = {"id", "terms", "currency", "category", "incoterm", "subsidiary", "parent", "daysuntilnetdue"}
_COLUMNS = {
    "vendor": "id externalid entityid companyname legalname isperson isinactive email phone url taxidnum terms currency"
    " category incoterm subsidiary lastmodifieddate datecreated",
    "term": "id externalid name datedriven isinactive daysuntilnetdue discountpercent daysuntilexpiry",
    "subsidiary": "id externalid name legalname isinactive parent currency country lastmodifieddate",
    "vendoraddressbook": "entity internalid label defaultbilling defaultshipping addressbookaddress",
    "vendoraddressbookentityaddress": "nkey addr1 addr2 addr3 addressee attention city state zip country",
}


def ask(store: Store, text: str, *, offset: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The rows of one page and how many there are in all; Fail(400) for anything but one good SELECT."""
    if not re.match(r"\s*select\b", text, re.I) or ";" in text:
        raise Fail(
            400, "Invalid search query. Only one SELECT statement can be executed.", code="INVALID_PARAMETER", field="q"
        )
    wanted = {table for table in _COLUMNS if re.search(rf"\b{table}\b", text, re.I)}
    base = sqlite3.connect(":memory:")
    try:
        base.create_function("TO_DATE", 2, lambda value, form: str(value))
        _fill(base, store, wanted)
        found = base.execute(f"SELECT * FROM ({text}) LIMIT ? OFFSET ?", (limit, offset))
        names = [column[0].lower() for column in found.description]
        rows = [_shown(dict(zip(names, values, strict=True))) for values in found]
        total = int(base.execute(f"SELECT count(*) FROM ({text})").fetchone()[0])
    except sqlite3.Error as error:
        words = f"Invalid search query. Detailed unprocessed description follows. Search error occurred: {error}."
        raise Fail(400, words, code="INVALID_PARAMETER", field="q") from None
    finally:
        base.close()
    return rows, total


def _fill(base: sqlite3.Connection, store: Store, wanted: Iterable[str]) -> None:
    for table in wanted:
        columns = _COLUMNS[table].split()
        base.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        marks = ", ".join("?" for _ in columns)
        type = _TABLES.get(table, "supplier")
        rows = (line for row in store.page(type) for line in _lines(table, row))
        base.executemany(
            f"INSERT INTO {table} VALUES ({marks})",
            [[_stored(name, line.get(name)) for name in columns] for line in rows],
        )


def _lines(table: str, row: Row) -> Iterable[Mapping[str, Any]]:
    if table in _TABLES:
        fields = {name.removesuffix(".id").lower(): value for name, value in row.fields.items() if "[" not in name}
        yield {**fields, "id": row.key, "lastmodifieddate": row.changed_at[:19], "datecreated": row.created_at[:19]}
        return
    for id, line in flat.rows(row.fields, "addressBook").items():
        leaves = {
            name.removeprefix("addressBookAddress.").removesuffix(".id").lower(): value for name, value in line.items()
        }
        yield {**leaves, "entity": int(row.key), "internalid": int(id), "addressbookaddress": int(id), "nkey": int(id)}


def _stored(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return "T" if value else "F"
    return int(value) if name in _NUMBERS and value not in (None, "") else value


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"links": [], **{name: str(value) for name, value in row.items() if value not in (None, "")}}
