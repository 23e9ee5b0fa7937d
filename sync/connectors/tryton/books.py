"""Owns the three kinds of record the hub keeps at Tryton: how each is found, read through, created and changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from sync import flat
from sync.connectors.tryton import shape, writing
from sync.connectors.tryton.lookups import Lookups
from sync.connectors.tryton.shape import Held, Values
from sync.connectors.tryton.wire import Api
from sync.errors import FieldProblem, Refused
from sync.mapping import Difference
from sync.mapping import Mapping as Rules
from sync.normalise import canonical
from sync.protocol import Push

_IDENTIFIERS = ("identifiers.type", "identifiers.code", "identifiers.code_compact")
PARTY, COMPANY, TERM = "party.party", "company.company", "account.invoice.payment_term"
Payload = Mapping[str, Any]


class Book(Protocol):
    model: str  # the record that is archived when we block
    models: Mapping[str, tuple[str, ...]]  # part of the mapping -> models that must be writable for it

    def by_key(self, key: str) -> Held | None: ...

    def by_reference(self, reference: str) -> Held | None: ...

    def search(self, reference: str, payload: Payload) -> Held | None:
        """By our reference, then by what Tryton or the world keeps unique; never another record's own."""

    def show(self, id: int) -> Held | None: ...

    def pages(self, changed_since: str | None) -> Iterator[list[Held]]: ...

    def create(self, push: Push, payload: Payload) -> int: ...

    def change(self, push: Push, held: Held, changes: Sequence[Difference]) -> bool:
        """Write what differs, as one conditional write; False when nothing did."""


