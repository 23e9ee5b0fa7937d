"""Pins: a steward's word that a value stays as it is, whatever the sources say. They change no value, only who decides."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from mdm.errors import CorrectInput, NotAllowed, NotFound
from mdm.models import Pin
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import audit
from mdm.types import Actor, Document, Problem, value_at

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_REASON = 1000


def _require(by: Actor, reason: str) -> tuple[User, str]:
    if not may(by, "steward") or by.user is None:
        raise NotAllowed("Only stewards pin values.")
    if not reason.strip():
        raise CorrectInput("Say why.", problems=[Problem("reason", "missing", "This field is needed.")])
    return by.user, reason.strip()[:MOST_REASON]


@transaction.atomic
def pin(*, kind: RecordType, uid: Any, path: str, reason: str, by: Actor, until: date | None = None) -> Pin:
    """Keep the value at this path (a field, or a row of a list) until a date, or until the pin is taken away."""
    person, words = _require(by, reason)
    document = records.current_document(kind.key, uid)
    if not _is_pinnable(kind, document, path):
        raise CorrectInput("There is no such value to pin.")
    if until is not None and until < timezone.localdate():
        raise CorrectInput("This date is over.", problems=[Problem("until", "past", "Give a day from today on.")])
    row, _ = Pin.objects.update_or_create(
        uid=uid,
        path=path,
        defaults={
            "type": kind.key,
            "reason": words,
            "until": until,
            "pinned_by": person,
            "pinned_at": timezone.now(),
        },
    )
    _log("value.pinned", kind, document, by, path=path, reason=words, until=until.isoformat() if until else None)
    return row


def _is_pinnable(kind: RecordType, document: Document, path: str) -> bool:
    name, _, rest = path.partition("/")
    children = {child.name for child in kind.children}
    if name in children:
        return bool(rest) and "/" not in rest and value_at(document, path) is not None
    return not rest and name in kind.document.model_fields


@transaction.atomic
def unpin(*, kind: RecordType, uid: Any, path: str, reason: str, by: Actor) -> None:
    """Let the sources decide again; the value itself changes only when one of them sends another."""
    _, words = _require(by, reason)
    gone, _ = Pin.objects.filter(uid=uid, path=path).delete()
    if not gone:
        raise NotFound("This value is not pinned.")
    _log("value.unpinned", kind, records.current_document(kind.key, uid), by, path=path, reason=words)


def _log(action: str, kind: RecordType, document: Document, by: Actor, **detail: Any) -> None:
    audit.record(
        action=action,
        by=by,
        object_type=kind.key,
        object_uid=document["uid"],
        object_label=f"{document['code']} {kind.name_of(document)}",
        detail=detail,
    )
