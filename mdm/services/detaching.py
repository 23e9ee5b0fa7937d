"""Detaching: a source record that was linked to the wrong golden record goes to one of its own, or to another.

A request like every other: it says what the record loses and what the other gains, somebody else approves it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from mdm import registry
from mdm.errors import CorrectInput, NotFound, NotNow
from mdm.models import ChangeItem, ChangeRequest, Crosswalk, DuplicatePair, SourceRecord, System
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import crosswalks, judging, matching, rebuilding, survivorship
from mdm.services.proposing import ProposedItem
from mdm.survival.rules import HUB
from mdm.types import Actor, Document, Problem, diff


@transaction.atomic
def propose(
    *,
    kind: RecordType,
    uid: Any,
    system: str,
    key: str,
    by: Actor,
    reason: str,
    to: Any = None,
    origin: str = "web",
) -> ChangeRequest:
    """Ask to take one source record off a golden record. `to`: the record it belongs to; None makes it one of its own."""
    from mdm.services import changes  # the one door to requests stands above this module

    if not reason.strip():
        raise CorrectInput("Say why.", problems=[Problem("reason", "missing", "This field is needed.")])
    source = _source(kind, uid, system, key)
    document = records.current_document(kind.key, uid)
    _refuse_hopeless(kind, document, source)
    items = [_loss(kind, document, source), _gain(kind, source, document, to)]
    items[0].detail["detach"]["to"] = items[1].uid
    title = f"Take {source.system.title} {source.key} off {kind.name_of(document)}"
    listed = [item for item in items if item.action != "update" or item.changes]
    return changes.propose(items=listed, by=by, title=title, reason=reason.strip(), origin=origin)


def _source(kind: RecordType, uid: Any, system: str, key: str) -> SourceRecord:
    found = (
        SourceRecord.objects.select_related("system")
        .filter(type=kind.key, golden_uid=uid, system__code=system, key=key)
        .first()
    )
    if found is None:
        raise NotFound(f"{system} {key} is no source of this record.")
    return found


def _refuse_hopeless(kind: RecordType, document: Document, source: SourceRecord) -> None:
    if source.outcome == "staged":
        raise NotNow("A load that brings this source record is under way or waits for approval: try again after it.")
    open_items = ChangeItem.objects.filter(
        uid=document["uid"], action="detach", request__state__in=("in_review", "returned", "approved", "conflicted")
    )
    if any(item.detail.get("detach", {}).get("source") == source.pk for item in open_items):
        raise NotNow("A request to take this source record off waits already.")
    others = SourceRecord.objects.filter(type=kind.key, golden_uid=document["uid"], active=True).exclude(pk=source.pk)
    known = survivorship.gather(kind, {document["uid"]: document})[document["uid"]]
    entered = known.entered or any(origin.get("system") == HUB for origin in known.provenance.values())
    if not others.exists() and not entered:
        raise NotNow("This is the only source of the record: nothing would be left of it. Merge or retire it instead.")


def _loss(kind: RecordType, document: Document, source: SourceRecord) -> ProposedItem:
    """What the record is without this source."""
    rules = survivorship.load(kind)
    known = survivorship.gather(kind, {document["uid"]: document}, without=[source.pk])[document["uid"]]
    one = rebuilding.look(kind, rules, document, known)
    detail = {
        "detach": {"source": source.pk, "system": source.system.code, "key": source.key},
        "origins": one.survived.where,
    }
    return ProposedItem(
        type=kind.key,
        action="detach",
        uid=document["uid"],
        changes=one.changes,
        base_version=document["version"],
        detail=detail,
    )


def _gain(kind: RecordType, source: SourceRecord, document: Document, to: Any) -> ProposedItem:
    """What its new record becomes with it."""
    rules = survivorship.load(kind)
    spoken = survivorship.of_rows([source], dict(System.objects.values_list("pk", "code")))
    if to is None:
        survived = survivorship.compute(kind=kind, rules=rules, known=survivorship.Known(sources=spoken), current=None)
        return ProposedItem(
            type=kind.key,
            action="create",
            uid=str(uuid.uuid4()),
            document=survived.body,
            detail={"origins": survived.where},
        )
    if str(to) == document["uid"]:
        raise CorrectInput("It stands at this record already: name another one, or none.")
    other = records.current_document(kind.key, to)
    if other["status"] not in rebuilding.ALIVE:
        raise NotNow(f"{other['code']} is {other['status']}: it takes no source records.")
    known = survivorship.gather(kind, {other["uid"]: other})[other["uid"]]
    known.sources = [*known.sources, *spoken]
    one = rebuilding.look(kind, rules, other, known)
    return ProposedItem(
        type=kind.key,
        uid=other["uid"],
        changes=diff(other, one.after),
        base_version=other["version"],
        detail={"origins": one.survived.where},
    )


def move(*, change: ChangeRequest, items: Sequence[ChangeItem], by: Actor) -> None:
    """After the rows are written: source record and key go to their record, and the two are judged to be different."""
    for item in items:
        wanted: dict[str, Any] = item.detail.get("detach") or {}
        if not wanted:
            continue
        kind = registry.get(item.type)
        source = SourceRecord.objects.select_for_update().select_related("system").get(pk=wanted["source"])
        if source.golden_uid != item.uid:
            raise NotNow(f"{source.system.title} {source.key} stands at another record by now: reject this request.")
        to = records.survivor_uid(kind, wanted["to"])
        SourceRecord.objects.filter(pk=source.pk).update(golden_uid=to)
        _move_key(source, to)
        _remember_difference(kind, str(item.uid), to, change, by)
        rebuilding.queue(kind=kind, uids=[item.uid, to], reason=f"Sources moved by {change.number}.")


def _move_key(source: SourceRecord, to: str) -> None:
    row = Crosswalk.objects.filter(system=source.system, type=source.type, key=source.key).first()
    if row is None or not row.active:
        return
    was_primary, left = row.primary, row.uid
    taken = Crosswalk.objects.filter(system=source.system, uid=to, active=True, primary=True).exists()
    crosswalks.link(system=source.system, type=source.type, key=source.key, uid=to, primary=not taken, move=True)
    if was_primary:  # its former record goes on with the oldest of its other keys there
        rest = Crosswalk.objects.filter(system=source.system, uid=left, active=True).order_by("since", "pk").first()
        if rest is not None:
            Crosswalk.objects.filter(pk=rest.pk).update(primary=True)


def _remember_difference(kind: RecordType, left: str, right: str, change: ChangeRequest, by: Actor) -> None:
    """Else the next look for duplicates would ask the same question again."""
    if kind.match is None:
        return
    matching.find_pairs(kind=kind, uids=[right])
    for pair in DuplicatePair.objects.filter(Q(left=left, right=right) | Q(left=right, right=left), state="open"):
        judging.decide(pair=pair, judgement="different", reason=f"Taken apart by {change.number}.", by=by)
