"""Owns the two forms of a supplier: the business partner as OData delivers it, and the flat record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync import flat
from sync.connectors.s4hana.catalogue import Catalogue
from sync.connectors.s4hana.entities import HEAD, REFERENCE, SETS, SUPPLIER, EntitySet, nav_path
from sync.connectors.s4hana.odata import address_of, iso, literal
from sync.protocol import RemoteRecord

TAX = "A_BusinessPartnerTaxNumber"
Entity = Mapping[str, Any]


@dataclass(frozen=True)
class Handle:
    """How to write to one entity of a record: its address below the service, its ETag, its keys."""

    address: str
    etag: str
    keys: Mapping[str, Any]


@dataclass(frozen=True)
class Held:
    """What the system holds of one supplier: the flat record, and a handle for every `Set` and `Set[row]`."""

    record: RemoteRecord
    handles: Mapping[str, Handle] = field(default_factory=dict)

    def handle(self, part: str, row: str | None = None) -> Handle | None:
        return self.handles.get(flat.join_name(part, row, ""))


def expansion(catalogue: Catalogue) -> str:
    """`$expand` over everything of a supplier that this system has."""
    return ",".join(nav_path(name) for name in catalogue.reachable() if name != HEAD)


def held(entity: Entity, reference_field: str = REFERENCE) -> Held:
    """Read one expanded business partner."""
    fields: dict[str, Any] = {}
    handles: dict[str, Handle] = {}
    _collect(SETS[HEAD], entity, fields, handles)
    head = flat.head(fields, HEAD)
    blocked = bool(head.get("BusinessPartnerIsBlocked")) or bool(fields.get(f"{SUPPLIER}.PostingIsBlocked"))
    record = RemoteRecord(
        key=str(entity.get("BusinessPartner", "")),
        fields=fields,
        reference=str(head.get(reference_field) or ""),
        etag=handles[HEAD].etag,
        changed_at=str(head.get("LastChangeDate") or head.get("CreationDate") or ""),
        blocked=blocked,
    )
    return Held(record, handles)


def _collect(entity_set: EntitySet, entity: Entity, fields: dict[str, Any], handles: dict[str, Handle]) -> None:
    row = None if entity_set.single or entity_set.name == HEAD else row_of(entity_set, entity)
    for leaf, value in entity.items():
        if leaf.startswith("to_") or leaf == "__metadata" or value in (None, ""):
            continue
        fields[flat.join_name(entity_set.name, row, leaf)] = iso(value) if isinstance(value, str) else value
    metadata = entity.get("__metadata") or {}
    keys = {name: entity.get(name) for name in entity_set.all_keys}
    address = address_of(entity_set.name, entity_set.all_keys, entity)
    handles[flat.join_name(entity_set.name, row, "")] = Handle(address, str(metadata.get("etag", "")), keys)
    for child_set in SETS.values():
        if child_set.parent == entity_set.name:
            for child in _children(child_set, entity):
                _collect(child_set, child, fields, handles)


def _children(child_set: EntitySet, entity: Entity) -> list[Entity]:
    value = entity.get(child_set.nav)
    if not isinstance(value, Mapping) or "__deferred" in value:
        return []
    found = value.get("results", [] if "results" in value or not child_set.to_one else [value])
    if child_set.single and found:
        return [min(found, key=lambda child: _rank(child_set, child))]
    return list(found)


def _rank(child_set: EntitySet, child: Entity) -> tuple[Any, ...]:
    """The standard one of several: marked as default, else the oldest."""
    default = any(value is True for leaf, value in child.items() if leaf.startswith("IsDefault"))
    return (not default, *(str(child.get(name, "")) for name in child_set.keys))


def row_of(entity_set: EntitySet, entity: Entity) -> str:
    return "-".join(str(entity.get(name, "")) for name in entity_set.keys)


def tax_conditions(payload: Mapping[str, Any]) -> Iterator[str]:
    """What finds each tax number, with and without its country: systems hold it either way."""
    for row in flat.rows(payload, TAX).values():
        kind, number = str(row.get("BPTaxType") or ""), str(row.get("BPTaxNumber") or "")
        if kind and number:
            bare = number.removeprefix(kind[:2])
            spelled = dict.fromkeys((number, bare, kind[:2] + bare))
            numbers = " or ".join(f"BPTaxNumber eq {literal(text)}" for text in spelled)
            yield f"BPTaxType eq {literal(kind)} and ({numbers})"