class Parties:
    """Suppliers. The key is the party's code: unique at Tryton, and nobody can change it there."""

    model = PARTY
    prefix = "MDM:"  # our reference is an identifier without type: this and the golden record's uid
    models: Mapping[str, tuple[str, ...]] = {
        "": (PARTY,),
        **dict.fromkeys(shape.MECHANISMS, ("party.contact_mechanism",)),
        "identifiers": ("party.identifier",),
        "addresses": ("party.address",),
        "bank_accounts": ("bank.account", "bank.account.number"),
    }

    def __init__(self, api: Api, rules: Rules) -> None:
        self._api, self._rules = api, rules
        self.lookups = Lookups(api)
        self._writing = writing.Writing(self.lookups)
        self._tax_types = frozenset(rules.value_maps["tax_types"].values())

    def by_key(self, key: str) -> Held | None:
        return next(iter(self._party([["code", "=", key]])), None)

    def by_reference(self, reference: str) -> Held | None:
        found = self._party([["identifiers.code", "=", self.prefix + reference]])
        return next((held for held in found if held.reference == reference), None)

    def show(self, id: int) -> Held | None:
        return next(iter(self._party([["id", "=", id]])), None)

    def search(self, reference: str, payload: Payload) -> Held | None:
        """One question for all of it. What only shares a code or a tax number must agree in name or address as well:
        codes are given by hand, and groups share tax numbers."""
        asked: list[Any] = [["identifiers.code", "=", self.prefix + reference]]
        if payload.get("code"):
            asked.append(["code", "=", payload["code"]])
        for type, number in self._compact(payload):
            asked.append(["identifiers", "where", [["type", "=", type], ["code_compact", "=", number]]])
        found = self._party(["OR", *asked])
        if mine := next((held for held in found if held.reference == reference), None):
            return mine
        free = [held for held in found if not held.reference]
        alike = [held for held in free if self._alike(payload, held.fields)]
        alike = [held for held in alike if held.raw.get("active") is not False] or alike
        if len(alike) == 1:
            return alike[0]
        if not free:
            return None
        listed = ", ".join(f"{held.key} “{held.raw.get('name')}”" for held in free[:5])
        words = f"Tryton already has this code or tax number: {listed}. Link one of them, or correct ours."
        raise Refused(words, problems=(FieldProblem("code", "maybe_there_already", words),))

    def pages(self, changed_since: str | None) -> Iterator[list[Held]]:
        """Every party but those that are only our own companies and banks."""
        found = [self._api.search_read(model, [], ["party"]) for model in (COMPANY, "bank")]
        others = [item["party"] for items in found for item in items]
        domain: list[Any] = [_changed(changed_since)] if changed_since else []
        if others:
            domain.append(["OR", ["id", "not in", others], ["identifiers.code", "like", f"{self.prefix}%"]])
        for page in self._api.pages(PARTY, domain, shape.PARTY):
            yield [self._held(raw) for raw in page]

    def create(self, push: Push, payload: Payload) -> int:
        return self._api.create(PARTY, self.new(push, payload))

    def new(self, push: Push, payload: Payload) -> Values:
        """A party as it is sent to be made."""
        return self._writing.new_party(payload, new_code(push), self.prefix + push.reference)

    def shown(self, ids: Sequence[int]) -> list[Held]:
        return [self._held(raw) for raw in self._api.search_read(PARTY, [["id", "in", list(ids)]], shape.PARTY)]

    def touched(self, pushes: Sequence[Push]) -> list[bool]:
        """For each: is there a party of its reference, its code or one of its tax numbers? One question for all."""
        numbers = [set(self._compact(push.payload)) for push in pushes]
        marks = [self.prefix + push.reference for push in pushes]
        asked: list[Any] = [["identifiers.code", "in", marks], ["code", "in", list(map(new_code, pushes))]]
        for type in sorted({type for known in numbers for type, _ in known}):
            ours = sorted({number for known in numbers for kind, number in known if kind == type})
            asked.append(["identifiers", "where", [["type", "=", type], ["code_compact", "in", ours]]])
        found = self._api.search_read(PARTY, ["OR", *asked], ("code", *_IDENTIFIERS))
        codes = {str(raw.get("code")) for raw in found}
        identifiers = [item for raw in found for item in raw.get("identifiers.") or []]
        plain = {str(item.get("code")) for item in identifiers}
        taken = {(item.get("type"), canonical(item.get("code_compact"), ("identifier",))) for item in identifiers}
        return [
            new_code(push) in codes or mark in plain or bool(known & taken)
            for push, mark, known in zip(pushes, marks, numbers, strict=True)
        ]

    def change(self, push: Push, held: Held, changes: Sequence[Difference]) -> bool:
        pairings = {part: self._rules.pair(part, push.payload, held.fields) for part in writing.PARTS}
        values = self._writing.changed_party(push.payload, held, changes, pairings)
        return self._write(push, held, values)

    def _write(self, push: Push, held: Held, values: Values) -> bool:
        if held.reference != push.reference:
            known = shape.mark_of(held.raw, self.prefix)
            values = writing.marked(values, self.prefix + push.reference, known)
        if values:
            self._api.write(PARTY, held.id, values, held.stamps)
        return bool(values)

    def _tax_numbers(self, payload: Payload) -> list[tuple[Any, Any]]:
        rows = _rows(payload, "identifiers")
        return [(row.get("type"), row.get("code")) for row in rows if row.get("code")]

    def _compact(self, payload: Payload) -> list[tuple[Any, Any]]:
        """Tax numbers as Tryton compares them."""
        return [(type, canonical(code, ("identifier",))) for type, code in self._tax_numbers(payload)]

    def _alike(self, payload: Payload, fields: Payload) -> bool:
        """Same name, or one street and postal code in common, written in any way."""
        if _plain(payload.get("name")) == _plain(fields.get("name")):
            return True
        ours, theirs = (
            {(_plain(row.get("street")), _plain(row.get("postal_code"))) for row in _rows(record, "addresses")}
            for record in (payload, fields)
        )
        return any(all(place) for place in ours & theirs)

    def _party(self, domain: Sequence[Any]) -> list[Held]:
        found = self._api.search_read(PARTY, domain, shape.PARTY, limit=shape.SEVERAL)
        return [self._held(raw) for raw in found]

    def _held(self, raw: Values) -> Held:
        fields = shape.flatten_party(raw, self._tax_types)
        stamps = shape.stamps_of(PARTY, raw)
        return Held(raw["id"], str(raw.get("code")), raw, fields, shape.reference_of(raw, self.prefix), stamps)


