"""Owns how the sandbox of Oracle Fusion takes a request body in, what it refuses, and how it shows an item.

The words of refusals are the sandbox's own: Oracle's documents give the shape of a refusal, not its texts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from sync import flat
from sync.connectors.oracle_fusion import sandbox_schema as schema
from sync.connectors.oracle_fusion.sandbox_schema import RESOURCES, Attribute
from sync.sandbox import Fail
from sync.sandbox_store import Row

Leaves = dict[str, Any]
ROOT = "/fscmRestApi/resources/11.13.18.05"
HOST = "https://fa-pod.oraclecloud.example:443"  # pods name themselves in links, whatever they were called by
_HASH = "00020000000EACED00057708"


def incoming(resource: str, body: Any, *, creating: bool) -> Leaves:
    """The attributes a body sets; codes instead of meanings, None instead of ""."""
    if not isinstance(body, Mapping):
        raise Fail(400, "The request body must be one object.")
    known, found = RESOURCES[resource], {}
    for name, value in body.items():
        if name in known.children:
            continue
        pair = schema.code_of(name)
        if pair and pair[0] in known.attributes:
            name, value = pair[0], _code(name, value, pair[1])
        attribute = known.attributes.get(name)
        if attribute is None:
            raise Fail(400, f"The attribute {name} is not defined for {resource}.", field=name)
        if attribute.given == "never" or (attribute.given == "create" and not creating):
            raise Fail(400, f"The attribute {name} cannot be updated.", field=name)
        found[name] = _value(name, attribute, value)
    for name in known.required if creating else [name for name in known.required if name in found]:
        if found.get(name) in (None, "") and not (name == "ProcurementBU" and found.get("ProcurementBUId")):
            raise Fail(400, f"You must provide a value for the attribute {name}.", field=name)
    return found


def _code(name: str, value: Any, table: Mapping[str, str]) -> str | None:
    if value in (None, ""):
        return None
    if value not in table:
        raise Fail(400, f"The value {value} of the attribute {name} isn't valid.", field=name)
    return table[value]


def _value(name: str, attribute: Attribute, value: Any) -> Any:
    if value in (None, ""):
        return None
    if attribute.kind == "flag":
        if not isinstance(value, bool):
            raise Fail(400, f"The attribute {name} must be true or false.", field=name)
        return value
    if attribute.kind == "number":
        if isinstance(value, bool) or not isinstance(value, int):
            raise Fail(400, f"The attribute {name} must be a number.", field=name)
        return value
    if not isinstance(value, str):
        raise Fail(400, f"The attribute {name} must be a string.", field=name)
    if attribute.kind == "date" and not _is_date(value):
        raise Fail(400, f"The attribute {name} must be a date of the form yyyy-mm-dd.", field=name)
    if attribute.length and len(value) > attribute.length:
        words = f"The value of the attribute {name} exceeds the maximum length of {attribute.length}."
        raise Fail(400, words, field=name)
    table = next((table for (_, code), table in schema.MEANINGS.items() if code == name), {})
    if name in schema.CLOSED and value not in table.values():
        raise Fail(400, f"The value {value} of the attribute {name} isn't valid.", field=name)
    return value


def check_site(leaves: Leaves, addresses: Mapping[str, Leaves]) -> None:
    by_id = {id: name for name, id in schema.UNITS.items()}
    if "ProcurementBUId" in leaves and not leaves.get("ProcurementBU"):
        leaves["ProcurementBU"] = by_id.get(leaves["ProcurementBUId"])
    if leaves.get("ProcurementBU") not in schema.UNITS:
        raise Fail(400, f"The business unit {leaves.get('ProcurementBU')} isn't valid.", field="ProcurementBU")
    leaves["ProcurementBUId"] = schema.UNITS[leaves["ProcurementBU"]]
    if terms := leaves.get("PaymentTerms"):
        known = next((name for name in schema.TERMS if name.upper() == terms.upper()), None)
        if known is None:
            raise Fail(400, f"The payment terms {terms} aren't valid.", field="PaymentTerms")
        leaves["PaymentTerms"] = known
    names = {held.get("AddressName"): int(id) for id, held in addresses.items()}
    if leaves.get("SupplierAddressName") not in names:
        raise Fail(400, "The site must be at an address of the supplier.", field="SupplierAddressName")
    leaves["SupplierAddressId"] = names[leaves["SupplierAddressName"]]


def check_account(leaves: Leaves) -> None:
    iban = re.sub(r"\s", "", str(leaves.get("IBAN") or "")).upper()
    if not iban and not leaves.get("BankAccountNumber"):
        raise Fail(400, "You must provide an account number or an IBAN.", field="BankAccountNumber")
    if iban:
        if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", iban) or _mod97(iban) != 1:
            raise Fail(400, "The IBAN isn't valid: its check digits don't fit.", field="IBAN")
        leaves["IBAN"] = iban


def _mod97(iban: str) -> int:
    return int("".join(str(int(mark, 36)) for mark in iban[4:] + iban[:4])) % 97


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


# Showing


def entities(row: Row, resource: str) -> dict[str, Leaves]:
    """Id -> stored leaves of the items a supplier has of a resource."""
    if resource == "suppliers":
        return {str(row.fields["SupplierId"]): flat.head(row.fields)}
    return flat.rows(row.fields, resource)


def show(row: Row, resource: str, leaves: Leaves, *, masked: bool) -> Leaves:
    """Every attribute of the resource, null where there is nothing, and what Oracle works out."""
    known = RESOURCES[resource]
    found: Leaves = {name: leaves.get(name) for name in known.attributes}
    if "Status" in found:
        ended = str(found.get("InactiveDate") or "9999")[:10] <= datetime.now(UTC).date().isoformat()
        found["Status"] = "INACTIVE" if ended else "ACTIVE"
    found.update(_derived(row, resource, found))
    for name, code, texts in schema.meanings_of(known.attributes):
        found[name] = texts.get(str(found.get(code)))
    if masked:
        found.update({name: mask(found[name]) for name in schema.MASKED & set(found) if found[name]})
    return found


def _derived(row: Row, resource: str, leaves: Leaves) -> Leaves:
    head = row.fields
    vendor = {"VendorId": head.get("SupplierId")}
    if resource == "addresses":
        parts = [leaves.get(name) for name in ("AddressLine1", "City", "State", "PostalCode")]
        end = leaves["InactiveDate"] or "4712-12-31"
        return {"FormattedAddress": ",".join(str(part) for part in parts if part), "InactiveDate": end}
    if resource == "taxRegistrations":
        return {"PartyNumber": head.get("RegistryId"), "PartyName": head.get("Supplier")}
    if resource == "paymentsExternalPayees":
        return {"PayeePartyIdentifier": head.get("SupplierPartyId")}
    if resource == "externalBankAccounts":
        branch = leaves.get("BankBranchNumber")
        return {**vendor, "PartyId": head.get("SupplierPartyId"), "BankName": f"Bank {branch}" if branch else None}
    if resource == "instrumentAssignments":
        account = entities(row, "externalBankAccounts").get(str(leaves.get("PaymentInstrumentId")), {})
        number = account.get("BankAccountNumber") or account.get("IBAN")
        return {**vendor, "MaskedBankAccountNumber": mask(number) if number else None}
    return {}


def mask(number: str) -> str:
    """As Oracle shows it unless told to display all digits: the last four."""
    return "X" * max(len(number) - 4, 0) + number[-4:] if len(number) > 4 else "X" * len(number)


def links(resource: str, id: str, leaves: Leaves, parent: str = "", wanted: str = "") -> list[dict[str, Any]]:
    path = f"{ROOT}/{parent}{resource}/{path_id(id)}"
    itself = {"name": resource, "kind": "item", "href": HOST + path}
    found: list[dict[str, Any]] = [
        {"rel": "self", **itself, "properties": {"changeIndicator": indicator(leaves)}},
        {"rel": "canonical", **itself},
        *(
            {"rel": "child", "name": name, "kind": "collection", "href": f"{HOST}{path}/child/{name}"}
            for name in RESOURCES[resource].children
        ),
    ]
    return [link for link in found if not wanted or link["rel"] in wanted.split(",")]


def indicator(leaves: Leaves) -> str:
    """Changes with the item, and with nothing else."""
    text = json.dumps(leaves, sort_keys=True, ensure_ascii=False)
    return "ACED0005" + hashlib.sha256(text.encode()).hexdigest()[:56].upper()


def path_id(id: str) -> str:
    """The key of an item in an address: a hash of ours, which no client can make."""
    return f"{_HASH}{int(id):016X}{hashlib.sha256(id.encode()).hexdigest()[:8].upper()}"


def id_of(path: str) -> str:
    """The id behind a path, "" when somebody made it up."""
    try:
        id = str(int(path[len(_HASH) : len(_HASH) + 16], 16))
    except ValueError:
        return ""
    return id if path_id(id) == path else ""


def stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+00:00"
