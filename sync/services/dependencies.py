"""Owns the order across records: what a record refers to is made at a target before the record itself.

Only the making counts: a payment term that the target has already may change later than the supplier that names it. A
reference that ended as a dead letter holds nobody up; the platform's own refusal then says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable

from mdm import registry
from mdm.services import documents
from mdm.types import Document

Reference = tuple[str, str]  # record type, uid or code


def named_by(type: str, document: Document) -> tuple[Reference, ...]:
    """What must be there first. Sisters of one group stand side by side and wait for nobody."""
    kind = registry.get(type)
    found = {
        (type_key, str(value))
        for path, type_key, value in documents.references_in(kind, document)
        if path != kind.sibling_field
    }
    return tuple(sorted(found))


def uids_of(references: Iterable[Reference]) -> dict[Reference, str]:
    """The uids of records named by code or uid; one query per type, unknown ones are left out."""
    by_type: dict[str, set[str]] = {}
    found: dict[Reference, str] = {}
    for type_key, value in references:
        if documents.is_uid(value):
            found[type_key, value] = value
        else:
            by_type.setdefault(type_key, set()).add(value)
    for type_key, codes in by_type.items():
        rows = registry.get(type_key).model._default_manager.filter(code__in=codes).values_list("code", "uid")
        found |= {(type_key, code): str(uid) for code, uid in rows}
    return found
