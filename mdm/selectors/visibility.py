"""What a person may see of records: rows and records of other legal entities are left out, bank data with them.

`entities` is always what `permissions.entities_of` answers: codes of legal entities, or None for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet

from mdm import registry
from mdm.registry import RecordType
from mdm.types import Document

Entities = frozenset[str] | None


@lru_cache(maxsize=1)
def _entity_types(_declared: int) -> frozenset[str]:
    return frozenset(
        kind.references[f"{child.name}.{child.entity_field}"]
        for kind in registry.all_types()
        for child in kind.children
        if child.entity_field and f"{child.name}.{child.entity_field}" in kind.references
    )


def is_entity_type(kind: RecordType) -> bool:
    """True for the record type whose codes are what people's scopes name."""
    return kind.key in _entity_types(len(list(registry.all_types())))


def visible(kind: RecordType, rows: QuerySet[Any], entities: Entities) -> QuerySet[Any]:
    """Only the records the person may see: legal entities of their own; every record of other types."""
    return rows.filter(code__in=entities) if entities is not None and is_entity_type(kind) else rows


def may_see(kind: RecordType, code: str, entities: Entities) -> bool:
    """The same for one record, by its code."""
    return entities is None or not is_entity_type(kind) or code in entities


def strip(kind: RecordType, document: Document, entities: Entities) -> Document:
    """The document without rows of other legal entities; sealed rows only where one of the person's uses the record."""
    if entities is None:
        return document
    hidden = _hidden_rows(kind, document, entities)
    if not hidden:
        return document
    return {
        name: [row for row in value if f"{name}/{row['uid']}" not in hidden] if kind_has(kind, name) else value
        for name, value in document.items()
    }


def kind_has(kind: RecordType, name: str) -> bool:
    return any(child.name == name for child in kind.children)


def _hidden_rows(kind: RecordType, document: Document, entities: frozenset[str]) -> frozenset[str]:
    hidden: set[str] = set()
    scoped = [child for child in kind.children if child.entity_field]
    mine = False
    for child in scoped:
        for row in document.get(child.name) or []:
            if row.get(child.entity_field) in entities:
                mine = True
            else:
                hidden.add(f"{child.name}/{row['uid']}")
    if scoped and not mine:
        hidden |= {f"{c.name}/{row['uid']}" for c in kind.children if c.sealed for row in document.get(c.name) or []}
    return frozenset(hidden)


def hidden_paths(
    kind: RecordType,
    changes: Iterable[dict[str, Any]],
    documents: Iterable[Document | None],
    entities: Entities,
) -> frozenset[str]:
    """Paths of a diff ({path, before, after} rows) the person may not see; `documents`: the record before and after.

    Whoever may not see a path may not approve it either.
    """
    if entities is None:
        return frozenset()
    shown = [document for document in documents if document]
    hidden = frozenset().union(*(_hidden_rows(kind, document, entities) for document in shown))
    return frozenset(c["path"] for c in changes if "/".join(c["path"].split("/")[:2]) in hidden)


def outside(kind: RecordType, body: Document, entities: Entities) -> list[str]:
    """Paths of rows in a body sent by the person that name a legal entity of others."""
    if entities is None:
        return []
    return [
        f"{child.name}/{row.get('uid') or index}/{child.entity_field}"
        for child in kind.children
        if child.entity_field
        for index, row in enumerate(body.get(child.name) or [])
        if isinstance(row, dict) and row.get(child.entity_field) not in (None, *entities)
    ]
