"""Owns the words of one value at a target: which field of ours it is, and of which row of the record. Never a uid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mdm.registry import RecordType
from mdm.selectors.records import current_documents
from mdm.types import Document
from mdm.web.diffs import child_name
from sync import flat, labels

_UID = re.compile(r"^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")


def documents(records: Iterable[tuple[str, Any]]) -> dict[str, Document]:
    """uid -> golden record of what a page shows, given as (type, uid): two queries for each type."""
    named: dict[str, set[str]] = {}
    for type, uid in records:
        named.setdefault(type, set()).add(str(uid))
    return {uid: document for type, uids in named.items() for uid, document in current_documents(type, uids).items()}


def of_change(kind: RecordType, change: Mapping[str, Any], document: Mapping[str, Any] | None) -> str:
    """The field of a planned change: `extensions/<uid>/payment_terms` reads “Legal entity NH10 · payment terms”."""
    if change["field"] == "blocked":
        return "Blocked there"
    return of_path(kind, change["path"], document or {}) if change["path"] else there(change["field"])


def of_path(kind: RecordType, path: str, document: Mapping[str, Any]) -> str:
    """A path into the document as people name it; `addresses[registered].city` reads “Address · city (registered)”."""
    if "/" not in path:
        return labels.of(kind, path)
    collection, _, rest = path.partition("/")
    uid, _, rest = rest.partition("/")
    leaf = rest.removeprefix("$.").partition("[")[0]
    words, dot, field = kind.label(f"{collection}/{uid}/{leaf}" if leaf else collection).partition(" · ")
    return " ".join(filter(None, (words, row_name(kind, collection, uid, document)))) + dot + field


def row_name(kind: RecordType, collection: str, uid: str, document: Mapping[str, Any]) -> str:
    """What a person calls one row of the record; nothing when the record no longer has it."""
    known = next((one for one in kind.children if one.name == collection), None)
    rows = document.get(collection) or ()
    row = next((one for one in rows if isinstance(one, Mapping) and one.get("uid") == uid), None)
    return child_name(known, row) if known and row else ""


def there(field: str) -> str:
    """A field of the target by its own name, with the number of the row there and without ours."""
    _, row, _ = flat.split_name(field)
    return flat.generic_name(field).replace("[*]", "") if row and _UID.match(row) else field
