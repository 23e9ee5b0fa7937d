"""Owns how the sandbox adds entities to a business partner: deep insert, and keys given by the system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync import flat
from sync.connectors.s4hana import gateway
from sync.connectors.s4hana.entities import ADDRESS, HEAD, SETS, SUPPLIER, EntitySet
from sync.connectors.s4hana.schema import PROPERTIES
from sync.sandbox import Fail
from sync.sandbox_store import Store

Fields = dict[str, Any]


def insert_below(
    store: Store, fields: Fields, owner: str, name: str, body: Mapping[str, Any], address: str = ""
) -> None:
    """Every child in the navigations of `body`; the supplier last, because it needs its roles."""
    known = {child.nav: child for child in SETS.values() if child.parent == name}
    for nav in sorted((nav for nav in body if nav.startswith("to_")), key=lambda nav: nav == "to_Supplier"):
        if nav not in known:
            raise Fail(400, f"Navigation property {nav} is invalid", code=gateway.BUSINESS, field=nav)
        given = body[nav]
        given = given.get("results", [given]) if isinstance(given, Mapping) else given or []
        for item in given:
            insert(store, fields, owner, known[nav], item, address)


def insert(store: Store, fields: Fields, owner: str, child: EntitySet, body: Any, address: str = "") -> str | None:
    """Add one entity to the raw record; its row id."""
    values = gateway.incoming(child.name, body, creating=True)
    if child.name == SUPPLIER:
        if f"{SUPPLIER}.Supplier" not in fields:
            words = "A supplier needs the role FLVN00 or FLVN01"
            raise Fail(400, words, code="R1/501", field="to_Supplier")
        gateway.store(fields, SUPPLIER, None, values)
        insert_below(store, fields, owner, SUPPLIER, body)
        return None
    row_id = _number(store, fields, child, values, address)
    if flat.rows(fields, child.name).get(row_id):
        raise Fail(400, f"{child.name} {row_id} exists already", code="R1/108", field=child.keys[0])
    gateway.store(fields, child.name, row_id, values)
    if child.name == "A_BusinessPartnerRole" and str(values["BusinessPartnerRole"]).startswith("FLVN"):
        fields[f"{HEAD}.Supplier"] = fields[f"{SUPPLIER}.Supplier"] = owner
        gateway.derive(fields)
    if child.name == ADDRESS:
        insert_below(store, fields, owner, child.name, body, str(values["AddressID"]))
    return row_id


def _number(store: Store, fields: Fields, child: EntitySet, values: Fields, address: str) -> str:
    """Address numbers, ordinals and bank detail ids are given here; other keys have to come along."""
    for key in child.inherited:
        values.pop(key, None)
    rows = flat.rows(fields, child.name)
    if child.name == ADDRESS:
        values["AddressID"] = f"{store.next_number('ADDRESS', 50_000_001):010d}"
    elif child.parent == ADDRESS:
        owner = address or next(iter(flat.rows(fields, ADDRESS)), "")
        ordinal = 1 + sum(1 for name in rows if name.startswith(owner))
        default = next(name for name in PROPERTIES[child.name] if name.startswith("IsDefault"))
        values.update({"AddressID": owner, "OrdinalNumber": str(ordinal), default: True})
        return f"{owner}-{ordinal}"
    elif child.name == "A_BusinessPartnerBank" and not values.get("BankIdentification"):
        values["BankIdentification"] = f"{1 + max((int(n) for n in rows if n.isdigit()), default=0):04d}"
    if missing := next((key for key in child.keys if not values.get(key)), None):
        raise Fail(400, f"Enter a value for {missing}", code="R1/104", field=missing)
    return "-".join(str(values[key]) for key in child.keys)
