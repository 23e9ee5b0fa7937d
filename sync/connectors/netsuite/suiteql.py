"""Owns reading all vendors by SuiteQL: one query for the vendors of a page, one for their addresses.

The record service lists ids only, so that a scan through it would read every vendor by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sync.connectors.netsuite.catalogue import Catalogue
from sync.connectors.netsuite.shape import top_of
from sync.connectors.netsuite.wire import Api

# Column of the vendor table: our flat name.
COLUMNS = {
    "entityid": "entityId",
    "companyname": "companyName",
    "legalname": "legalName",
    "isinactive": "isInactive",
    "email": "email",
    "phone": "phone",
    "url": "url",
    "taxidnum": "taxIdNum",
    "terms": "terms.id",
    "currency": "currency.id",
    "category": "category.id",
    "incoterm": "incoterm.id",
}
ADDRESS = {
    "addr1": "addressBookAddress.addr1",
    "addr2": "addressBookAddress.addr2",
    "addr3": "addressBookAddress.addr3",
    "city": "addressBookAddress.city",
    "state": "addressBookAddress.state",
    "zip": "addressBookAddress.zip",
    "country": "addressBookAddress.country.id",
    "label": "label",
}
_FLAGS = {"T": True, "F": False}
Row = tuple[str, str, dict[str, Any]]  # internal id, external id, flat fields


def vendors(api: Api, catalogue: Catalogue, changed_since: str | None) -> Iterator[list[Row]]:
    """Page by page in the order of internal ids, which never move."""
    columns = [column for column, name in COLUMNS.items() if top_of(name) in catalogue.properties]
    since = f" AND lastmodifieddate >= TO_DATE('{_day(changed_since)}', 'YYYY-MM-DD')" if changed_since else ""
    last = 0
    while True:
        api.client.exchanges()  # only what is being said now is kept: a scan has many pages
        text = f"SELECT id, externalid, {', '.join(columns)} FROM vendor WHERE id > {last}{since} ORDER BY id"
        page = []
        for row in api.query(text):
            page.append(row)
            if len(page) == api.page:
                break
        if not page:
            return
        upto = int(page[-1]["id"])
        addresses = _addresses(api, last, upto)
        yield [_row(row, columns, addresses) for row in page]
        last = upto


def _addresses(api: Api, after: int, upto: int) -> dict[str, dict[str, Any]]:
    """Internal id -> the flat address lines of that vendor."""
    columns = ", ".join(f"address.{column}" for column in ADDRESS if column != "label")
    text = (
        f"SELECT book.entity, address.nkey, book.label, {columns} FROM vendorAddressbook book"
        " JOIN vendorAddressbookEntityAddress address ON address.nkey = book.addressbookaddress"
        f" WHERE book.entity > {after} AND book.entity <= {upto} ORDER BY book.entity, address.nkey"
    )
    found: dict[str, dict[str, Any]] = {}
    for row in api.query(text):
        line = f"addressBook[{row['nkey']}]"
        leaves = {f"{line}.{name}": row[column] for column, name in ADDRESS.items() if row.get(column)}
        found.setdefault(str(row["entity"]), {}).update(leaves)
    return found


def _row(row: dict[str, Any], columns: list[str], addresses: dict[str, dict[str, Any]]) -> Row:
    id = str(row["id"])
    fields = {COLUMNS[column]: _value(column, row[column]) for column in columns if row.get(column)}
    return id, str(row.get("externalid") or ""), {**fields, **addresses.get(id, {})}


def _value(column: str, value: Any) -> Any:
    return _FLAGS.get(value, value) if column.startswith("is") else str(value)


def _day(moment: str) -> str:
    day = moment[:10]
    if not day.replace("-", "").isdigit():
        raise ValueError(f"“{moment}” is no time to read changes from.")
    return day
