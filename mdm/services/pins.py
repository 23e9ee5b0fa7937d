"""Pins: a steward's word that a value stays as it is, whatever the sources say; set, kept and lifted here.

Holding the value that holds anyway changes nothing and is done at once. Holding another one changes the record, so it is a
request like every other change; the pin begins when that is applied.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_date

from mdm.errors import CorrectInput, NotAllowed, NotFound, NotNow
from mdm.models import ChangeItem, ChangeRequest, Pin, Provenance, SourceRecord
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import documents, pin_upkeep, rebuilding, survivorship
from mdm.services.proposing import ProposedItem
from mdm.survival.choosing import EMPTY
from mdm.survival.composing import identity, plain
from mdm.survival.rules import HUB, members
from mdm.types import Actor, Document, Problem, diff, value_at

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_REASON = 1000
KEEP: Any = object()  # the value that holds now


def _require(by: Actor, reason: str) -> tuple[User, str]:
    if not may(by, "steward") or by.user is None:
        raise NotAllowed("Only stewards pin values.")
    if not reason.strip():
        raise CorrectInput("Say why.", problems=[Problem("reason", "missing", "This field is needed.")])
    return by.user, reason.strip()[:MOST_REASON]


@transaction.atomic
def pin(
    *,
    kind: RecordType,
    uid: Any,
    path: str,
    reason: str,
    by: Actor,
    until: date | None = None,
    value: Any = KEEP,
    source: tuple[str, str] | None = None,
    origin: str = "web",
) -> Pin | ChangeRequest:
    """Keep a value at this path (a field, or a row of a list) until a date, or until the pin is taken away.

    `value`: another one for a field; `source`: (system, key) whose value it shall be. Fields that survive together are
    pinned together. A Pin when the value holds already, else the request that asks for it.
    """
    from mdm.services import changes  # the one door to requests stands above this module

    _, words = _require(by, reason)
    document = rebuilding.lock(kind, [uid]).get(str(uid))
    if document is None:
        raise NotFound("There is no such record.")
    if document["status"] not in rebuilding.ALIVE:
        raise NotNow(f"This record is {document['status']}: its values change no more.")
    if path in kind.derived:
        text = f"“{kind.label(path)}” holds for periods, so it is not pinned as a field: pin the period that says it."
        raise CorrectInput(text, problems=[Problem("path", "holds_for_periods", text)])
    if not is_pinnable(kind, document, path):
        raise CorrectInput(
            "There is no such value to pin.", problems=[Problem("path", "unknown_path", "No such value.")]
        )
    if until is not None and until < timezone.localdate():
        raise CorrectInput("This date is over.", problems=[Problem("until", "past", "Give a day from today on.")])
    block = survivorship.load(kind).block(path)
    after = _with_value(kind, document, path, block, value, source)
    detail = {"path": block, "reason": words, "until": until.isoformat() if until else None}
    wanted = diff(document, after)
    if not wanted:
        return _keep(kind, document, detail, by)
    item = ProposedItem(
        type=kind.key, uid=str(uid), changes=wanted, base_version=document["version"], detail={"pin": detail}
    )
    title = f"Pin {kind.label(path.partition('/')[0]).lower()} of {kind.name_of(document)}"
    return changes.propose(items=[item], by=by, title=title, reason=words, origin=origin)


def is_pinnable(kind: RecordType, document: Document, path: str) -> bool:
    """Whether a steward may hold what is at this path: a field that is no view of the periods, or a row of a list."""
    name, _, rest = path.partition("/")
    children = {child.name for child in kind.children}
    if name in children:
        return bool(rest) and "/" not in rest and value_at(document, path) is not None
    return not rest and name in kind.document.model_fields and name not in kind.derived


def _with_value(
    kind: RecordType, document: Document, path: str, block: str, value: Any, source: tuple[str, str] | None
) -> Document:
    """The document with what shall be kept in its place."""
    if source is not None:
        value = _offered(kind, document, path, block, source)
    if value is KEEP:
        return document
    name, _, row_uid = path.partition("/")
    if row_uid and source is None:
        raise CorrectInput("Propose the change of the row first, then pin it; or name a source that gives it.")
    if row_uid:
        rows = [{**value, "uid": row_uid} if row["uid"] == row_uid else row for row in document[name]]
        return {**document, name: rows}
    values = value if "+" in block and source is not None else {path: value}
    body = documents.validate(kind, documents.body_of(kind, {**document, **values}))
    return {**document, **{member: body[member] for member in values}}


def _offered(kind: RecordType, document: Document, path: str, block: str, source: tuple[str, str]) -> Any:
    """What a source says for the block."""
    if source[0] == HUB:
        return KEEP
    row = SourceRecord.objects.filter(
        golden_uid=document["uid"], type=kind.key, system__code=source[0], key=source[1]
    ).first()
    if row is None or row.outcome == "staged":
        raise NotFound(f"{source[0]} {source[1]} is no source of this record.")
    if "+" in block:
        return {member: row.document.get(member) for member in members(block)}
    name, _, row_uid = path.partition("/")
    if not row_uid:
        return row.document.get(name)
    child, mine = kind.child(name), value_at(document, path)
    for other in row.document.get(name) or []:
        if identity(child, other) == identity(child, mine):
            return plain(other)
    raise NotFound(f"{source[0]} {source[1]} says nothing about this row.")


def value_of(document: Document, block: str) -> Any:
    """What a document has for a block: the value, the row without its uid, or {field: value} of a group."""
    if "+" in block:
        return {name: document.get(name) for name in members(block)}
    return plain(value_at(document, block))


def _keep(kind: RecordType, document: Document, detail: dict[str, Any], by: Actor) -> Pin:
    assert by.user is not None
    until = parse_date(detail["until"]) if detail["until"] else None
    row, _ = Pin.objects.update_or_create(
        uid=document["uid"],
        path=detail["path"],
        defaults={
            "type": kind.key,
            "reason": detail["reason"],
            "until": until,
            "held": {"value": value_of(document, detail["path"])},
            "differed": False,
            "pinned_by": by.user,
            "pinned_at": timezone.now(),
        },
    )
    pin_upkeep.log("value.pinned", kind, document, by, **detail)
    # Whether the sources differ from it already, and that it is the pin now that decides.
    rules = survivorship.load(kind)
    known = survivorship.gather(kind, {document["uid"]: document})[document["uid"]]
    one = rebuilding.look(kind, rules, document, known)
    if not one.changes:
        rebuilding.keep_origins(kind, {document["uid"]: one})
    pin_upkeep.settle(kind, {document["uid"]: one}, rules)
    row.refresh_from_db()
    return row


def provenance(item: ChangeItem, before: Document) -> dict[str, Any]:
    """Origins of the record once the pin of this item holds."""
    fields = dict(Provenance.objects.filter(uid=item.uid).values_list("fields", flat=True).first() or {})
    block = item.detail["pin"]["path"]
    origin = {
        "system": HUB, "key": before["code"], "rule": "pinned", "since": timezone.now().isoformat(), "of": 1
    }  # fmt: skip
    for name in members(block):
        fields[name] = {**origin, "group": block} if "+" in block else dict(origin)
    return fields


def keep(*, kind: RecordType, item: ChangeItem, change: ChangeRequest) -> None:
    """The request for another value was applied: from now on it is held."""
    document = records.current_document(kind.key, item.uid)
    block = item.detail["pin"]["path"]
    if change.requester is None or value_of(document, block) in EMPTY and "/" in block:
        return
    _keep(kind, document, item.detail["pin"], Actor.person(change.requester))


@transaction.atomic
def unpin(*, kind: RecordType, uid: Any, path: str, reason: str, by: Actor) -> Counter[str]:
    """Let the sources decide again, at once. What came of it: unchanged, changed, asked (a policy leaves it to people)
    or refused (the sources' value breaks a rule of the record)."""
    _, words = _require(by, reason)
    document = rebuilding.lock(kind, [uid]).get(str(uid))
    if document is None:
        raise NotFound("There is no such record.")
    wanted = {path, survivorship.load(kind).block(path)}
    found = Pin.objects.select_for_update().filter(uid=uid, path__in=wanted).first()
    if found is None:
        raise NotFound("This value is not pinned.")
    label = kind.label(path.partition("/")[0].partition("+")[0])
    pin_upkeep.drop(pin=found, kind=kind, document=document, by=by, action="value.unpinned", reason=words)
    return rebuilding.rebuild(kind=kind, uids=[uid], by=by, reason=f"Pin of {label.lower()} taken away: {words}")
