"""Which legal entities use a record: what freeze windows and owners of exceptions are told apart by."""

from __future__ import annotations

from mdm import registry
from mdm.selectors import visibility
from mdm.types import Document


def of(type: str, document: Document) -> tuple[str, ...]:
    """Their codes; a legal entity is used by itself. Empty: the record belongs to none in particular."""
    kind = registry.get(type)
    if visibility.is_entity_type(kind):
        return (str(document["code"]),)
    found = {
        str(row[child.entity_field])
        for child in kind.children
        if child.entity_field
        for row in document.get(child.name) or ()
        if row.get(child.entity_field)
    }
    return tuple(sorted(found))
