"""Owns bringing one supplier to what a payload says: header, addresses, sites, tax registrations, bank accounts.

Every request sets what differs from what was just read and is conditional on it where Oracle knows the condition.
Together they are not atomic: whatever an interruption leaves undone differs still, and is done by the next push.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sync import flat
from sync.connectors.oracle_fusion.record import (
    ADDRESSES,
    ASSIGNMENTS,
    BANKS,
    PAYABLES,
    PAYEES,
    PREFIX,
    SITES,
    TAXES,
    Held,
)
from sync.connectors.oracle_fusion.wire import Api, Item
from sync.errors import FieldProblem, Refused
from sync.mapping import Difference, Pairing
from sync.mapping import Mapping as FieldMapping
from sync.normalise import is_empty

Leaves = dict[str, Any]


@dataclass
class Writer:
    """One push. `written` tells whether anything was sent."""

    api: Api
    mapping: FieldMapping
    parts: Collection[str]
    reference_field: str
    written: bool = field(default=False, init=False)

    def create(self, payload: Mapping[str, Any], reference: str) -> Item:
        """The header alone, with our reference on it: from then on the supplier can be found again."""
        wanted = flat.head(self.mapping.writable(payload, creating=True))
        body = {name: value for name, value in _dated(wanted).items() if not is_empty(value)}
        body[self.reference_field] = PREFIX + reference
        self.written = True
        return self.api.post("suppliers", body)

    def bring(self, payload: Mapping[str, Any], held: Held, reference: str) -> None:
        """Everything that differs, parents before children."""
        actual = held.fields()
        self.head(
            payload, held, actual, {} if held.supplier.get(self.reference_field) else {self.reference_field: reference}
        )
        for part in (ADDRESSES, SITES, TAXES, BANKS):
            if part in self.parts:
                pairing = self.mapping.pair(part, payload, actual)
                changed = self._changed(part, payload, actual)
                if part == BANKS:
                    self._banks(payload, held, pairing, changed)
                else:
                    self._rows(part, payload, held, pairing, changed)

    def head(self, payload: Mapping[str, Any], held: Held, actual: Mapping[str, Any], link: Mapping[str, str]) -> None:
        wanted = self.mapping.writable(payload, creating=False)
        differs = [item.field for item in self.mapping.compare(payload, actual, parts=("",))]
        body = _dated({name: wanted[name] for name in differs if name in wanted})
        body.update({name: PREFIX + uid for name, uid in link.items()})
        if body:
            self._patch(held.supplier, body)

    # Rows of the supplier

    def _rows(
        self, part: str, payload: Mapping[str, Any], held: Held, pairing: Pairing, changed: Mapping[str, Leaves]
    ) -> None:
        """Change ours, add what lacks. What only Oracle has is a finding of drift, not something a push removes."""
        for row, body in changed.items():
            self._patch(held.item(part, pairing.matched[row]), body)
        for row in pairing.missing:
            body = _filled(self._new(payload, part)[row])
            if part == SITES:
                body = self._new_site(body, payload, held)
            if part == TAXES:
                body = {"PartyTypeCode": "THIRD_PARTY", "PartyNumber": held.supplier["RegistryId"], **body}
            self._post(TAXES if part == TAXES else self.api.child(held.supplier, part), body)

    def _new_site(self, body: Leaves, payload: Mapping[str, Any], held: Held) -> Leaves:
        """A site lies at an address and serves a client business unit; without one nobody can pay through it."""
        unit = body["ProcurementBU"]
        place = {"SupplierAddressName": self._address_name(payload, held)}
        return {**body, **place, "assignments": [{"ClientBU": unit, "BillToBU": unit}]}

    def _address_name(self, payload: Mapping[str, Any], held: Held) -> str:
        """The address the sites lie at: our registered one, else our first, else Oracle's first."""
        ours = flat.rows(payload, ADDRESSES)
        if not ours:
            theirs = [str(item["AddressName"]) for item in held.rows.get(ADDRESSES, {}).values()]
            if theirs:
                return theirs[0]
            words = "A site needs an address, and this supplier has none. Add its registered address."
            raise Refused(words, problems=(FieldProblem("SupplierAddressName", "required", words),))
        row = next(
            (row for row, body in ours.items() if str(body["AddressName"]).startswith("REGISTERED ")), next(iter(ours))
        )
        matched = self.mapping.pair(ADDRESSES, payload, held.fields()).matched
        return str(held.item(ADDRESSES, matched[row])["AddressName"] if row in matched else ours[row]["AddressName"])

    # Bank accounts: payee, account with its owner, assignment

    def _banks(self, payload: Mapping[str, Any], held: Held, pairing: Pairing, changed: Mapping[str, Leaves]) -> None:
        """New and changed accounts first; then those that we do not have are no longer paid to."""
        ours = {row: body for row, body in self._new(payload, BANKS).items() if row in pairing.missing}
        idle = self._idle(ours, held)
        if ours:
            payee = held.payee or self._new_payee(held)
            for row, body in ours.items():
                self._assign(payee, idle.get(row) or self._new_account(body, held), body)
        for row, body in changed.items():
            theirs = pairing.matched[row]
            days = {leaf.partition(".")[2]: value for leaf, value in body.items() if "." in leaf}
            rest = {leaf: value for leaf, value in body.items() if "." not in leaf}
            if rest:
                self._patch(held.item(BANKS, theirs), rest)
            if days:
                self._patch(held.assignments[theirs], days)
        for row in pairing.extra:
            self._patch(held.assignments[row], {"EndDate": _today()})

    def _new_payee(self, held: Held) -> Item:
        body = {
            "PayeePartyIdentifier": held.supplier["SupplierPartyId"],
            "PaymentFunctionCode": PAYABLES,
            "Intent": "Supplier",
        }
        return self._post(PAYEES, body)

    def _new_account(self, leaves: Leaves, held: Held) -> Item:
        """The owner travels with the account: one without an owner could never be found again."""
        owner = {"AccountOwnerPartyIdentifier": held.supplier["SupplierPartyId"], "Intent": "Supplier"}
        body = {leaf: value for leaf, value in _filled(leaves).items() if "." not in leaf}
        return self._post(BANKS, {**body, "Intent": "Supplier", "accountOwners": [owner]})

    def _idle(self, ours: Mapping[str, Leaves], held: Held) -> dict[str, Item]:
        """Accounts that are the supplier's already, but not assigned: an earlier push got that far."""
        every = {name: held.account(name) for name in held.rows.get(BANKS, {})}
        fits = {
            row: [name for name, theirs in every.items() if self._fits(row, body, theirs)] for row, body in ours.items()
        }
        claims = Counter(name for found in fits.values() for name in found)
        for found in fits.values():
            if len(found) > 1 or any(claims[name] > 1 or name in held.assignments for name in found):
                words = (
                    "Oracle shows only the last digits of its account numbers, and these fit more than one account. "
                    "Let Oracle display all digits (Manage System Security Options), or enter the account there."
                )
                raise Refused(words, problems=(FieldProblem(BANKS, "masked", words),))
        return {row: held.item(BANKS, found[0]) for row, found in fits.items() if found}

    def _fits(self, row: str, ours: Leaves, theirs: Leaves) -> bool:
        one = flat.from_rows(BANKS, {"theirs": theirs})
        return bool(self.mapping.pair(BANKS, flat.from_rows(BANKS, {row: ours}), one).matched)

    def _assign(self, payee: Item, account: Item, leaves: Leaves) -> None:
        days = {leaf.partition(".")[2]: value for leaf, value in _filled(leaves).items() if "." in leaf}
        body = {
            "PaymentPartyId": payee["PayeeId"],
            "PaymentInstrumentId": account["BankAccountId"],
            "PaymentInstrumentType": "BANKACCOUNT",
            "PaymentFlow": "DISBURSEMENTS",
            "Intent": "Supplier",
        }
        self._post(ASSIGNMENTS, {**body, **days})

    # Small things

    def _new(self, payload: Mapping[str, Any], part: str) -> dict[str, Leaves]:
        """Our rows as they are created: without what Oracle makes itself."""
        return flat.rows(self.mapping.writable(payload, creating=True), part)

    def _changed(self, part: str, payload: Mapping[str, Any], actual: Mapping[str, Any]) -> dict[str, Leaves]:
        """Our row -> the leaves in which it differs."""
        wanted = self.mapping.writable(payload, creating=False)
        found: dict[str, Leaves] = {}
        for item in self.mapping.compare(payload, actual, parts=(part,)):
            _, row, leaf = flat.split_name(item.field)
            if item.kind == "different" and item.field in wanted:
                found.setdefault(str(row), {})[leaf] = wanted[item.field]
        return found

    def _patch(self, item: Item, body: Mapping[str, Any]) -> None:
        self.written = True
        self.api.patch(item, body)

    def _post(self, path: str, body: Mapping[str, Any]) -> Item:
        self.written = True
        return self.api.post(path, body)


def differences(
    mapping: FieldMapping, payload: Mapping[str, Any], held: Held, parts: Collection[str]
) -> list[Difference]:
    """What of the payload Oracle does not hold; what it holds besides is for drift to tell."""
    found = mapping.compare(payload, held.fields(), parts=parts)
    return [item for item in found if item.kind != "extra"]


def _dated(body: Mapping[str, Any]) -> Leaves:
    """Oracle makes the status of a supplier from the day it ends."""
    found = dict(body)
    if "Status" in found:
        found["InactiveDate"] = None if found.pop("Status") == "ACTIVE" else _today()
    return found


def _filled(leaves: Mapping[str, Any]) -> Leaves:
    return {leaf: value for leaf, value in leaves.items() if not is_empty(value)}


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