class Companies(Parties):
    """Legal entities: a party, and a company that gives it a currency. The key is the party's code."""

    prefix = "MDM-COMPANY:"
    models: Mapping[str, tuple[str, ...]] = {
        "": (PARTY, COMPANY),
        "address": ("party.address",),
        "tax": ("party.identifier",),
    }

    def __init__(self, api: Api, rules: Rules) -> None:
        super().__init__(api, rules)
        self._tax_types = frozenset(rules.value_maps["vat_types"].values())

    def pages(self, changed_since: str | None) -> Iterator[list[Held]]:
        for page in self._api.pages(COMPANY, [], ["party"]):
            domain: list[Any] = [["id", "in", [company["party"] for company in page]]]
            found = self._api.search_read(
                PARTY, [*domain, *([_changed(changed_since)] if changed_since else [])], shape.PARTY
            )
            yield self._with_companies(found)

    def create(self, push: Push, payload: Payload) -> int:
        """The party first: killed in between, it is found by our reference, and only its company is missing."""
        mark = self.prefix + push.reference
        party = self._api.create(PARTY, self._writing.new_company_party(payload, new_code(push), mark))
        self._api.create(COMPANY, {"party": party, **self._writing.company(payload)})
        return party

    def change(self, push: Push, held: Held, changes: Sequence[Difference]) -> bool:
        touched = {item.field for item in changes}
        values = self._writing.changed_company_party(push.payload, held, touched, self._tax_types)
        moved = self._write(push, held, values)
        if "currency" not in touched:
            return moved
        if held.company is None:
            self._api.create(COMPANY, {"party": held.id, **self._writing.company(push.payload)})
        else:
            stamps = shape.stamps_of(COMPANY, held.company)
            self._api.write(COMPANY, held.company["id"], self._writing.company(push.payload), stamps)
        return True

    def _tax_numbers(self, payload: Payload) -> list[tuple[Any, Any]]:
        return [(payload.get("tax.type"), payload["tax.code"])] if payload.get("tax.code") else []

    def _alike(self, payload: Payload, fields: Payload) -> bool:
        return bool(_plain(payload.get("name")) == _plain(fields.get("name")))

    def _party(self, domain: Sequence[Any]) -> list[Held]:
        return self._with_companies(self._api.search_read(PARTY, domain, shape.PARTY, limit=shape.SEVERAL))

    def _with_companies(self, parties: list[Values]) -> list[Held]:
        if not parties:
            return []
        wanted = [["party", "in", [raw["id"] for raw in parties]]]
        companies = {item["party"]: item for item in self._api.search_read(COMPANY, wanted, shape.COMPANY)}
        return [self._of_company(raw, companies.get(raw["id"])) for raw in parties]

    def _of_company(self, raw: Values, company: Values | None) -> Held:
        fields = shape.flatten_company(raw, company, self._tax_types)
        reference, stamps = shape.reference_of(raw, self.prefix), shape.stamps_of(PARTY, raw)
        return Held(raw["id"], str(raw.get("code")), raw, fields, reference, stamps, company)


class Terms:
    """Payment terms. The key is Tryton's id; nothing of ours fits into one, so they are found by name."""

    model = TERM
    models: Mapping[str, tuple[str, ...]] = {"": (TERM,)}

    def __init__(self, api: Api, rules: Rules) -> None:
        self._api = api

    def by_key(self, key: str) -> Held | None:
        return self.show(int(key)) if key.isdigit() and int(key) < 2**31 else None

    def by_reference(self, reference: str) -> Held | None:
        return None

    def show(self, id: int) -> Held | None:
        return next((self._held(raw) for raw in self._api.search_read(TERM, [["id", "=", id]], shape.TERM)), None)

    def search(self, reference: str, payload: Payload) -> Held | None:
        name = payload.get("name")
        found = [self._held(raw) for raw in self._api.search_read(TERM, [["name", "=", name]], shape.TERM)]
        active = [held for held in found if held.raw.get("active") is not False]
        if len(active) > 1:
            words = f"Tryton has {len(active)} payment terms called “{name}”: archive or rename all but one."
            raise Refused(words, problems=(FieldProblem("name", "maybe_there_already", words),))
        return next(iter([*active, *found]), None)

    def pages(self, changed_since: str | None) -> Iterator[list[Held]]:
        for page in self._api.pages(TERM, [_changed(changed_since)] if changed_since else [], shape.TERM):
            yield [self._held(raw) for raw in page]

    def create(self, push: Push, payload: Payload) -> int:
        return self._api.create(TERM, writing.new_term(payload))

    def change(self, push: Push, held: Held, changes: Sequence[Difference]) -> bool:
        values = writing.changed_term(push.payload, held, {item.field for item in changes})
        if values:
            self._api.write(TERM, held.id, values, held.stamps)
        return bool(values)

    def _held(self, raw: Values) -> Held:
        return Held(raw["id"], str(raw["id"]), raw, shape.flatten_term(raw), "", shape.stamps_of(TERM, raw))


def new_code(push: Push) -> str:
    """The code of a party we create: the hub's, else the random end of our reference. Tryton takes each code once."""
    return str(push.payload.get("code") or "MDM" + push.reference.replace("-", "")[-12:].upper())


def _rows(record: Payload, part: str) -> list[dict[str, Any]]:
    return list(flat.rows(record, part).values())


def _changed(since: str) -> list[Any]:
    moment = shape.moment_of(since)
    return ["OR", ["write_date", ">=", moment], ["create_date", ">=", moment]]


def _plain(value: Any) -> Any:
    return canonical(value, ("identifier",))
