"""Owns reading `$metadata`: which of the entity sets and properties we use an environment really has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from io import BytesIO
from xml.etree import ElementTree

from sync.errors import NotSent

LIMIT = 96 * 1024 * 1024  # Finance describes thousands of entities in one document


def read_metadata(document: bytes, wanted: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Entity set -> its properties, for the wanted sets only; read as a stream, because it is large."""
    types: dict[str, frozenset[str]] = {}
    sets: dict[str, str] = {}
    try:
        for _, element in ElementTree.iterparse(BytesIO(document)):
            kind = element.tag.rpartition("}")[2]
            if kind == "EntityType":
                names = (child.get("Name", "") for child in element if child.tag.rpartition("}")[2] == "Property")
                types[element.get("Name", "")] = frozenset(names)
                element.clear()
            elif kind == "EntitySet" and element.get("Name", "") in wanted:
                sets[element.get("Name", "")] = element.get("EntityType", "").rpartition(".")[2]
    except ElementTree.ParseError as error:
        raise NotSent(f"The environment's $metadata cannot be read: {error}.") from None
    return {name: types.get(type_name, frozenset()) for name, type_name in sets.items()}
