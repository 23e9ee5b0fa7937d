"""Owns the way between the sandbox's raw records and its entities: which there are, and how they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sync import flat
from sync.connectors.dynamics365.sandbox_filters import Node, no_property
from sync.connectors.dynamics365.sandbox_rules import etag
from sync.connectors.dynamics365.sandbox_schema import NAMESPACE, PARTY, EntitySet
from sync.connectors.dynamics365.shape import BANKS, VENDORS
from sync.sandbox import Fail
from sync.sandbox_store import Row, Store

TYPES = {VENDORS: "supplier", BANKS: "supplier", "PaymentTerms": "payment_term", "LegalEntities": "legal_entity"}
TYPES |= {"MainAccounts": "gl_account"}
VALUES = "FinancialDimensionValues"
# The financial dimensions this environment has, all of them custom lists -> where their values are kept.
DIMENSIONS = {"CostCenter": "cost_center", "ProfitCenter": "profit_center", "Project": "project"}
INDEXED = ("VendorAccountNumber", "TaxExemptNumber")
Fields = dict[str, Any]


def entities(store: Store, item: EntitySet, test: Node | None) -> Iterator[Fields]:
    """Everything in a set that may meet the condition, in the order of keys."""
    indexed = INDEXED if item.name == VENDORS else INDEXED[:1] if item.name == BANKS else ()
    exact = test.equalities(indexed) if test else None
    if exact is None:
        types = DIMENSIONS.values() if item.name == VALUES else (TYPES[item.name],)
        rows = [row for type in types for row in store.page(type)]
    else:
        found = {row.key: row for name, value in exact for row in store.where(TYPES[item.name], name, value)}
        rows = [found[key] for key in sorted(found)]
    for row in rows:
        yield from entities_of(row, item)


def type_of(item: EntitySet, fields: Mapping[str, Any]) -> str:
    """Where a record of the set is kept; "" for a value of a dimension that is none."""
    return DIMENSIONS.get(str(fields.get("FinancialDimension")), "") if item.name == VALUES else TYPES[item.name]


def entities_of(row: Row, item: EntitySet) -> Iterator[Fields]:
    if item.name != BANKS:
        yield shown(item, row.fields)
        return
    keys = {name: row.fields.get(name) for name in ("dataAreaId", "VendorAccountNumber")}
    for id, leaves in flat.rows(row.fields, BANKS).items():
        yield shown(item, {"VendorBankAccountId": id, **leaves, **keys})


def shown(item: EntitySet, fields: Mapping[str, Any]) -> Fields:
    """An entity with every property: what is unset has the value that means nothing."""
    held = {name: fields.get(name) or known.nothing for name, known in item.properties.items()}
    return {"@odata.etag": etag(fields), **held}


def selected(item: EntitySet, entity: Fields, select: str) -> Fields:
    names = [name.strip() for name in select.split(",") if name.strip()]
    if unknown := [name for name in names if name not in item.properties]:
        raise no_property(unknown[0], f"{NAMESPACE}.{item.entity}")
    return {name: value for name, value in entity.items() if not names or name in names or name == "@odata.etag"}


def leaves(fields: Mapping[str, Any], prefix: str) -> Fields:
    """The leaves of one entity in a raw record; `prefix` is empty for the record itself."""
    if not prefix:
        return {name: value for name, value in fields.items() if "[" not in name}
    return {name[len(prefix) :]: value for name, value in fields.items() if name.startswith(prefix)}


def share(store: Store, key: str, fields: Mapping[str, Any]) -> None:
    """A party is one for all companies: its other vendors show the same name and address, and their ETag moves."""
    party = {leaf: fields.get(leaf, "") for leaf in (*PARTY, "AddressCountryRegionISOCode", "FormattedPrimaryAddress")}
    number = fields.get("VendorPartyNumber")
    for row in store.where("supplier", "VendorPartyNumber", number) if number else []:
        if row.key != key and any(row.fields.get(leaf, "") != value for leaf, value in party.items()):
            version = int(row.fields.get("RecVersion", 0)) + 1
            store.put("supplier", row.key, {**row.fields, **party, "RecVersion": version}, log=False)


def read_key(item: EntitySet, text: str) -> dict[str, str]:
    """`dataAreaId='usmf',VendorAccountNumber='V-1'`; a single key may go without its name."""
    found = dict(re.findall(r"(\w+)='((?:[^']|'')*)'", text))
    if not found and len(item.key) == 1:
        found = {item.key[0]: text.strip("'")}
    if set(found) != set(item.key):
        raise Fail(400, f"The key of {item.name} is {', '.join(item.key)}; all of it must be given.", code="odata")
    values = {name: value.replace("''", "'") for name, value in found.items()}
    if "dataAreaId" in values:
        values["dataAreaId"] = values["dataAreaId"].lower()
    return values
