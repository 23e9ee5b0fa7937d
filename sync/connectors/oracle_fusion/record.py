"""Owns the two forms of a supplier: the items of six resources as Oracle gives them, and one flat record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync import flat
from sync.connectors.oracle_fusion.wire import LINKED, Api, Item, equals, items_of, one_of
from sync.protocol import RemoteRecord

ADDRESSES, SITES, TAXES, BANKS = "addresses", "sites", "taxRegistrations", "externalBankAccounts"
PAYEES, ASSIGNMENTS = "paymentsExternalPayees", "instrumentAssignments"
IDS = {ADDRESSES: "SupplierAddressId", SITES: "SupplierSiteId", TAXES: "RegistrationId", BANKS: "BankAccountId"}
PAYABLES = "PAYABLES_DISB"  # the payment function of suppliers
PREFIX = "MDM-"
FOREVER = "4712-12-31"  # Oracle's “no end”


@dataclass(frozen=True)
class Held:
    """What Oracle holds of one supplier, item by item; `assignments` by the account's id."""

    supplier: Item
    rows: Mapping[str, Mapping[str, Item]] = field(default_factory=dict)  # part -> row -> item
    payee: Item | None = None
    assignments: Mapping[str, Item] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return str(self.supplier.get("SupplierNumber") or "")

    def item(self, part: str, row: str) -> Item:
        return self.rows[part][row]

    def fields(self) -> dict[str, Any]:
        """The flat record; accounts that are not assigned to the supplier pay nothing and are left out."""
        found = leaves(self.supplier)
        for part, items in self.rows.items():
            if part != BANKS:
                found.update(flat.from_rows(part, {row: leaves(item) for row, item in items.items()}))
        assigned = {row: item for row, item in self.rows.get(BANKS, {}).items() if row in self.assignments}
        found.update(flat.from_rows(BANKS, {row: self.account(row) for row in assigned}))
        return found

    def account(self, row: str) -> dict[str, Any]:
        """The leaves of an account, with the days of its assignment."""
        assignment = leaves(self.assignments.get(row, {}))
        days = {f"assignment.{leaf}": assignment.get(leaf) for leaf in ("StartDate", "EndDate")}
        return {**leaves(self.rows[BANKS][row]), **days}

    def record(self, reference_field: str) -> RemoteRecord:
        reference = reference_of(self.supplier, reference_field)
        blocked = str(self.supplier.get("Status") or "").upper() == "INACTIVE"
        changed = str(self.supplier.get("LastUpdateDate") or "")
        return RemoteRecord(self.key, self.fields(), reference, "", changed, blocked)


def reference_of(supplier: Item, reference_field: str) -> str:
    """The uid of the golden record a supplier belongs to, "" when it carries nothing of ours."""
    value = str(supplier.get(reference_field) or "")
    return value.removeprefix(PREFIX) if value.startswith(PREFIX) else ""


def gather(api: Api, suppliers: Sequence[Item], parts: Collection[str], params: Mapping[str, str]) -> list[Held]:
    """Everything else that belongs to these suppliers, asked for together."""
    if not suppliers:
        return []
    taxes = _taxes(api, suppliers, params) if TAXES in parts else {}
    banks = _banks(api, suppliers, params) if BANKS in parts else {}
    payees = _payees(api, suppliers, params) if BANKS in parts else {}
    assignments = _assignments(api, payees.values(), params) if payees else {}
    found = []
    for supplier in suppliers:
        payee = payees.get(_text(supplier, "SupplierPartyId"))
        rows = {part: _named(part, _children(api, supplier, part, params)) for part in (ADDRESSES, SITES)}
        if TAXES in parts:
            rows[TAXES] = _named(TAXES, taxes.get(_text(supplier, "RegistryId"), []))
        if BANKS in parts:
            rows[BANKS] = _named(BANKS, banks.get(_text(supplier, "SupplierId"), []))
        mine = assignments.get(_text(payee, "PayeeId"), {}) if payee else {}
        found.append(Held(supplier, rows, payee, mine))
    return found


def _children(api: Api, supplier: Item, part: str, params: Mapping[str, str]) -> list[Item]:
    """An expanded collection is a page like any other: the rest is fetched where the supplier says."""
    value = supplier.get(part)
    if not (isinstance(value, Mapping) and value.get("hasMore")):
        return items_of(value)
    known = supplier
    if not supplier.get("links"):
        known = api.collect("suppliers", {"q": equals(SupplierId=supplier["SupplierId"]), **LINKED})[0]
    return api.collect(api.child(known, part), params)


def _taxes(api: Api, suppliers: Sequence[Item], params: Mapping[str, str]) -> dict[str, list[Item]]:
    numbers = [_text(supplier, "RegistryId") for supplier in suppliers]
    query = f"{equals(PartyTypeCode='THIRD_PARTY')} and {one_of('PartyNumber', numbers)}"
    return _grouped(api.collect(TAXES, {"q": query, **params}), "PartyNumber")


def _banks(api: Api, suppliers: Sequence[Item], params: Mapping[str, str]) -> dict[str, list[Item]]:
    query = one_of("VendorId", [supplier["SupplierId"] for supplier in suppliers])
    finder = {"finder": "SearchExternalBankAccount;Intent=Supplier"}
    return _grouped(api.collect(BANKS, {"q": query, **finder, **params}), "VendorId")


def _payees(api: Api, suppliers: Sequence[Item], params: Mapping[str, str]) -> dict[str, Item]:
    """The payee of the supplier as a whole: those of its addresses and sites are somebody else's business."""
    query = one_of("PayeePartyIdentifier", [supplier["SupplierPartyId"] for supplier in suppliers])
    places = ("PayeePartySiteIdentifier", "SupplierSiteIdentifier", "OrganizationIdentifier")
    found = [
        item
        for item in api.collect(PAYEES, {"q": query, **params})
        if item.get("PaymentFunctionCode") == PAYABLES and not any(item.get(name) for name in places)
    ]
    return {_text(item, "PayeePartyIdentifier"): item for item in reversed(found)}


def _assignments(api: Api, payees: Iterable[Item], params: Mapping[str, str]) -> dict[str, dict[str, Item]]:
    """Payee -> account -> its assignment; of several for one account the one that ends last."""
    query = one_of("PaymentPartyId", [payee["PayeeId"] for payee in payees])
    found: dict[str, dict[str, Item]] = {}
    for item in sorted(api.collect(ASSIGNMENTS, {"q": query, **params}), key=_end):
        if item.get("PaymentInstrumentType", "BANKACCOUNT") == "BANKACCOUNT":
            found.setdefault(_text(item, "PaymentPartyId"), {})[_text(item, "PaymentInstrumentId")] = item
    return found


def _end(item: Item) -> tuple[str, int]:
    return str(item.get("EndDate") or FOREVER), int(item.get("PaymentInstrumentAssignmentId") or 0)


def _grouped(items: Iterable[Item], name: str) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(_text(item, name), []).append(item)
    return found


def _named(part: str, items: Iterable[Item]) -> dict[str, Item]:
    return {_text(item, IDS[part]): item for item in items}


def _text(item: Item, name: str) -> str:
    return str(item.get(name) or "")


def leaves(item: Item) -> dict[str, Any]:
    """The plain values; “no end” is none."""
    return {
        name: None if isinstance(value, str) and value.startswith(FOREVER) else value
        for name, value in item.items()
        if not isinstance(value, (dict, list))
    }
