"""What follows the applying of a request besides its values: origins, pins and source records that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mdm import registry
from mdm.models import ChangeItem, ChangeRequest, Provenance
from mdm.services import detaching, pins
from mdm.types import Actor, Document, value_at


def provenance(item: ChangeItem, before: Document | None, after: Document) -> dict[str, Any] | None:
    """Where the values come from afterwards, when the request says so; None: whoever asked entered them here."""
    if item.detail.get("pin") and before:
        return pins.provenance(item, before)
    given = item.detail.get("origins")
    if given is None:
        return None
    fields = Provenance.objects.filter(uid=item.uid).values_list("fields", flat=True).first() or {}
    touched = {"/".join(change["path"].split("/")[:2]) for change in item.changes}
    result = {path: origin for path, origin in fields.items() if path not in touched}
    return result | {path: origin for path, origin in given.items() if _is_there(after, path) or "group" in origin}


def _is_there(document: Document, path: str) -> bool:
    return value_at(document, path) not in (None, "", [])


def follow(*, change: ChangeRequest, items: Sequence[ChangeItem], by: Actor) -> None:
    """In the transaction that applied the request, after its rows are written."""
    for item in items:
        if item.detail.get("pin"):
            pins.keep(kind=registry.get(item.type), item=item, change=change)
    if any(item.detail.get("detach") for item in items):
        detaching.move(change=change, items=items, by=by)
