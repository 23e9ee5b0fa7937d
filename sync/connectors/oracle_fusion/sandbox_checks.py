"""Owns what the sandbox of Oracle Fusion refuses because of what is there already: names, twins, owners, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.connectors.oracle_fusion import sandbox_rules as rules
from sync.connectors.oracle_fusion.sandbox_rules import Leaves, entities
from sync.connectors.oracle_fusion.sandbox_schema import REGIMES
from sync.connectors.oracle_fusion.sandbox_views import OWNERS
from sync.sandbox import Fail, Request
from sync.sandbox_store import Row, Store

_UNIQUE = {"addresses": ("AddressName",), "sites": ("SupplierSite", "ProcurementBU")}


def match(request: Request, leaves: Leaves) -> None:
    """“Data Consistency Tasks”: If-Match with the item's ETag, 412 when it moved; without it, unconditional."""
    given = request.header("if-match").strip('"')
    if given not in ("", "*", rules.indicator(leaves)):
        raise Fail(412, "The item was changed after it was read.")


def check_supplier(store: Store, leaves: Leaves, own: str) -> None:
    name = leaves.get("Supplier")
    if any(row.key != own for row in store.where("supplier", "Supplier", name)):
        raise Fail(400, f"A supplier with the name {name} already exists.", field="Supplier")


def check_child(resource: str, leaves: Leaves, held: Mapping[str, Leaves]) -> None:
    unique = _UNIQUE[resource]
    if any(all(other.get(name) == leaves.get(name) for name in unique) for other in held.values()):
        raise Fail(400, f"{leaves.get(unique[0])} already exists for this supplier.", field=unique[0])


def owner_of(store: Store, resource: str, leaves: Leaves, body: Mapping[str, Any]) -> Row:
    """The supplier a new item belongs to."""
    name, own = OWNERS[resource]
    value = leaves.get(name)
    if resource == "externalBankAccounts":
        name, own = "accountOwners", "SupplierPartyId"
        owners = [item for item in body.get(name) or [] if isinstance(item, dict)]
        value = owners[0].get("AccountOwnerPartyIdentifier") if owners else leaves.get("PartyId")
    found = store.where("supplier", own, value)
    if not found:
        raise Fail(400, f"The party {value} doesn't exist.", field=name)
    return found[0]


def check_owned(store: Store, row: Row, resource: str, leaves: Leaves, own: str) -> None:
    others = [held for id, held in entities(row, resource).items() if id != own]
    if resource == "taxRegistrations":
        _check_registration(leaves, others)
    elif resource == "paymentsExternalPayees":
        if any(held.get("PaymentFunctionCode") == leaves.get("PaymentFunctionCode") for held in others):
            raise Fail(400, "The external payee already exists.", field="PayeePartyIdentifier")
    elif resource == "externalBankAccounts":
        rules.check_account(leaves)
        _check_twin(store, leaves, own)


def check_assignment(row: Row, payee: str, account: str) -> None:
    if account not in entities(row, "externalBankAccounts"):
        raise Fail(400, "The bank account doesn't belong to the payee.", field="PaymentInstrumentId")
    for held in entities(row, "instrumentAssignments").values():
        if (str(held["PaymentPartyId"]), str(held["PaymentInstrumentId"])) == (payee, account):
            raise Fail(400, "The bank account is already assigned to the payee.", field="PaymentInstrumentId")


def _check_registration(leaves: Leaves, others: list[Leaves]) -> None:
    if leaves.get("TaxRegimeCode") not in REGIMES:
        raise Fail(400, f"The tax regime {leaves.get('TaxRegimeCode')} isn't valid.", field="TaxRegimeCode")
    same = ("TaxRegimeCode", "RegistrationNumber")
    if any(all(held.get(name) == leaves.get(name) for name in same) for held in others):
        raise Fail(400, "The tax registration already exists.", field="RegistrationNumber")


def _check_twin(store: Store, leaves: Leaves, own: str) -> None:
    for name in ("IBAN", "BankAccountNumber"):
        number = leaves.get(name)
        same = (name, *(("BankBranchNumber", "CountryCode") if name == "BankAccountNumber" else ()))
        for row in store.mentioning("supplier", str(number)) if number else ():
            for id, held in entities(row, "externalBankAccounts").items():
                if id != own and all(held.get(leaf) == leaves.get(leaf) for leaf in same):
                    raise Fail(400, "The bank account already exists.", field=name)
