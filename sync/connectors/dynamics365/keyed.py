"""Owns records that are one entity with a natural key: payment terms, companies, dimension values, main accounts."""

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
COMPANY = "dataAreaId"


class Keyed:
    """`key`: the properties that name an entity. `fixed`: those of them that the target's settings give; with `hidden`
    they are no part of the key that the hub knows."""

    def __init__(
        self,
        api: Api,
        mapping: TargetMapping,
        entity_set: str,
        key: tuple[str, ...],
        *,
        fixed: Mapping[str, str] | None = None,
        hidden: bool = False,
        makes: bool = True,
    ) -> None:
        self._api, self._mapping, self._set, self._key = api, mapping, entity_set, key
        self._fixed, self._makes = dict(fixed or {}), makes
        self._named = tuple(name for name in key if not (hidden and name in self._fixed))
        self._codes = tuple(name for name in key if name not in self._fixed)  # ours give them
        leaves = [rule.leaves[0] for rule in mapping.rules.fields if rule.writable != "never"]
        self._names = list(dict.fromkeys([*key, *leaves]))
        self._locks = {name: value for name, value in mapping.block_fields().items() if flat.part_of(name)}

    def push(self, push: Push) -> Outcome:
        if push.action == "block" and not self._locks:
            raise NotSupported(f"Finance has no lock for a {self._title}; take it out of use there.")
        held = self._one(push.key) if push.key else self._find(push.payload)
        if push.action == "block":
            return self._block(push, held)
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
        filter = " and ".join(self._fixed_conditions())
        for page in self._api.pages(self._set, filter=filter, select=self._names, order=self._key):
            yield from map(self._record, page)

    @property
    def _title(self) -> str:
        return self._mapping.type.replace("_", " ")

    def _fixed_conditions(self) -> list[str]:
        """Without a company every company counts; a dimension's values may be shared by all, which is no company."""
        return [f"{name} eq {literal(value)}" for name, value in self._fixed.items() if value or name != COMPANY]

    def _one(self, key: str) -> Entity | None:
        values = key.split("/", len(self._named) - 1)
        if len(values) != len(self._named) or not all(values):
            return None
        given = {**self._fixed, **dict(zip(self._named, values, strict=True))}
        return self._api.get(self._set, {name: given[name] for name in self._key}, self._names)

    def _find(self, payload: Mapping[str, Any]) -> Entity | None:
        """By what ours gives of the key; answers are looked at again, because filters may be generous."""
        codes = {name: str(payload.get(f"{self._set}.{name}") or "") for name in self._codes}
        if not all(codes.values()):
            return None
        self._expect_company()
        filter = " and ".join([*(equals(name, [code]) for name, code in codes.items()), *self._fixed_conditions()])
        found = self._api.rows(self._set, filter=filter, select=self._names) or []
        return next((item for item in found if self._is(item, codes)), None)

    def _is(self, entity: Entity, codes: Mapping[str, str]) -> bool:
        return all(canonical(entity.get(name), ("case",)) == code.casefold() for name, code in codes.items())

    def _expect_company(self) -> None:
        if self._fixed.get(COMPANY) == "":
            words = f"A {self._title} stands in one company; name it in the target's settings (company)."
            raise Refused(words, problems=(FieldProblem(COMPANY, "no_company", words),))

    def _create(self, push: Push) -> Outcome:
        leaves = flat.head(self._mapping.writable(push.payload, creating=True), self._set)
        self._expect_company()
        body = {**self._fixed, **sendable(leaves)}
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
        self._change(held, body)
        return self._verified(push, key, "updated")

    def _block(self, push: Push, held: Entity | None) -> Outcome:
        if held is None:
            return Outcome(push.key or "", "unchanged", True, self._api.client.exchanges())  # nothing there to use
        key = self._key_of(held)
        if self._record(held).blocked:
            return Outcome(key, "unchanged", True, self._api.client.exchanges())
        self._change(held, {flat.split_name(name)[2]: value for name, value in self._locks.items()})
        now = self._one(key)
        return Outcome(key, "blocked", now is not None and self._record(now).blocked, self._api.client.exchanges())

    def _change(self, held: Entity, body: Mapping[str, Any]) -> None:
        its_key = {name: str(held.get(name) or "") for name in self._key}
        self._api.change(self._set, its_key, sendable(body), str(held.get("@odata.etag") or ""))

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
        """What names it, joined: `usmf/Net30`, `NH-GROUP/477000`, `DE-2100`."""
        return "/".join(company_of(entity) if name == COMPANY else str(entity.get(name) or "") for name in self._named)

    def _record(self, entity: Entity) -> RemoteRecord:
        fields = {flat.join_name(self._set, None, leaf): value for leaf, value in entity_fields(entity).items()}
        blocked = bool(self._locks) and all(fields.get(name) == value for name, value in self._locks.items())
        return RemoteRecord(self._key_of(entity), fields, etag=str(entity.get("@odata.etag") or ""), blocked=blocked)
