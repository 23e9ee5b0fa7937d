"""Owns pushing vendors: one vendor, in one company, with its bank accounts. See README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from sync import flat
from sync.connectors.dynamics365.reading import Entity, Held, Reader, given_number
from sync.connectors.dynamics365.shape import (
    ALL,
    BANK_KEY,
    BANKS,
    COMPANY,
    HOLD,
    VENDOR_KEY,
    VENDORS,
    account_of,
    key_of,
    sendable,
    split_key,
)
from sync.connectors.dynamics365.wire import EXISTS, Api
from sync.errors import FieldProblem, Refused
from sync.mapping import Mapping as TargetMapping
from sync.normalise import is_empty
from sync.protocol import Outcome, Push, RemoteRecord

Payload = Mapping[str, Any]
Effect = Literal["created", "updated", "blocked", "unchanged"]
PARTY = "VendorPartyNumber"


class Vendors:
    def __init__(self, api: Api, mapping: TargetMapping, company: str) -> None:
        self._api, self._mapping, self._company = api, mapping, company
        self._reader = Reader(api, mapping, company)

    def push(self, push: Push) -> Outcome:
        if push.key:
            self._refuse_foreign(push.key)
        if push.action == "block":
            return self._block(push)
        found = self._reader.one(push.key) if push.key else None
        if found is None and push.key:
            words = f"Finance has no vendor {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("VendorAccountNumber", "key_unknown", words),))
        company, payload = self._in_company(push.payload, push.key)
        if not flat.rows(payload, COMPANY):
            words = "The supplier has no extension for a company of this target. Add one, or do not send it here."
            raise Refused(words, problems=(FieldProblem("dataAreaId", "no_company", words),))
        numbered = [] if found else self._reader.numbered(push.reference, payload)
        found = found or self._reader.pick(numbered, payload, company)
        if found is None:
            try:
                return self._create(push, payload, company, numbered)
            except Refused as refused:
                found = self._own_twin(push, payload, company, refused)
        return self._update(payload, found)

    def read(self, key: str) -> RemoteRecord | None:
        found = self._reader.one(key)
        return found.record if found else None

    def find(self, reference: str, payload: Payload) -> RemoteRecord | None:
        company, own = self._in_company(payload, None)
        found = self._reader.search(reference, own, company)
        return found.record if found else None

    def scan(self) -> Iterator[RemoteRecord]:
        return self._reader.scan()

    # Which company

    def _in_company(self, payload: Payload, key: str | None) -> tuple[str, dict[str, Any]]:
        """The company to write in, and the payload without what is meant for others."""
        rows = {str(row.get("dataAreaId")): name for name, row in flat.rows(payload, COMPANY).items()}
        company = split_key(key)[0] if key else self._company
        if not company and len(rows) == 1:
            company = next(iter(rows))
        listed = ", ".join(sorted(rows))
        if not company and rows:
            hint = "Name the company in the target's settings, and its legal entity in the value map “companies”."
            words = f"One target serves one company, and this supplier has several here: {listed}. {hint}"
            raise Refused(words, problems=(FieldProblem("dataAreaId", "several_companies", hint),))
        if rows and company not in rows:
            words = f"The supplier has no extension for the company {company}, only for {listed}."
            raise Refused(words, problems=(FieldProblem("dataAreaId", "no_company", words),))
        others = {flat.join_name(COMPANY, name, "") for area, name in rows.items() if area != company}
        return company, {name: value for name, value in payload.items() if name.rpartition(".")[0] not in others}

    def _refuse_foreign(self, key: str) -> None:
        company, _ = split_key(key)
        if company and self._company and company != self._company:
            words = f"Vendor {key} is in another company; this target serves {self._company} only. Mend the crosswalk."
            raise Refused(words, problems=(FieldProblem("dataAreaId", "other_company", words),))

    # Writing

    def _create(self, push: Push, payload: Payload, company: str, elsewhere: list[Entity]) -> Outcome:
        """`elsewhere`: this supplier's vendors in other companies; the new one joins their party."""
        writable = self._mapping.writable(payload, creating=True)
        leaves = {**flat.head(writable, VENDORS), **next(iter(flat.rows(writable, COMPANY).values()))}
        body = {leaf: value for leaf, value in leaves.items() if not is_empty(value)}
        body["dataAreaId"] = company
        body["VendorAccountNumber"] = given_number(payload) or account_of(push.reference)
        if party := next((vendor[PARTY] for vendor in elsewhere if vendor.get(PARTY)), None):
            body[PARTY] = party
        made = self._api.create(VENDORS, sendable(body))
        self._write_accounts(payload, self._reader.with_accounts({**made, **{name: body[name] for name in VENDOR_KEY}}))
        found = self._reader.one(key_of(body))
        if found is None:
            raise self._api.client.lost("The vendor just created cannot be read.")
        return self._outcome(payload, found, "created")

    def _own_twin(self, push: Push, payload: Payload, company: str, refused: Refused) -> Held:
        """After “already exists”: the vendor that an earlier, lost request of ours made."""
        there = any(problem.code == EXISTS for problem in refused.problems)
        found = self._reader.search(push.reference, payload, company) if there else None
        if found is None:
            raise refused
        return found

    def _update(self, payload: Payload, found: Held) -> Outcome:
        differences = self._mapping.compare(payload, found.record.fields, parts=(VENDORS, COMPANY))
        writable = self._mapping.writable(payload, creating=False)
        body = {flat.split_name(d.field)[2]: writable[d.field] for d in differences if d.field in writable}
        if body:
            self._change(found.vendor, body)
        written = self._write_accounts(payload, found) or bool(body)
        if written:
            found = self._reader.one(found.record.key) or found
        return self._outcome(payload, found, "updated" if written else "unchanged")

    def _write_accounts(self, payload: Payload, found: Held) -> bool:
        """Account by account; one of theirs that we do not have is reported by drift, never touched."""
        if found.accounts is None:
            return False
        ours = flat.rows(payload, BANKS)
        pairing = self._mapping.pair(BANKS, payload, found.record.fields)
        changes: dict[str, Entity] = {}
        for item in self._mapping.compare(payload, found.record.fields, parts=(BANKS,)):
            _, row, leaf = flat.split_name(item.field)
            if row is not None and item.kind == "different":
                changes.setdefault(row, {})[leaf] = ours[row][leaf]
        key = {name: str(found.vendor.get(name)) for name in VENDOR_KEY}
        for row in pairing.missing:
            filled = {leaf: value for leaf, value in ours[row].items() if not is_empty(value)}
            self._api.create(BANKS, {**key, **sendable(filled)})
        for row, body in changes.items():
            account = found.accounts[pairing.matched[row]]
            its_key = {name: str(account[name]) for name in BANK_KEY}
            self._api.change(BANKS, its_key, sendable(body), str(account.get("@odata.etag") or ""))
        return bool(pairing.missing or changes)

    def _block(self, push: Push) -> Outcome:
        """Only the vendor of the key; without a key only one with a number made from our reference."""
        found = self._reader.one(push.key) if push.key else self._reader.search(push.reference, {}, self._company)
        if found is None:
            return Outcome(push.key or "", "unchanged", True, self._api.client.exchanges())  # it buys nothing
        effect: Effect = "unchanged"
        if found.vendor.get(HOLD) != ALL:
            self._change(found.vendor, {HOLD: ALL})
            found, effect = self._reader.one(found.record.key) or found, "blocked"
        return Outcome(found.record.key, effect, found.record.blocked, self._api.client.exchanges())

    def _change(self, vendor: Entity, body: Entity) -> None:
        key = {name: str(vendor[name]) for name in VENDOR_KEY}
        self._api.change(VENDORS, key, sendable(body), str(vendor.get("@odata.etag") or ""))

    def _outcome(self, payload: Payload, held: Held, effect: Effect) -> Outcome:
        """Verified by what was just read; what Finance holds besides is no business of a push."""
        parts = (VENDORS, COMPANY) if held.accounts is None else (VENDORS, COMPANY, BANKS)
        found = self._mapping.compare(payload, held.record.fields, parts=parts)
        verified = not any(item.kind != "extra" for item in found)
        return Outcome(held.record.key, effect, verified, self._api.client.exchanges())
