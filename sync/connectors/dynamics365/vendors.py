"""Owns pushing vendors: one vendor, in one company, with its bank accounts. See README.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from sync import flat
from sync.connectors.dynamics365.batch import Batch, Changeset
from sync.connectors.dynamics365.reading import Entity, Held, Reader, given_number, tax_number
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
from sync.connectors.dynamics365.wire import EXISTS, NOT_FOUND, Api
from sync.errors import FieldProblem, Refused, Separately, SyncError
from sync.mapping import Mapping as TargetMapping
from sync.normalise import is_empty
from sync.protocol import Answer, Outcome, Push, RemoteRecord

Payload = Mapping[str, Any]
Effect = Literal["created", "updated", "blocked", "unchanged"]
PARTY = "VendorPartyNumber"


class Vendors:
    def __init__(self, api: Api, mapping: TargetMapping, company: str) -> None:
        self._api, self._mapping, self._company = api, mapping, company
        self._reader, self._batch = Reader(api, mapping, company), Batch(api)

    def push(self, push: Push) -> Outcome:
        if push.key:
            self._refuse_foreign(push.key)
        if push.action == "block":
            return self._block(push)
        found = self._reader.one(push.key) if push.key else None
        if found is None and push.key:
            words = f"Finance has no vendor {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("VendorAccountNumber", "key_unknown", words),))
        company, payload = self._placed(push)
        numbered = [] if found else self._reader.numbered(push.reference, payload)
        found = found or self._reader.pick(numbered, payload, company)
        if found is None:
            try:
                return self._create(push, payload, company, numbered)
            except Refused as refused:
                found = self._own_twin(push, payload, company, refused)
        return self._update(payload, found)

    def find_many(self, pushes: Sequence[Push]) -> list[bool]:
        """Of several with one tax number only the first is new: what the others are is told when it is there."""
        asked: dict[int, tuple[str, Payload, str]] = {}
        taken: set[tuple[str, str]] = set()
        for place, push in enumerate(pushes):
            try:
                company, payload = self._placed(push)
            except Refused:  # alone, it is told so
                continue
            number = (company, tax_number(payload))
            if number not in taken:
                asked[place] = push.reference, payload, company
            taken |= {number} if number[1] else set()
        there = dict(zip(asked, self._reader.touched(list(asked.values())), strict=True))
        return [there.get(place, True) for place in range(len(pushes))]

    def push_many(self, pushes: Sequence[Push]) -> list[Answer]:
        """New vendors with their accounts, each all of it or nothing, in one request; read back in another."""
        answers: dict[int, Answer] = {}
        new: dict[int, tuple[Payload, Entity]] = {}
        for place, push in enumerate(pushes):
            try:
                company, payload = self._placed(push)
                new[place] = payload, self._new(push, payload, company)
            except Refused as refused:
                answers[place] = Answer(refused)
        changesets = [self._changeset(pushes[place], *sent) for place, sent in new.items()]
        made = dict(zip(new, self._batch.create(changesets), strict=True))
        seen = self._seen([key_of(new[place][1]) for place, one in made.items() if one.error is None])
        for place, one in made.items():
            own, vendor = new[place]
            held = seen.get(key_of(vendor))
            verified = held is not None and self._agrees(own, held)
            result = _of_one(one.error) if one.error else Outcome(key_of(vendor), "created", verified)
            answers[place] = Answer(result, one.said)
        return [answers[place] for place in range(len(pushes))]

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

    def _placed(self, push: Push) -> tuple[str, dict[str, Any]]:
        """The same for what is written, which needs a company."""
        company, payload = self._in_company(push.payload, push.key)
        if not flat.rows(payload, COMPANY):
            words = "The supplier has no extension for a company of this target. Add one, or do not send it here."
            raise Refused(words, problems=(FieldProblem("dataAreaId", "no_company", words),))
        return company, payload

    def _refuse_foreign(self, key: str) -> None:
        company, _ = split_key(key)
        if company and self._company and company != self._company:
            words = f"Vendor {key} is in another company; this target serves {self._company} only. Mend the crosswalk."
            raise Refused(words, problems=(FieldProblem("dataAreaId", "other_company", words),))

    # Writing

    def _create(self, push: Push, payload: Payload, company: str, elsewhere: list[Entity]) -> Outcome:
        """`elsewhere`: this supplier's vendors in other companies; the new one joins their party."""
        body = self._new(push, payload, company)
        if party := next((vendor[PARTY] for vendor in elsewhere if vendor.get(PARTY)), None):
            body[PARTY] = party
        made = self._api.create(VENDORS, body)
        self._write_accounts(payload, self._reader.with_accounts({**made, **{name: body[name] for name in VENDOR_KEY}}))
        found = self._reader.one(key_of(body))
        if found is None:
            raise self._api.client.lost("The vendor just created cannot be read.")
        return self._outcome(payload, found, "created")

    def _new(self, push: Push, payload: Payload, company: str) -> Entity:
        """A vendor as it is sent to be made."""
        writable = self._mapping.writable(payload, creating=True)
        leaves = {**flat.head(writable, VENDORS), **next(iter(flat.rows(writable, COMPANY).values()))}
        body = {leaf: value for leaf, value in leaves.items() if not is_empty(value)}
        body["dataAreaId"] = company
        body["VendorAccountNumber"] = given_number(payload) or account_of(push.reference)
        return sendable(body)

    def _changeset(self, push: Push, payload: Payload, vendor: Entity) -> Changeset:
        accounts = [(BANKS, _account(vendor, row)) for row in flat.rows(payload, BANKS).values()]
        headers = {"Idempotency-Key": push.idempotency_key, "X-Correlation-ID": push.correlation_id}
        return Changeset([(VENDORS, vendor), *accounts], headers)

    def _seen(self, keys: Sequence[str]) -> dict[str, Held]:
        """Read back, all at once; when that fails they are made all the same, and looked at one by one."""
        try:
            return self._reader.several(keys) if keys else {}
        except SyncError:
            return {}

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
        for row in pairing.missing:
            self._api.create(BANKS, _account(found.vendor, ours[row]))
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
        return Outcome(held.record.key, effect, self._agrees(payload, held), self._api.client.exchanges())

    def _agrees(self, payload: Payload, held: Held) -> bool:
        """Verified by what was just read; what Finance holds besides is no business of a push."""
        parts = (VENDORS, COMPANY) if held.accounts is None else (VENDORS, COMPANY, BANKS)
        found = self._mapping.compare(payload, held.record.fields, parts=parts)
        return not any(item.kind != "extra" for item in found)


def _account(vendor: Entity, row: Payload) -> Entity:
    """A bank account as it is sent to be made."""
    key = {name: str(vendor.get(name)) for name in VENDOR_KEY}
    return {**key, **sendable({leaf: value for leaf, value in row.items() if not is_empty(value)})}


def _of_one(error: SyncError) -> SyncError:
    """What alone may end otherwise: it is there already and may be ours; there is no entity set of accounts; an account
    did not find the vendor beside it, because OData leaves the order within a changeset open."""
    if not isinstance(error, Refused):
        return error
    about = {item for problem in error.problems for item in (problem.code, problem.field)}
    if error.status == NOT_FOUND or about & {EXISTS, "VendorAccountNumber"}:
        return Separately(f"{error.message} It goes alone.")
    return error
