"""Owns discovery: which entity sets and properties this system's service really has, from its `$metadata`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from sync import flat
from sync.connectors.s4hana.entities import HEAD, SETS
from sync.errors import NotSent
from sync.http import Client

METADATA_LIMIT = 16 * 1024 * 1024  # the full service describes hundreds of entity types
KEEP_S = 600.0


@dataclass(frozen=True)
class Catalogue:
    """Entity set -> property -> type (`Edm.String` …)."""

    sets: Mapping[str, Mapping[str, str]]

    def has(self, name: str) -> bool:
        return name in self.sets

    def knows(self, name: str, leaf: str) -> bool:
        return leaf in self.sets.get(name, {})

    def reachable(self) -> list[str]:
        """The sets of ours that can be read from the business partner here, parents before children."""
        found = [HEAD] if self.has(HEAD) else []
        for name, entity in SETS.items():
            if name != HEAD and self.has(name) and entity.parent in found:
                found.append(name)
        return found

    def keep_known(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The payload without what this system has no place for."""
        names = set(self.reachable())
        return {
            name: value
            for name, value in payload.items()
            if (split := flat.split_name(name))[0] in names and self.knows(split[0], split[2])
        }

    def empty(self, name: str, leaf: str) -> Any:
        """What clears a property: ABAP has initial values, dates take null."""
        kind = self.sets.get(name, {}).get(leaf, "Edm.String")
        return {"Edm.String": "", "Edm.Boolean": False}.get(kind)


def discover(client: Client, service: str, *, fresh: bool = False) -> Catalogue:
    """What the service offers; asked once in ten minutes per process unless `fresh`."""
    key = (client.base_url, service)
    with _guard:
        known = _known.get(key)
    if known and not fresh and time.monotonic() < known[0]:
        return known[1]
    response = client.request(
        "GET", f"{service}/$metadata", headers={"Accept": "application/xml"}, max_body=METADATA_LIMIT
    )
    catalogue = read_metadata(response.body)
    with _guard:
        _known[key] = (time.monotonic() + KEEP_S, catalogue)
    return catalogue


def read_metadata(document: bytes) -> Catalogue:
    """EDMX to catalogue; whatever XML namespace the release uses."""
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise NotSent(f"The service's $metadata cannot be read: {error}.") from None
    types: dict[str, dict[str, str]] = {}
    sets: dict[str, str] = {}
    for element in root.iter():
        kind = element.tag.rpartition("}")[2]
        name = element.get("Name", "")
        if kind == "EntityType":
            types[name] = {
                child.get("Name", ""): child.get("Type", "")
                for child in element
                if child.tag.rpartition("}")[2] == "Property"
            }
        elif kind == "EntitySet":
            sets[name] = element.get("EntityType", "").rpartition(".")[2]
    return Catalogue({name: types.get(type_name, {}) for name, type_name in sets.items()})


def forget() -> None:
    """Drop what was discovered (between tests)."""
    with _guard:
        _known.clear()


_guard = threading.Lock()
_known: dict[tuple[str, str], tuple[float, Catalogue]] = {}
