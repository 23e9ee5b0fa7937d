"""Records that a person took apart again: they are not merged a second time before somebody lifts the block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from mdm.errors import CorrectInput, KeptApart, NotAllowed, NotNow
from mdm.models import ChangeRequest, DuplicatePair, MatchDecision, MergeBlock
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.services import audit, inference
from mdm.types import Actor


def block(
    *, kind: RecordType, change: ChangeRequest, apart: Iterable[tuple[str, str]], by: Actor
) -> list[DuplicatePair]:
    """Keep these records apart, and judge their known pairs different; the pairs. In the transaction of the unmerge."""
    ordered = {(min(one, other), max(one, other)) for one, other in apart}
    MergeBlock.objects.bulk_create(
        [
            MergeBlock(
                type=kind.key, left=left, right=right, change=change, reason=change.reason, blocked_by_name=by.name
            )
            for left, right in sorted(ordered)
        ],
        ignore_conflicts=True,
    )
    lefts, rights = {left for left, _ in ordered}, {right for _, right in ordered}
    pairs = DuplicatePair.objects.select_for_update().filter(left__in=lefts, right__in=rights)
    judged = [pair for pair in pairs if (str(pair.left), str(pair.right)) in ordered]
    for pair in judged:
        _decide(pair, "different", f"Unmerged by {change.number}. {change.reason}".strip(), by)
    inference.settle([uid for pair in judged for uid in (pair.left, pair.right)])
    return judged


def _decide(pair: DuplicatePair, judgement: str, reason: str, by: Actor) -> None:
    MatchDecision.objects.create(
        pair=pair,
        judgement=judgement,
        reason=reason,
        evidence_hash=pair.evidence_hash,
        settles=True,  # an approved request stands above what single stewards said before
        decided_by=by.user,
        decided_by_name=by.name,
    )
    pair.state, pair.follows, pair.dispute = judgement, "", ""
    pair.save(update_fields=["state", "follows", "dispute"])


def held(pairs: Iterable[tuple[Any, Any]]) -> set[tuple[str, str]]:
    """Those of these (left, right) pairs that are kept apart; one query."""
    wanted = {(str(left), str(right)) for left, right in pairs}
    rows = MergeBlock.objects.filter(
        lifted_at=None, left__in={left for left, _ in wanted}, right__in={right for _, right in wanted}
    ).values_list("left", "right")
    return {(str(left), str(right)) for left, right in rows} & wanted


def between(kind: RecordType, members: Sequence[str]) -> list[MergeBlock]:
    """Blocks that stand against merging these records, those about records merged into them since included."""
    inside = _absorbed(kind, members)
    rows = MergeBlock.objects.filter(type=kind.key, lifted_at=None, left__in=inside, right__in=inside)
    found = rows.select_related("change").order_by("pk")
    return [row for row in found if inside[str(row.left)] != inside[str(row.right)]]


def _absorbed(kind: RecordType, members: Sequence[str]) -> dict[str, str]:
    """{uid: the member it is or has become part of}; one query per generation of merges."""
    inside = {str(uid): str(uid) for uid in members}
    newest = list(inside)
    while newest:
        rows = kind.model._default_manager.filter(merged_into__in=newest).values_list("uid", "merged_into")
        found = {str(uid): inside[str(into)] for uid, into in rows if str(uid) not in inside}
        inside |= found
        newest = list(found)
    return inside


def require_none(kind: RecordType, members: Sequence[str]) -> None:
    """KeptApart when a person took two of these records apart and nobody lifted that."""
    found = between(kind, members)
    if found:
        raise KeptApart(
            f"These records were merged once and taken apart by {found[0].change.number}. "
            "A steward must lift that block, saying why, before they are merged again.",
            block=str(found[0].uid),
        )


@transaction.atomic
def lift(*, block: MergeBlock, reason: str, by: Actor) -> MergeBlock:
    """Let the two records be merged again; the pair returns to the queue. Needs a steward and a reason."""
    if not may(by, "steward"):
        raise NotAllowed("Only data stewards lift a block. A governance lead can give you that role.")
    if not reason.strip():
        raise CorrectInput("Say why they may be merged after all.")
    block = MergeBlock.objects.select_for_update().get(pk=block.pk)
    if block.lifted_at:
        raise NotNow(f"{block.lifted_by_name} has lifted this block already.")
    block.lifted_by, block.lifted_by_name = by.user, by.name
    block.lifted_at, block.lift_reason = timezone.now(), reason.strip()[:5000]
    block.save()
    pair = DuplicatePair.objects.select_for_update().filter(left=block.left, right=block.right).first()
    if pair and pair.state != "merged":
        _decide(pair, "open", block.lift_reason, by)
        inference.settle([pair.left, pair.right])
    audit.record(
        action="pair.block_lifted",
        by=by,
        object_type="merge_block",
        object_uid=block.uid,
        object_label=str(block),
        detail={"reason": block.lift_reason, "change_request": block.change.number},
    )
    return block
