"""References inside documents, as links with names: payment terms by code, parents by uid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, UUIDField

from mdm import registry
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.selectors.visibility import Entities
from mdm.types import Document
from mdm.web.visitor import record_url


@dataclass(frozen=True)
class Named:
    code: str
    name: str
    url: str


class Names:
    """Names of everything a few documents refer to and the person may see; one query per referenced type."""

    def __init__(self, kind: RecordType, documents: Iterable[Document], entities: Entities) -> None:
        self.kind = kind
        wanted: dict[str, set[str]] = {}
        for document in documents:
            for path, key in kind.references.items():
                wanted.setdefault(key, set()).update(_values(document, path))
        self.found = {key: _named(registry.get(key), values, entities) for key, values in wanted.items() if values}

    def of(self, path: str, value: Any) -> Named | None:
        """`path` as references are declared: `parent`, `extensions.payment_terms`."""
        key = self.kind.references.get(path)
        return self.found.get(key, {}).get(str(value)) if key and value else None


def _values(document: Document, path: str) -> set[str]:
    name, _, column = path.partition(".")
    if not column:
        held = document.get(name) or []
        return {str(value) for value in (held if isinstance(held, list) else [held])}
    return {str(row[column]) for row in document.get(name) or [] if row.get(column)}


def _named(kind: RecordType, values: set[str], entities: Entities) -> dict[str, Named]:
    by = "uid" if all(_is_uid(value) for value in values) else "code"
    found = visibility.visible(kind, kind.model._default_manager.filter(**{f"{by}__in": values}), entities)
    rows = found.values_list("uid", "code", F(kind.name_field))
    return {
        str(uid) if by == "uid" else code: Named(code, str(name), record_url(kind, uid)) for uid, code, name in rows
    }


def _is_uid(value: str) -> bool:
    return len(value) == 36 and value.count("-") == 4


def is_by_uid(kind: RecordType, path: str) -> bool:
    """Whether a reference field holds a uid; others hold codes."""
    name, _, column = path.partition(".")
    model = kind.child(name).model if column else kind.model
    return isinstance(model._meta.get_field(column or name), UUIDField)
