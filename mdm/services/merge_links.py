"""A merge being applied: what it is about to move is noted, keys and source records follow, origins come along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q

from mdm import registry
from mdm.models import ChangeItem, ChangeRequest, Crosswalk, DuplicatePair, MatchDecision, Provenance, SourceRecord
from mdm.registry import ChildType, RecordType
from mdm.services import documents, key_moves, merge_blocks
from mdm.services.merge_result import content
from mdm.types import Actor, Document, same, value_at


def head_of(items: Sequence[ChangeItem]) -> ChangeItem:
    """The survivor's item: it knows who takes part."""
    return next(item for item in items if "losers" in item.detail)


def check(items: Sequence[ChangeItem]) -> None:
    """Before anything is written: nobody took these records apart while the request waited."""
    head = head_of(items)
    merge_blocks.require_none(registry.get(head.type), [head.detail["survivor"], *head.detail["losers"]])


def take_pre_image(items: Sequence[ChangeItem]) -> None:
    """Note down, with the records locked, what the merge is about to move: what its undoing will put back."""
    head = head_of(items)
    losers = head.detail["losers"]
    members = [head.detail["survivor"], *losers]
    keys = Crosswalk.objects.filter(uid__in=members).select_related("system").order_by("pk")
    sources = SourceRecord.objects.filter(golden_uid__in=members).select_related("system").defer("document")
    head.pre_image = {
        "crosswalks": [
            {
                "id": row.pk,
                "system": row.system.code,
                "key": row.key,
                "uid": str(row.uid),
                "primary": row.primary,
                "active": row.active,
            }
            for row in keys
        ],
        "sources": [
            {"id": row.pk, "system": row.system.code, "key": row.key, "uid": str(row.golden_uid)}
            for row in sources.order_by("pk")
        ],
        "provenance": {str(row.uid): row.fields for row in Provenance.objects.filter(uid__in=members)},
        "pairs": {str(pair.pk): pair.state for pair in _settled(members, losers)},
    }
    head.save(update_fields=["pre_image"])


def _settled(members: Sequence[str], losers: Sequence[str]) -> list[DuplicatePair]:
    """Pairs the merge answers: those inside it, and what was open between a loser and third records."""
    inside = Q(left__in=members, right__in=members)
    rows = DuplicatePair.objects.select_for_update().filter(
        inside | (Q(state="open") & (Q(left__in=losers) | Q(right__in=losers)))
    )
    return list(rows.exclude(state="merged").order_by("pk"))


def move_links(*, change: ChangeRequest, items: Sequence[ChangeItem], by: Actor) -> None:
    """After the rows are written: keys and source records follow the survivor, and the pairs are settled."""
    head = head_of(items)
    kind, survivor, losers = registry.get(head.type), head.detail["survivor"], head.detail["losers"]
    key_moves.carry_out(key_moves.of_merge(survivor, losers, lock=True))
    SourceRecord.objects.filter(golden_uid__in=losers).update(golden_uid=survivor)
    members = [survivor, *losers]
    pairs = _settled(members, losers)
    for pair in pairs:
        if str(pair.left) in members and str(pair.right) in members:
            MatchDecision.objects.create(
                pair=pair,
                judgement="same",
                reason=f"Merged by {change.number}",
                evidence_hash=pair.evidence_hash,
                decided_by=by.user,
                decided_by_name=by.name,
            )
    # Open pairs of a loser with third records make no sense any more; the survivor's own pairs are found afresh.
    DuplicatePair.objects.filter(pk__in=[pair.pk for pair in pairs]).update(state="merged")
    from mdm.services import comparisons

    comparisons.find_pairs(kind=kind, uids=[survivor])


def provenance(item: ChangeItem, before: Document, after: Document, current: Mapping[str, Document]) -> dict[str, Any]:
    """Where the survivor's values come from afterwards: a value taken from a loser brings its origin along.

    Without this every value of the merge would count as entered by hand and never follow its source again.
    """
    kind, losers = registry.get(item.type), item.detail["losers"]
    known = {str(row.uid): row.fields for row in Provenance.objects.filter(uid__in=[before["uid"], *losers])}
    result = dict(known.get(before["uid"], {}))
    for block in dict.fromkeys("/".join(change["path"].split("/")[:2]) for change in item.changes):
        found = origin_of(kind, block, after, [current[uid] for uid in losers], known)
        if found:
            result[block] = found
        else:
            result.pop(block, None)
    return result


def origin_of(
    kind: RecordType,
    block: str,
    after: Document,
    losers: Sequence[Document],
    known: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any] | None:
    """The origin of a value or row that came from one of these records; `known`: {uid: provenance}."""
    name, _, row_uid = block.partition("/")
    row = value_at(after, block) if row_uid else None
    for loser in losers:
        origins = known.get(loser["uid"], {})
        if not row_uid:
            if same(loser.get(name), after.get(name)) and name in origins:
                return dict(origins[name])
            continue
        theirs = next((one for one in loser.get(name) or [] if row and _says(kind.child(name), one, row)), None)
        if theirs and (found := origins.get(f"{name}/{theirs['uid']}")):
            return dict(found)
    return None


def _says(child: ChildType, theirs: Document, row: Document) -> bool:
    return documents.identity(child, theirs) == documents.identity(child, row) and same(content(theirs), content(row))
