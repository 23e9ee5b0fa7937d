"""An unmerge being applied: what came with the merge goes back to where it was, and the records are kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mdm import registry
from mdm.errors import NotFound
from mdm.models import ChangeItem, ChangeRequest, DuplicatePair, MatchDecision, Provenance, SourceRecord
from mdm.registry import RecordType
from mdm.services import key_moves, merge_blocks, merge_links
from mdm.services.unmerge_case import before_of, block_of
from mdm.types import Actor, Document, same, value_at


def keys_of(head: ChangeItem, restored: Sequence[str], *, lock: bool = False) -> key_moves.KeyPlan:
    """The plan of keys for taking these records out of the merge that this survivor's item is of."""
    return key_moves.of_unmerge(
        survivor=head.detail["survivor"], restored=restored, pre_image=head.pre_image, lock=lock
    )


def head_of(items: Sequence[ChangeItem]) -> ChangeItem:
    return next(item for item in items if "restored" in item.detail)


def merge_head_of(head: ChangeItem) -> ChangeItem:
    return merge_links.head_of(list(ChangeItem.objects.filter(request__uid=head.detail["merge"])))


def conflicts_of(item: ChangeItem, document: Document | None) -> list[dict[str, Any]]:
    """A record comes back only while it still is part of the survivor it was merged into."""
    model = registry.get(item.type).model
    into = model._default_manager.filter(uid=item.uid, status="merged").values_list("merged_into", flat=True).first()
    if into is not None and str(into) == item.detail["unmerged_from"]:
        return []
    wanted = next(change["after"] for change in item.changes if change["path"] == "status")
    status = document["status"] if document else None
    return [{"path": "status", "base": "merged", "proposed": wanted, "current": status}]


def in_order(item: ChangeItem, kind: RecordType, document: Document) -> Document:
    """Rows that come back stand where they stood; rows of later date follow."""
    for name, uids in item.detail.get("order", {}).items():
        place = {uid: index for index, uid in enumerate(uids)}
        document[name] = sorted(document.get(name) or [], key=lambda row: place.get(row["uid"], len(place)))
    return document


def provenance(item: ChangeItem, after: Document) -> dict[str, Any] | None:
    """Origins go back with their values; what a restored record takes over brings its origin along."""
    fields = dict(Provenance.objects.filter(uid=item.uid).values_list("fields", flat=True).first() or {})
    if "restored" not in item.detail:
        for block, origin in item.detail.get("origins", {}).items():
            _keep(fields, block, origin, after)
        return fields
    of_merge = merge_head_of(item)
    kept = of_merge.pre_image["provenance"]
    before = before_of(list(of_merge.request.items.all()))
    first = before[item.detail["survivor"]]
    others = [before[uid] for uid in item.detail["still"]]
    for block in dict.fromkeys(block_of(change["path"]) for change in item.changes):
        if same(value_at(after, block), value_at(first, block)):
            origin = kept.get(item.detail["survivor"], {}).get(block)
        else:
            origin = merge_links.origin_of(registry.get(item.type), block, after, others, kept) or fields.get(block)
        _keep(fields, block, origin, after)
    return fields


def _keep(fields: dict[str, Any], block: str, origin: Any, after: Document) -> None:
    if origin and value_at(after, block) not in (None, "", []):
        fields[block] = origin
    else:
        fields.pop(block, None)


def give_back(*, change: ChangeRequest, items: Sequence[ChangeItem], by: Actor) -> None:
    """After the rows are written: keys and source records go back, pairs return, and the records are kept apart."""
    from mdm.services import comparisons, matching

    head = head_of(items)
    kind, survivor, restored = registry.get(head.type), head.detail["survivor"], head.detail["restored"]
    of_merge = merge_head_of(head)
    key_moves.carry_out(keys_of(of_merge, restored, lock=True).moves)
    for uid in restored:
        ids = [row["id"] for row in of_merge.pre_image["sources"] if row["uid"] == uid]
        SourceRecord.objects.filter(pk__in=ids, golden_uid=survivor).update(golden_uid=uid)
    _bring_pairs_back(kind, of_merge, head, change, by)
    apart = [(survivor, uid) for uid in restored]
    matching.record_pairs(kind=kind, scored=_scores(kind, apart))
    merge_blocks.block(kind=kind, change=change, apart=apart, by=by)
    comparisons.find_pairs(kind=kind, uids=[survivor, *restored])


def _scores(kind: RecordType, apart: Sequence[tuple[str, str]]) -> list[tuple[str, str, Any]]:
    """Scores of pairs nobody has seen yet, so that the judgement has something to stand on."""
    from mdm.services import matching

    if kind.match is None:
        return []
    found = []
    for one, other in apart:
        left, right = min(one, other), max(one, other)
        if not DuplicatePair.objects.filter(left=left, right=right).exists():
            try:
                found.append((left, right, matching.compare(kind=kind, left=left, right=right)))
            except NotFound:  # one of them is retired: such records are never paired
                continue
    return found


def _bring_pairs_back(
    kind: RecordType, of_merge: ChangeItem, head: ChangeItem, change: ChangeRequest, by: Actor
) -> None:
    """Pairs the merge settled that are about a restored record and one that lives: as they were before."""
    states = of_merge.pre_image["pairs"]
    restored, still = set(head.detail["restored"]), {head.detail["survivor"], *head.detail["still"]}
    pairs = list(DuplicatePair.objects.select_for_update().filter(pk__in=[int(pk) for pk in states], state="merged"))
    pairs = [p for p in pairs if {str(p.left), str(p.right)} & restored and not {str(p.left), str(p.right)} & still]
    sides = {uid for pair in pairs for uid in (pair.left, pair.right)}
    living = set(
        kind.model._default_manager.filter(uid__in=sides, status__in=("active", "blocked")).values_list(
            "uid", flat=True
        )
    )
    for pair in pairs:
        if {pair.left, pair.right} <= living:
            pair.state = states[str(pair.pk)]
            pair.save(update_fields=["state"])
            MatchDecision.objects.create(
                pair=pair,
                judgement=pair.state,
                reason=f"Unmerged by {change.number}",
                evidence_hash=pair.evidence_hash,
                decided_by=by.user,
                decided_by_name=by.name,
            )
