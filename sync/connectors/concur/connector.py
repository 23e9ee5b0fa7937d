"""Owns pushing suppliers to Concur Invoice: read, decide, write what differs, read back. See README.md.

Dimensions are items of lists there, which `list_items` pushes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sync import flat, mapping
from sync.connectors.concur import wire
from sync.connectors.concur.list_items import CLOSING, LISTS, ListItems
from sync.connectors.concur.shape import BANKS, IBANS, flatten, is_approved, key_of
from sync.errors import Ambiguous, FieldProblem, NotSupported, Refused, Separately, SyncError
from sync.normalise import canonical, is_empty
from sync.protocol import Answer, Capability, Config, Exchange, Health, Outcome, Push, RemoteRecord

ADDRESS_CODE = "001"
RULES = Path(__file__).with_name("mapping.yaml")
Vendor = dict[str, Any]  # as Concur answers it


class ConcurConnector:
    """Natural key: VendorCode and AddressCode, written `V003001/001`."""

    name: ClassVar[str] = "concur"
    title: ClassVar[str] = "SAP Concur"
    capability: ClassVar[Capability] = "C"
    credential_options: ClassVar[tuple[str, ...]] = ("refresh_token",)
    types: ClassVar[tuple[str, ...]] = ("supplier", *LISTS)
    max_inflight_s: ClassVar[float] = 60.0
    bulk_size: ClassVar[int] = 25  # nothing is published; as many as Concur gives in a page by itself
    bulk_types: ClassVar[tuple[str, ...]] = ("supplier", *LISTS)

    def __init__(self, config: Config) -> None:
        self._api = wire.Api(config)
        self._mapping = mapping.load(RULES, "supplier")
        self._items = ListItems(config, self._api, {type: mapping.load(RULES, type) for type in self.types[1:]})

    def check(self) -> Health:
        try:
            self._api.client.begin()
            self._api.search(vendorCode="-")  # no vendor can have this code: the smallest answer there is
        except SyncError as error:
            return Health(False, error.message)
        pushable = {**dict.fromkeys(self._mapping.parts, True), IBANS: False, CLOSING: self._items.closes}
        words = "Signed in; vendors and local bank accounts can be read and written."
        words += " Accounts with an IBAN cannot be written: Concur has no field for it."
        return Health(True, f"{words} {self._check_items()}", pushable)

    def _check_items(self) -> str:
        """Of list items: who only sends vendors needs no lists, so it is no failure to have none."""
        try:
            self._items.check()
        except SyncError as error:
            return f"Cost centers and the like cannot be sent yet: {error.message}"
        closing = "deleted there" if self._items.closes else "left open there: deleting is for good (delete_closed)"
        return f"The lists for cost centers and the like are there; what is closed is {closing}."

    def push(self, push: Push) -> Outcome:
        self._expect(push.type)
        self._api.client.begin(
            correlation_id=push.correlation_id,
            conceal=self._mapping.sealed_values(push.payload),
            Idempotency_Key=push.idempotency_key,  # not honoured by the platform; it stands in its logs
        )
        if push.type != "supplier":
            return self._items.push(push)
        if push.action == "block":
            return self._block(push)
        held = self._one(push.key) if push.key else None
        held = held or self._search(push.reference, push.payload)
        if held is None and push.key:
            words = f"Concur has no vendor {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("VendorCode", "key_unknown", words),))
        if held is None:
            try:
                return self._create(push)
            except Refused as refused:
                held = self._own_twin(push, refused)
        return self._update(push, held)

    def push_many(self, pushes: Sequence[Push]) -> list[Answer]:
        """New vendors in one request, then the accounts of those that were made in another."""
        correlations = {push.correlation_id for push in pushes}
        self._api.client.begin(
            correlation_id=correlations.pop() if len(correlations) == 1 else "",
            conceal=[value for push in pushes for value in self._mapping.sealed_values(push.payload)],
        )
        if pushes[0].type != "supplier":
            return self._items.push_many(pushes)
        vendors: dict[int, Vendor] = {}
        answers: dict[int, Answer] = {}
        for place, push in enumerate(pushes):
            try:
                vendors[place] = self._new(push)
            except Refused as refused:
                answers[place] = Answer(refused)
        made = dict(zip(vendors, self._api.create_many(list(vendors.values())), strict=True))
        banks = [
            (place, bank)
            for place, vendor in vendors.items()
            if made[place].error is None
            for bank in self._new_banks(pushes[place], vendor)
        ]
        saved: dict[int, list[wire.Written]] = {place: [] for place in vendors}
        for (place, _), written in zip(banks, self._api.put_banks([bank for _, bank in banks]), strict=True):
            saved[place].append(written)
        answers |= {place: _answer(key_of(vendor), made[place], saved[place]) for place, vendor in vendors.items()}
        return [answers[place] for place in range(len(pushes))]

    def read(self, type: str, key: str) -> RemoteRecord | None:
        self._start(type)
        if type != "supplier":
            return self._items.read(type, key)
        held = self._one(key)
        return self._record(held) if held else None

    def find(self, type: str, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        self._start(type, self._mapping.sealed_values(payload))
        if type != "supplier":
            return self._items.find(type, payload)
        held = self._search(reference, payload)
        return self._record(held) if held else None

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        """Everything, always: Concur has no filter for changes. A vendor that comes twice is given once."""
        self._start(type)
        if type != "supplier":
            yield from self._items.scan(type)
            return
        before: set[str] = set()  # new vendors push others onto the next page
        for page in self._api.pages():
            keys = {key_of(vendor) for vendor in page}
            yield from (self._record(vendor) for vendor in page if key_of(vendor) not in before)
            before = keys

    def exchanges(self) -> tuple[Exchange, ...]:
        return self._api.client.exchanges()

    # Deciding

    def _one(self, key: str) -> Vendor | None:
        found = self._api.by_key(key)
        if len(found) > 1:
            raise _several(found, "this vendor code", "VendorCode")
        return found[0] if found else None

    def _search(self, reference: str, payload: Mapping[str, Any]) -> Vendor | None:
        """By our reference, by the code, by the tax id; never a vendor that belongs to another record."""
        mine = [held for held in self._api.by_reference(reference) if self._reference(held) == reference]
        if mine:
            return min(mine, key=key_of)
        if code := payload.get("VendorCode"):
            held = self._one(f"{code}/{payload.get('AddressCode') or ADDRESS_CODE}")
            if held and self._reference(held) in ("", reference):
                return held
        return self._by_tax_id(payload) if payload.get("TaxID") else None

    def _by_tax_id(self, payload: Mapping[str, Any]) -> Vendor | None:
        """The unlinked vendor of that tax id, when name or address agree as well: groups share tax ids."""
        number = canonical(payload["TaxID"], ("identifier",))
        free = [
            held
            for held in self._api.search(taxID=str(payload["TaxID"]))
            if canonical(held.get("TaxID"), ("identifier",)) == number and not self._reference(held)
        ]
        alike = [held for held in free if _alike(payload, held)]
        if len(alike) == 1:
            return alike[0]
        if not free:
            return None
        raise _several(free, "this tax id", "TaxID")

    def _own_twin(self, push: Push, refused: Refused) -> Vendor:
        """After “already exists”: the vendor that an earlier, lost request of ours made."""
        there = any(problem.code == wire.EXISTS for problem in refused.problems)
        held = self._search(push.reference, push.payload) if there else None
        if held is None:
            raise refused
        return held

    # Writing

    def _create(self, push: Push) -> Outcome:
        vendor = self._new(push)
        self._api.create(vendor)
        self._write_banks(push, vendor, {})
        return self._verified(push, key_of(vendor), "created")

    def _new(self, push: Push) -> Vendor:
        payload = self._mapping.writable(push.payload, creating=True)
        vendor = {name: value for name, value in payload.items() if "[" not in name and not is_empty(value)}
        vendor["VendorCode"], vendor["AddressCode"] = _codes(push)
        vendor[self._api.reference_field] = push.reference
        return vendor

    def _new_banks(self, push: Push, vendor: Vendor) -> Iterator[Vendor]:
        for row in flat.rows(push.payload, BANKS).values():
            filled = {name: value for name, value in row.items() if not is_empty(value)}
            yield wire.bank_record(vendor, filled, active=True)

    def _update(self, push: Push, held: Vendor) -> Outcome:
        """The vendor as read with ours on top: right whether Concur replaces vendors or fills them in."""
        actual = flatten(held)
        writable = self._mapping.writable(push.payload, creating=False)
        changes = [item.field for item in self._mapping.compare(push.payload, actual)]
        vendor = {name: "" if writable[name] is None else writable[name] for name in changes if name in writable}
        vendor = {name: value for name, value in vendor.items() if "[" not in name}
        if self._reference(held) != push.reference:
            vendor[self._api.reference_field] = push.reference
        if vendor:
            self._api.update({**wire.vendor_record(held), **vendor})
        moved = self._write_banks(push, held, actual)
        if not vendor and not moved:
            return self._outcome(key_of(held), "unchanged", True)
        return self._verified(push, key_of(held), "updated")

    def _write_banks(self, push: Push, vendor: Vendor, actual: Mapping[str, Any]) -> bool:
        """New and changed accounts first, then those of theirs that we do not have are switched off."""
        ours, theirs = flat.rows(push.payload, BANKS), flat.rows(actual, BANKS)
        pairing = self._mapping.pair(BANKS, push.payload, actual)
        changed = {
            flat.split_name(item.field)[1] for item in self._mapping.compare(push.payload, actual, parts=(BANKS,))
        }
        for row in (*pairing.missing, *(row for row in pairing.matched if row in changed)):
            known = theirs.get(pairing.matched.get(row, ""), {})
            sent = {name: value for name, value in {**known, **ours[row]}.items() if not is_empty(value)}
            self._api.put_bank(wire.bank_record(vendor, sent, active=True))
        for row in pairing.extra:
            sent = {name: value for name, value in theirs[row].items() if not is_empty(value)}
            self._api.put_bank(wire.bank_record(vendor, sent, active=False))
        return bool(changed)

    def _block(self, push: Push) -> Outcome:
        """Only the vendor of the key; without a key only one that carries our reference."""
        if push.key:
            held = self._one(push.key)
        else:
            mine = self._api.by_reference(push.reference)
            held = next((item for item in mine if self._reference(item) == push.reference), None)
        if held is None:
            return self._outcome(push.key or "", "unchanged", True)  # what is not there is paid nothing
        if not is_approved(held):
            return self._outcome(key_of(held), "unchanged", True)
        self._api.update({**wire.vendor_record(held), **self._mapping.block_fields()})
        now = self._one(key_of(held))
        return self._outcome(key_of(held), "blocked", now is not None and not is_approved(now))

    def _verified(self, push: Push, key: str, effect: Any) -> Outcome:
        """Read back and compare with what we sent."""
        held = self._one(key)
        if held is None:
            return self._outcome(key, effect, False)
        differs = self._mapping.compare(push.payload, flatten(held))
        return self._outcome(key, effect, not differs and self._reference(held) == push.reference)

    def _outcome(self, key: str, effect: Any, verified: bool) -> Outcome:
        return Outcome(key=key, effect=effect, verified=verified, exchanges=self.exchanges())

    # Small things

    def _start(self, type: str, conceal: Any = ()) -> None:
        self._expect(type)
        self._api.client.begin(conceal=conceal)

    def _expect(self, type: str) -> None:
        if type not in self.types:
            raise NotSupported(f"{self.title} takes no {type} from the hub.")

    def _reference(self, held: Vendor) -> str:
        return str(held.get(self._api.reference_field) or "")

    def _record(self, held: Vendor) -> RemoteRecord:
        return RemoteRecord(key_of(held), flatten(held), self._reference(held), "", "", not is_approved(held))


connector = ConcurConnector


def _answer(key: str, made: wire.Written, banks: list[wire.Written]) -> Answer:
    said = made.said + tuple(one for bank in banks for one in bank.said)
    if isinstance(made.error, Refused) and any(problem.code == wire.EXISTS for problem in made.error.problems):
        return Answer(Separately(f"{made.error.message} Perhaps by an earlier request of ours."), said)
    if made.error:
        return Answer(made.error, said)
    wrong = next((bank.error for bank in banks if bank.error), None)
    if wrong:
        return Answer(wrong, said, in_part=not isinstance(wrong, Ambiguous))
    return Answer(Outcome(key, "created", verified=False), said)


def _codes(push: Push) -> tuple[str, str]:
    """The codes of a vendor we create: ours, or a piece of our reference."""
    vendor = str(push.payload.get("VendorCode") or "M" + push.reference.replace("-", "")[:12].upper())
    address = str(push.payload.get("AddressCode") or ADDRESS_CODE)
    # Concur warns that hyphens corrupt lists built from codes.
    for name, code in (("VendorCode", vendor), ("AddressCode", address)):
        if "-" in code:
            words = f"“{code}” cannot be a {name}: hyphens may corrupt Concur's lists."
            raise Refused(words, problems=(FieldProblem(name, "hyphen", words),))
    return vendor, address


def _several(found: list[Vendor], what: str, field: str) -> Refused:
    listed = ", ".join(f"{key_of(held)} “{held.get('VendorName')}”" for held in found[:5])
    words = f"Concur already has {what}: {listed}. Link the right vendor, or correct the supplier."
    return Refused(words, problems=(FieldProblem(field, "maybe_there_already", words),))


def _alike(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Same name, or same street and postal code, written in any way."""

    def same(*names: str) -> bool:
        pairs = [[canonical(side.get(name), ("identifier",)) for side in (ours, theirs)] for name in names]
        return all(left and left == right for left, right in pairs)

    return same("VendorName") or same("Address1", "PostalCode")
