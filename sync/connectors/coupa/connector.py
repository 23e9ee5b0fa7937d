"""Owns pushing suppliers to Coupa: read, decide, write what differs, read back. See README.md beside it.

Dimensions are lookup values there, which `lookup_values` pushes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from sync import flat, mapping
from sync.connectors.coupa import wire
from sync.connectors.coupa.lookup_values import LookupValues
from sync.connectors.coupa.shape import flatten, key_of, nest, row_name
from sync.errors import FieldProblem, NotSupported, Refused, SyncError
from sync.normalise import canonical, is_empty
from sync.protocol import Capability, Config, Exchange, Health, Outcome, Push, RemoteRecord

REMIT_TO = "remit-to-addresses"
BANKS = "bank_accounts"  # no part of Coupa's supplier; the mapping names it so that people see it
RULES = Path(__file__).with_name("mapping.yaml")
Supplier = dict[str, Any]  # as Coupa answers it


class CoupaConnector:
    """Natural key: the supplier number, unique there. Updates go by Coupa's own id, found by the number."""

    name: ClassVar[str] = "coupa"
    title: ClassVar[str] = "Coupa"
    capability: ClassVar[Capability] = "C"
    types: ClassVar[tuple[str, ...]] = ("supplier", "cost_center", "profit_center", "project", "gl_account")
    max_inflight_s: ClassVar[float] = 60.0

    def __init__(self, config: Config) -> None:
        self._mapping = mapping.load(RULES, "supplier")
        self._api = wire.Suppliers(config, self._names())
        self._values = LookupValues(config, {type: mapping.load(RULES, type) for type in self.types[1:]})
        self._fallback_contact = str(config.options.get("fallback_contact", ""))

    def check(self) -> Health:
        try:
            self._api.client.begin()
            granted = str(self._api.oauth.token().extra.get("scope") or wire.SCOPES).split()
            self._api.search({"limit": 1})
        except SyncError as error:
            return Health(False, error.message)
        writes = "core.supplier.write" in granted
        message = (
            "Signed in; suppliers can be read and written."
            if writes
            else "Signed in; suppliers can be read, but the scope core.supplier.write is missing."
        )
        pushable = {**dict.fromkeys(self._mapping.parts, writes), BANKS: False}
        message = f"{message} Bank numbers cannot be written: Coupa has no element for them. {self._check_values()}"
        return Health(writes, message, pushable)

    def _check_values(self) -> str:
        """Of lookup values: who only sends suppliers needs no right to them, so it is no failure to have none."""
        try:
            self._values.check()
        except SyncError as error:
            return f"Lookup values cannot be reached, so cost centers and the like cannot be sent: {error.message}"
        return "Lookup values can be read."

    def push(self, push: Push) -> Outcome:
        if self._is_value(push.type):
            return self._values.push(push)
        self._begin(push)
        if push.action == "block":
            return self._block(push)
        held = self._api.by_key(push.key) if push.key else None
        held = held or self._search(push.reference, push.payload)
        if held is None and push.key:
            words = f"Coupa has no supplier {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("number", "key_unknown", words),))
        if held is None:
            try:
                return self._create(push)
            except Refused as refused:
                held = self._own_twin(push, refused)
        return self._update(push, held)

    def read(self, type: str, key: str) -> RemoteRecord | None:
        if self._is_value(type):
            return self._values.read(type, key)
        self._start(type)
        held = self._api.by_key(key)
        return self._record(held) if held else None

    def find(self, type: str, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        if self._is_value(type):
            return self._values.find(type, payload)
        self._start(type)
        held = self._search(reference, payload)
        return self._record(held) if held else None

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        if self._is_value(type):
            yield from self._values.scan(type, changed_since)
            return
        self._start(type)
        for page in self._api.pages(changed_since):
            yield from map(self._record, page)

    def exchanges(self) -> tuple[Exchange, ...]:
        return (*self._api.client.exchanges(), *self._values.client.exchanges())

    # Deciding

    def _search(self, reference: str, payload: Mapping[str, Any]) -> Supplier | None:
        """By our reference, by the number, by the tax id; never a supplier that belongs to another record."""
        if found := self._api.by_reference(reference):
            return found[0]
        held = self._api.by_key(str(payload["number"])) if payload.get("number") else None
        if held and self._api.reference_of(held) in ("", reference):
            return held
        return self._by_tax_id(payload) if payload.get("tax-id") else None

    def _by_tax_id(self, payload: Mapping[str, Any]) -> Supplier | None:
        """The unlinked supplier of that tax id, when name or address agree as well: groups share tax ids."""
        number = canonical(payload["tax-id"], ("identifier",))
        free = [
            held
            for held in self._api.search({"tax_id": payload["tax-id"]})
            if canonical(held.get("tax-id"), ("identifier",)) == number and not self._api.reference_of(held)
        ]
        alike = [held for held in free if _alike(payload, flatten(held))]
        if len(alike) == 1:
            return alike[0]
        if not free:
            return None
        listed = ", ".join(f"{key_of(held)} “{held.get('name')}”" for held in free[:5])
        words = f"Coupa already has this tax id: {listed}. Link one of them, or correct the tax id."
        raise Refused(words, problems=(FieldProblem("tax-id", "maybe_there_already", words),))

    def _own_twin(self, push: Push, refused: Refused) -> Supplier:
        """After “has already been taken”: the supplier that an earlier, lost request of ours made."""
        taken = any(problem.code == wire.TAKEN for problem in refused.problems)
        held = self._search(push.reference, push.payload) if taken else None
        if held is None:
            raise refused
        return held

    # Writing

    def _create(self, push: Push) -> Outcome:
        payload = self._mapping.writable(push.payload, creating=True)
        payload = {name: value for name, value in payload.items() if not is_empty(value)}
        payload["number"] = _number(push)
        payload[f"custom-fields.{self._api.custom_field}"] = push.reference
        if self._fallback_contact:
            payload.setdefault("primary-contact.email", self._fallback_contact)
        made = self._api.create(_body(payload))
        return self._verified(push, made["id"], "created")

    def _update(self, push: Push, held: Supplier) -> Outcome:
        actual = self._record(held).fields
        changes = self._mapping.compare(push.payload, actual)
        writable = self._mapping.writable(push.payload, creating=False)
        body = {
            item.field: writable[item.field] for item in changes if item.field in writable and "[" not in item.field
        }
        if self._api.reference_of(held) != push.reference:
            body[f"custom-fields.{self._api.custom_field}"] = push.reference
        if body:
            self._api.update(held["id"], _body(body))
        moved = self._write_addresses(push, held, {flat.split_name(item.field)[1] for item in changes} - {None})
        if not body and not moved:
            return self._outcome(key_of(held), "unchanged", True)
        return self._verified(push, held["id"], "updated")

    def _write_addresses(self, push: Push, held: Supplier, touched: set[str | None]) -> bool:
        """Remit-to addresses one by one; one of theirs that we do not have is switched off, not deleted."""
        ours = flat.rows(push.payload, REMIT_TO)
        pairing = self._mapping.pair(REMIT_TO, push.payload, self._record(held).fields)
        ids = {row_name(REMIT_TO, item): item["id"] for item in held.get(REMIT_TO) or []}
        for row in pairing.missing:
            body = nest({f"{REMIT_TO}[{row}].{leaf}": value for leaf, value in ours[row].items()})[REMIT_TO][0]
            code = row_name(REMIT_TO, body)
            if code in ids:  # it was switched off before
                self._api.change_address(held["id"], ids[code], {**body, "active": True})
            else:
                self._api.add_address(held["id"], {**body, "active": True})
        for row, theirs in pairing.matched.items():
            if row in touched:
                leaves = {leaf: value for leaf, value in ours[row].items() if leaf != "remit-to-code"}
                body = nest({f"{REMIT_TO}[{row}].{leaf}": value for leaf, value in leaves.items()})[REMIT_TO][0]
                self._api.change_address(held["id"], ids[theirs], body)
        for row in pairing.extra:
            self._api.change_address(held["id"], ids[row], {"active": False})
        return bool(pairing.missing or pairing.extra or touched & set(pairing.matched))

    def _block(self, push: Push) -> Outcome:
        """Only the supplier of the key; without a key only one that carries our reference."""
        if push.key:
            held = self._api.by_key(push.key)
        else:
            held = next(iter(self._api.by_reference(push.reference)), None)
        if held is None:
            return self._outcome(push.key or "", "unchanged", True)  # what is not there buys nothing
        wanted = self._mapping.block_fields()
        if all(held.get(name) == value for name, value in wanted.items()):
            return self._outcome(key_of(held), "unchanged", True)
        self._api.update(held["id"], _body(wanted))
        now = self._api.show(held["id"]) or {}
        return self._outcome(key_of(held), "blocked", all(now.get(name) == value for name, value in wanted.items()))

    def _verified(self, push: Push, id: Any, effect: Any) -> Outcome:
        """Read back and compare with what we sent."""
        held = self._api.show(id)
        if held is None:
            return self._outcome(push.key or "", effect, False)
        differs = self._mapping.compare(push.payload, self._record(held).fields)
        return self._outcome(key_of(held), effect, not differs and self._api.reference_of(held) == push.reference)

    def _outcome(self, key: str, effect: Any, verified: bool) -> Outcome:
        return Outcome(key=key, effect=effect, verified=verified, exchanges=self.exchanges())

    # Small things

    def _begin(self, push: Push) -> None:
        self._expect(push.type)
        self._api.client.begin(correlation_id=push.correlation_id, Idempotency_Key=push.idempotency_key)

    def _names(self) -> list[str]:
        """What we ask for: the elements of the mapping, and what it takes to write the addresses."""
        names = [name for rule in self._mapping.rules.fields for name in rule.names]
        for rows in self._mapping.rules.rows:
            if rows.part != BANKS:
                leaves = [leaf for rule in rows.fields for leaf in rule.leaves]
                names += [f"{rows.part}.{leaf}" for leaf in (*leaves, "active", "id")]
        return names

    def _start(self, type: str) -> None:
        self._expect(type)
        self._api.client.begin()

    def _is_value(self, type: str) -> bool:
        self._expect(type)
        return type != "supplier"

    def _expect(self, type: str) -> None:
        if type not in self.types:
            raise NotSupported(f"{self.title} takes no {type} from the hub.")

    def _record(self, held: Supplier) -> RemoteRecord:
        blocked = held.get("status") == "inactive" or held.get("on-hold") is True
        changed = str(held.get("updated-at") or "")
        return RemoteRecord(key_of(held), flatten(held), self._api.reference_of(held), "", changed, blocked)


connector = CoupaConnector


def _number(push: Push) -> str:
    """The number of a supplier we create: our code, else a piece of our reference."""
    return str(push.payload.get("number") or "MDM" + push.reference.replace("-", "")[:12].upper())


def _body(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Coupa's table of elements takes `supplier-status`, its examples `status`: both are sent."""
    body = nest(payload)
    if "status" in body:
        body["supplier-status"] = body["status"]
    return body


def _alike(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Same name, or same street and postal code, written in any way."""

    def same(*names: str) -> bool:
        pairs = [(canonical(ours.get(n), ("identifier",)), canonical(theirs.get(n), ("identifier",))) for n in names]
        return all(left and left == right for left, right in pairs)

    return same("name") or same("primary-address.street1", "primary-address.postal-code")
