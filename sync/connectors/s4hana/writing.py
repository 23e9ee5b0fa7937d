"""Owns the decision what to write: one deep insert for a new supplier, single requests for a known one.

A change of the business partner and of its children is several requests and not atomic. Every request sets
what the payload says and is decided on what was just read, so all of it may be run again at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync import flat
from sync.connectors.s4hana.catalogue import Catalogue
from sync.connectors.s4hana.entities import HEAD, ROLES, SETS, SUPPLIER, EntitySet
from sync.connectors.s4hana.record import Handle, Held
from sync.mapping import Difference
from sync.mapping import Mapping as TargetMapping
from sync.normalise import is_empty

BANK, BANK_KEY = "A_BusinessPartnerBank", "BankIdentification"
ROLE = "A_BusinessPartnerRole"
Payload = Mapping[str, Any]


@dataclass(frozen=True)
class Write:
    """One request: change the entity behind `handle`, or add an entity below `parent`."""

    part: str
    body: dict[str, Any]
    handle: Handle | None = None
    parent: Handle | None = None

    @property
    def path(self) -> str:
        if self.handle:
            return self.handle.address
        assert self.parent is not None
        return f"{self.parent.address}/{SETS[self.part].nav}"


@dataclass(frozen=True)
class Planner:
    """`on_create` are values by `Set.Field` that a system asks for and the mapping does not have."""

    mapping: TargetMapping
    catalogue: Catalogue
    roles: tuple[str, ...] = ROLES
    on_create: Mapping[str, Any] = field(default_factory=dict)

    def differences(self, payload: Payload, held: Held) -> list[Difference]:
        """What of the payload the system does not hold; what it holds besides is no business of a push."""
        wanted = self.catalogue.keep_known(payload)
        found = self.mapping.compare(wanted, held.record.fields, parts=self.catalogue.reachable())
        return [difference for difference in found if difference.kind != "extra"]

    def deep_insert(self, payload: Payload) -> dict[str, Any]:
        """The whole supplier as one body: SAP creates it as a whole or not at all."""
        wanted = self.mapping.writable(self.catalogue.keep_known(payload), creating=True)
        body = self._new(HEAD, flat.head(wanted, HEAD))
        if self.catalogue.has(ROLE):
            body[SETS[ROLE].nav] = [{"BusinessPartnerRole": role} for role in self.roles]
        for name in self.catalogue.reachable():
            if SETS[name].parent == HEAD and name != ROLE:
                self._nest(SETS[name], wanted, body)
        return body

    def changes(self, payload: Payload, held: Held, extra: Mapping[str, Any]) -> Iterator[Write]:
        """The requests that make the difference, parents first; `extra` goes into the business partner."""
        wanted = self.mapping.writable(self.catalogue.keep_known(payload), creating=False)
        bodies = self._bodies(wanted, self.differences(payload, held))
        if extra:
            bodies.setdefault((HEAD, None), {}).update(extra)
        order = {name: position for position, name in enumerate(self.catalogue.reachable())}
        taken = set(flat.rows(held.record.fields, BANK))
        for (part, row), body in sorted(bodies.items(), key=lambda item: order[item[0][0]]):
            handle = self._handle(part, row, wanted, held)
            if handle:
                clean = {leaf: value for leaf, value in body.items() if leaf not in SETS[part].all_keys}
                if clean:
                    yield Write(part, self._cleared(part, clean), handle=handle)
                continue
            parent = held.handle(SETS[part].parent)
            everything = flat.rows(wanted, part).get(row, {}) if row is not None else flat.head(wanted, part)
            if parent and (filled := self._new(part, everything)):
                if part == BANK:
                    filled[BANK_KEY] = _free_number(taken)
                    taken.add(filled[BANK_KEY])
                yield Write(part, filled, parent=parent)

    def missing_roles(self, payload: Payload, held: Held) -> list[Write]:
        """A business partner that is no supplier yet becomes one by its roles; A_Supplier has no create."""
        needs = any(flat.part_of(name).startswith(SUPPLIER) for name in self.catalogue.keep_known(payload))
        head = held.handle(HEAD)
        if not needs or held.handle(SUPPLIER) or head is None:
            return []
        missing = [role for role in self.roles if role not in flat.rows(held.record.fields, ROLE)]
        return [Write(ROLE, {"BusinessPartnerRole": role}, parent=head) for role in missing]

    def _handle(self, part: str, row: str | None, wanted: Payload, held: Held) -> Handle | None:
        """The entity of theirs that is ours, None when it has to be added."""
        if row is None:
            return held.handle(part)
        their_row = self.mapping.pair(part, wanted, held.record.fields).matched.get(row)
        return None if their_row is None else held.handle(part, their_row)

    def _bodies(self, wanted: Payload, found: list[Difference]) -> dict[tuple[str, str | None], dict[str, Any]]:
        """What to send per entity; all fields of a value that is split over several."""
        bodies: dict[tuple[str, str | None], dict[str, Any]] = {}
        for difference in found:
            part, row, _ = flat.split_name(difference.field)
            body = bodies.setdefault((part, row), {})
            if difference.kind == "missing":
                continue
            rule, _ = self.mapping.rule(difference.field)
            names = [flat.join_name(part, row, flat.split_name(name)[2]) for name in rule.names]
            body.update({flat.split_name(name)[2]: wanted[name] for name in names if name in wanted})
        return bodies

    def _nest(self, entity_set: EntitySet, wanted: Payload, body: dict[str, Any]) -> None:
        name = entity_set.name
        rows = [flat.head(wanted, name)] if entity_set.single else list(flat.rows(wanted, name).values())
        entities = [entity for row in rows if (entity := self._new(name, row))]
        below = [child for child in SETS.values() if child.parent == name]
        if entity_set.single and below:
            parent = entities[0] if entities else {}
            for child in below:
                self._nest(child, wanted, parent)
            entities = [parent] if parent and (entities or entity_set.to_one) else []
        if name == BANK:
            for position, entity in enumerate(entities, start=1):
                entity[BANK_KEY] = f"{position:04d}"
        if entities:
            body[entity_set.nav] = entities[0] if entity_set.to_one else entities

    def _new(self, part: str, leaves: Mapping[str, Any]) -> dict[str, Any]:
        """A new entity: what has a value, and what this system asks for besides; {} when there is nothing."""
        filled = {leaf: value for leaf, value in leaves.items() if not is_empty(value)}
        return {**flat.head(self.on_create, part), **filled} if filled else {}

    def _cleared(self, part: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """ABAP knows no null for texts: what is to be empty is sent as the initial value."""
        return {leaf: self.catalogue.empty(part, leaf) if is_empty(value) else value for leaf, value in body.items()}


def _free_number(taken: set[str]) -> str:
    return next(number for number in (f"{n:04d}" for n in range(1, 10000)) if number not in taken)
