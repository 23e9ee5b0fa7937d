"""Detaching: source records that were linked to the wrong golden record go to one of their own, or to another.

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
from mdm.services import comparisons, crosswalks, judging, rebuilding, survivorship
from mdm.services.proposing import ProposedItem
from mdm.survival.rules import HUB
from mdm.types import Actor, Document, Problem, diff


@transaction.atomic
def propose(
    *,
    kind: RecordType,
    uid: Any,
    sources: Sequence[tuple[str, str]],
    by: Actor,
    reason: str,
    to: Any = None,
    origin: str = "web",
) -> ChangeRequest:
    """Ask to take source records, (system, key) each, off a golden record. `to`: the record they belong to; None makes
    them one of their own."""
    from mdm.services import changes  # the one door to requests stands above this module

    if not reason.strip():
        raise CorrectInput("Say why.", problems=[Problem("reason", "missing", "This field is needed.")])
    found = [_source(kind, uid, system, key) for system, key in dict.fromkeys(sources)]
    document = records.current_document(kind.key, uid)
    _refuse_hopeless(kind, document, found)
    items = [_loss(kind, document, found), _gain(kind, found, document, to)]
    items[0].detail["detach"]["to"] = items[1].uid
    named = f"{found[0].system.title} {found[0].key}" if len(found) == 1 else f"{len(found)} source records"
    listed = [item for item in items if item.action != "update" or item.changes]
    return changes.propose(
        items=listed, by=by, title=f"Take {named} off {kind.name_of(document)}", reason=reason.strip(), origin=origin
    )


def _source(kind: RecordType, uid: Any, system: str, key: str) -> SourceRecord:
    found = (
        SourceRecord.objects.select_related("system")
        .filter(type=kind.key, golden_uid=uid, system__code=system, key=key)
        .first()
    )
    if found is None:
        raise NotFound(f"{system} {key} is no source of this record.")
    return found


def _refuse_hopeless(kind: RecordType, document: Document, sources: Sequence[SourceRecord]) -> None:
    if any(source.outcome == "staged" for source in sources):
        raise NotNow("A load that brings this source record is under way or waits for approval: try again after it.")
    open_items = ChangeItem.objects.filter(
        uid=document["uid"], action="detach", request__state__in=("in_review", "returned", "approved", "conflicted")
    )
    pks = {source.pk for source in sources}
    if any(not pks.isdisjoint(one["source"] for one in _moved(item)) for item in open_items):
        raise NotNow("A request to take this source record off waits already.")
    others = SourceRecord.objects.filter(type=kind.key, golden_uid=document["uid"], active=True).exclude(pk__in=pks)
    known = survivorship.gather(kind, {document["uid"]: document})[document["uid"]]
    entered = known.entered or any(origin.get("system") == HUB for origin in known.provenance.values())
    if not others.exists() and not entered:
        what = "This is the only source" if len(pks) == 1 else "These are all sources"
        raise NotNow(f"{what} of the record: nothing would be left of it. Merge or retire it instead.")


def _moved(item: ChangeItem) -> list[dict[str, Any]]:
    """The source records an item takes off: {source, system, key} each."""
    wanted: dict[str, Any] = item.detail.get("detach") or {}
    return wanted.get("sources") or [wanted] if wanted else []


def _loss(kind: RecordType, document: Document, sources: Sequence[SourceRecord]) -> ProposedItem:
    """What the record is without these sources."""
    rules = survivorship.load(kind)
    without = [source.pk for source in sources]
    known = survivorship.gather(kind, {document["uid"]: document}, without=without)[document["uid"]]
    one = rebuilding.look(kind, rules, document, known)
    named = [{"source": source.pk, "system": source.system.code, "key": source.key} for source in sources]
    return ProposedItem(
        type=kind.key,
        action="detach",
        uid=document["uid"],
        changes=one.changes,
        base_version=document["version"],
        detail={"detach": {"sources": named}, "origins": one.survived.where},
    )


def _gain(kind: RecordType, sources: Sequence[SourceRecord], document: Document, to: Any) -> ProposedItem:
    """What their new record becomes with them."""
    rules = survivorship.load(kind)
    spoken = survivorship.of_rows(sources, dict(System.objects.values_list("pk", "code")))
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
    """After the rows are written: source records and keys go to their record, and the two are judged to be different."""
    for item in items:
        pks = [one["source"] for one in _moved(item)]
        if not pks:
            continue
        kind = registry.get(item.type)
        to = records.survivor_uid(kind, item.detail["detach"]["to"])
        for source in (
            SourceRecord.objects.select_for_update().select_related("system").filter(pk__in=pks).order_by("pk")
        ):
            if source.golden_uid != item.uid:
                text = f"{source.system.title} {source.key} stands at another record by now: reject this request."
                raise NotNow(text)
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
    comparisons.find_pairs(kind=kind, uids=[right])
    for pair in DuplicatePair.objects.filter(Q(left=left, right=right) | Q(left=right, right=left), state="open"):
        judging.decide(pair=pair, judgement="different", reason=f"Taken apart by {change.number}.", by=by)
