"""Owns records that are one entity with a natural key: payment terms, and the companies themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from sync import flat
from sync.connectors.dynamics365.shape import company_of, entity_fields, sendable
from sync.connectors.dynamics365.wire import EXISTS, Api, equals, literal
from sync.errors import FieldProblem, NotSupported, Refused
from sync.mapping import Mapping as TargetMapping
from sync.normalise import canonical
from sync.protocol import Outcome, Push, RemoteRecord

Entity = dict[str, Any]


class Keyed:
    """`key`: the properties that name an entity; with a company among them it is the target's own."""

    def __init__(
        self, api: Api, mapping: TargetMapping, entity_set: str, key: tuple[str, ...], company: str, *, makes: bool
    ) -> None:
        self._api, self._mapping, self._set, self._key = api, mapping, entity_set, key
        self._company, self._makes = company, makes
        leaves = [rule.leaves[0] for rule in mapping.rules.fields if rule.writable != "never"]
        self._names = list(dict.fromkeys([*key, *leaves]))

    def push(self, push: Push) -> Outcome:
        if push.action == "block":
            raise NotSupported(f"Finance has no lock for a {self._title}; take it out of use there.")
        held = self._one(push.key) if push.key else self._find(push.payload)
        if held is None and (push.key or not self._makes):
            raise self._unknown(push)
        if held is None:
            try:
                return self._create(push)
            except Refused as refused:
                there = any(problem.code == EXISTS for problem in refused.problems)
                held = self._find(push.payload) if there else None
                if held is None:
                    raise
        return self._update(push, held)

    def read(self, key: str) -> RemoteRecord | None:
        held = self._one(key)
        return self._record(held) if held else None

    def find(self, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        held = self._find(payload)
        return self._record(held) if held else None

    def scan(self) -> Iterator[RemoteRecord]:
        filter = f"dataAreaId eq {literal(self._company)}" if self._in_company and self._company else ""
        for page in self._api.pages(self._set, filter=filter, select=self._names, order=self._key):
            yield from map(self._record, page)

    @property
    def _in_company(self) -> bool:
        return "dataAreaId" in self._key

    @property
    def _title(self) -> str:
        return self._mapping.type.replace("_", " ")

    def _one(self, key: str) -> Entity | None:
        values = key.split("/", 1) if self._in_company else [key]
        if len(values) != len(self._key) or not all(values):
            return None
        return self._api.get(self._set, dict(zip(self._key, values, strict=True)), self._names)

    def _find(self, payload: Mapping[str, Any]) -> Entity | None:
        """By the code, which is the key; answers are looked at again, because filters may be generous."""
        name = self._key[-1]
        code = payload.get(f"{self._set}.{name}")
        if not code:
            return None
        area = f" and dataAreaId eq {literal(self._own_company())}" if self._in_company else ""
        found = self._api.rows(self._set, filter=equals(name, [code]) + area, select=self._names) or []
        return next((item for item in found if canonical(item.get(name), ("case",)) == str(code).casefold()), None)

    def _own_company(self) -> str:
        if not self._company:
            words = f"A {self._title} stands in one company; name it in the target's settings (company)."
            raise Refused(words, problems=(FieldProblem("dataAreaId", "no_company", words),))
        return self._company

    def _create(self, push: Push) -> Outcome:
        leaves = flat.head(self._mapping.writable(push.payload, creating=True), self._set)
        body = {**({"dataAreaId": self._own_company()} if self._in_company else {}), **sendable(leaves)}
        self._api.create(self._set, body)
        return self._verified(push, self._key_of(body), "created")

    def _update(self, push: Push, held: Entity) -> Outcome:
        fields = self._record(held).fields
        writable = self._mapping.writable(push.payload, creating=False)
        differences = self._mapping.compare(push.payload, fields)
        body = {flat.split_name(d.field)[2]: writable[d.field] for d in differences if d.field in writable}
        key = self._key_of(held)
        if not body:
            return Outcome(key, "unchanged", True, self._api.client.exchanges())
        its_key = {name: str(held[name]) for name in self._key}
        self._api.change(self._set, its_key, sendable(body), str(held.get("@odata.etag") or ""))
        return self._verified(push, key, "updated")

    def _verified(self, push: Push, key: str, effect: Literal["created", "updated"]) -> Outcome:
        now = self._one(key)
        same = now is not None and not self._mapping.compare(push.payload, self._record(now).fields)
        return Outcome(key, effect, same, self._api.client.exchanges())

    def _unknown(self, push: Push) -> Refused:
        name = push.key or str(push.payload.get(f"{self._set}.{self._key[-1]}") or "")
        words = f"Finance has no {self._title} {name}; "
        words += (
            "check the crosswalk, nothing was created." if self._makes else "it is set up there, then kept current."
        )
        return Refused(words, problems=(FieldProblem(self._key[-1], "key_unknown", words),))

    def _key_of(self, entity: Mapping[str, Any]) -> str:
        code = str(entity.get(self._key[-1]) or "")
        return f"{company_of(entity)}/{code}" if self._in_company else code

    def _record(self, entity: Entity) -> RemoteRecord:
        fields = {flat.join_name(self._set, None, leaf): value for leaf, value in entity_fields(entity).items()}
        return RemoteRecord(self._key_of(entity), fields, etag=str(entity.get("@odata.etag") or ""))
