"""Owns a record as NetSuite holds it, and whose it is: ours, another's, nobody's yet."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync import flat, mapping
from sync.connectors.netsuite.shape import REFERENCE, Kind
from sync.errors import FieldProblem, Refused
from sync.normalise import canonical
from sync.protocol import RemoteRecord


@dataclass(frozen=True)
class Held:
    """A record as NetSuite answered it, and what of it the mapping knows."""

    id: str
    external: str
    fields: dict[str, Any]
    raw: Mapping[str, Any]

    @property
    def blocked(self) -> bool:
        return self.fields.get("isInactive") is True


def eid_of(reference: str) -> str:
    """Our external id: an account may hold others'. In NetSuite's alphabet of letters, digits, `_` and `-`."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", reference):
        return REFERENCE + reference
    return REFERENCE + hashlib.sha256(reference.encode()).hexdigest()[:32]


def known_names(table: mapping.Mapping, kind: Kind) -> frozenset[str]:
    heads = [name for rule in table.rules.fields if rule.compared for name in rule.names]
    lines = [
        name
        for rows in table.rules.rows
        for rule in rows.fields
        if rule.compared or any(leaf in group for group in rows.match for leaf in rule.leaves)
        for name in rule.names
    ]
    return frozenset([*heads, *lines, kind.natural])


def remote(held: Held) -> RemoteRecord:
    reference = held.external.removeprefix(REFERENCE) if held.external.startswith(REFERENCE) else ""
    return RemoteRecord(held.id, held.fields, reference, "", "", held.blocked)


def is_free(held: Held) -> bool:
    return not held.external.startswith(REFERENCE)


def several(kind: Kind, found: list[Held], what: str, field: str) -> Refused:
    listed = ", ".join(f"{held.id} “{held.fields.get('companyName') or held.fields.get('name')}”" for held in found[:5])
    words = f"NetSuite already has {what}: {kind.record} {listed}. Link the right one, or correct ours."
    return Refused(words, problems=(FieldProblem(field, "maybe_there_already", words),))


def alike(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Same name, or the street and postal code of any address, written in any way."""

    def same(left: Mapping[str, Any], right: Mapping[str, Any], *names: str) -> bool:
        pairs = [[canonical(side.get(name), ("identifier",)) for side in (left, right)] for name in names]
        return all(mine and mine == other for mine, other in pairs)

    lines = flat.rows(ours, "addressBook").values(), flat.rows(theirs, "addressBook").values()
    street = ("addressBookAddress.addr1", "addressBookAddress.zip")
    return same(ours, theirs, "companyName") or any(
        same(mine, other, *street) for mine in lines[0] for other in lines[1]
    )
