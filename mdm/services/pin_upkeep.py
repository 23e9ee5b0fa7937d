"""Pins over time: whether the sources differ from them, dropped once they agree again, dropped when they expire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from django.db import transaction
from django.utils import timezone

from mdm import registry
from mdm.models import Pin
from mdm.registry import RecordType
from mdm.services import audit, survivorship
from mdm.survival.choosing import EMPTY
from mdm.survival.composing import Survived, plain
from mdm.survival.rules import Rules
from mdm.types import Actor, Document, same

SYSTEM = Actor.system("Master Data Hub")


class _Outlook(Protocol):
    before: Document
    after: Document
    survived: Survived
    known: survivorship.Known


def block_of(pin: Pin, rules: Rules) -> str:
    """What the pin holds under the rules of today: a field may have joined a group since."""
    return rules.block(pin.path) if "+" not in pin.path else pin.path


def agreed(pins: Iterable[Pin], survived: Survived, rules: Rules) -> list[str]:
    """Paths of pins that have done their work: the sources differed from them, and now say the same."""
    found = []
    for pin in pins:
        block = block_of(pin, rules)
        if pin.differed and block in survived.free and _says(survived.free[block], pin, block):
            found.append(pin.path)
    return found


def _says(value: Any, pin: Pin, block: str) -> bool:
    held = survivorship.held_of(pin)
    if not held.known:
        return False
    if "+" in block and "+" not in pin.path:
        value = (value or {}).get(pin.path)
    return _equal(plain(value), plain(held.value))


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return all(_equal(left.get(name), right.get(name)) for name in {*left, *right})
    return same(left, right) or (left in EMPTY and right in EMPTY)


def settle(kind: RecordType, outlooks: Mapping[str, _Outlook], rules: Rules) -> None:
    """After a record was composed: note which pins the sources differ from, drop those they agree with again."""
    for one in outlooks.values():
        for pin in one.known.pins:
            block = block_of(pin, rules)
            if block not in one.survived.free:  # composed without it, or its row is gone
                row_gone = "/" in pin.path and not _row_exists(one.after, pin.path)
                if pin.differed or row_gone:
                    words = "The row it held is gone." if row_gone else "The sources say the same again."
                    drop(pin=pin, kind=kind, document=one.after, by=SYSTEM, action="value.pin_dropped", reason=words)
            elif not pin.differed and not _says(one.survived.free[block], pin, block) and "value" in pin.held:
                pin.differed = True
                pin.save(update_fields=["differed"])


def _row_exists(document: Document, path: str) -> bool:
    name, _, uid = path.partition("/")
    return any(row["uid"] == uid for row in document.get(name) or [])


def drop(*, pin: Pin, kind: RecordType, document: Document, by: Actor, action: str, reason: str) -> bool:
    """Delete a pin with a note in the record's log; False when somebody else was first."""
    gone, _ = Pin.objects.filter(pk=pin.pk).delete()
    if gone:
        detail = {"path": pin.path, "reason": reason, "pinned_for": pin.reason, "pinned_by": str(pin.pinned_by)}
        log(action, kind, document, by, **detail)
    return bool(gone)


def log(action: str, kind: RecordType, document: Document, by: Actor, **detail: Any) -> None:
    audit.record(
        action=action,
        by=by,
        object_type=kind.key,
        object_uid=document["uid"],
        object_label=f"{document['code']} {kind.name_of(document)}",
        detail=detail,
    )


def expire(*, by: Actor = SYSTEM, most: int = 200) -> int:
    """Drop pins whose last day is over and rebuild their records; how many. Each record in its own transaction."""
    from mdm.services import rebuilding

    over = Pin.objects.filter(until__lt=timezone.localdate()).order_by("until", "pk")
    done = 0
    for type_key, uid in dict.fromkeys(over.values_list("type", "uid")[:most]):
        kind = registry.get(type_key)
        with transaction.atomic():
            document = rebuilding.lock(kind, [uid]).get(str(uid))
            for pin in Pin.objects.select_for_update().filter(uid=uid, until__lt=timezone.localdate()):
                words = f"Its last day was {pin.until}."
                shown = document or {"uid": str(uid), "code": "", "status": ""}
                done += drop(pin=pin, kind=kind, document=shown, by=by, action="value.pin_expired", reason=words)
            rebuilding.rebuild(kind=kind, uids=[uid], by=by, reason="A pin came to its end.")
    return done
