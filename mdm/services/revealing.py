"""Showing sealed numbers in plain: a right of its own, with a reason, on record before anybody sees anything."""

from __future__ import annotations

from django.db import transaction

from mdm import crypto
from mdm.errors import CorrectInput, NotAllowed
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.services import audit
from mdm.types import Actor, Document, Problem


@transaction.atomic
def reveal(*, kind: RecordType, document: Document, by: Actor, reason: str) -> list[str]:
    """The paths that may be shown in plain, once. `document`: what of the record this person may see."""
    if not may(by, "reveal"):
        raise NotAllowed("Your role may not see bank numbers in full. Treasury can.")
    if not reason.strip():
        raise CorrectInput("Say why you need the full numbers.", problems=[Problem("reason", "missing", "Needed.")])
    paths = sealed_paths(kind, document)
    if not paths:
        raise CorrectInput("This record has no number to reveal.")
    audit.record(
        action="bank.revealed",
        by=by,
        object_type=kind.key,
        object_uid=document["uid"],
        object_label=f"{document['code']} {kind.name_of(document)}",
        detail={"reason": reason.strip()[:1000], "paths": paths},
    )
    return paths


def sealed_paths(kind: RecordType, document: Document) -> list[str]:
    return [
        f"{child.name}/{row['uid']}/{name}"
        for child in kind.children
        for name in child.sealed
        for row in document.get(child.name) or []
        if crypto.is_sealed(row.get(name))
    ]
