"""Merging: preview of the result, and the request that asks for it. What moves when it is applied: `merge_links`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from mdm import registry
from mdm.errors import CorrectInput, NotNow
from mdm.models import ChangeRequest
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import key_moves, merge_blocks, merge_result
from mdm.services.merge_result import result
from mdm.services.proposing import ProposedItem
from mdm.types import Actor, Change, Document, diff

MOST = 20  # records in one merge: beyond that nobody can review it


@dataclass(frozen=True)
class Merge:
    """What somebody wants to merge: the documents as they are now, and the one that would come of them."""

    kind: RecordType
    survivor: Document
    losers: list[Document]
    result: Document

    @property
    def uids(self) -> list[str]:
        return [self.survivor["uid"], *(document["uid"] for document in self.losers)]


def default_survivor(kind: RecordType, uids: Sequence[str]) -> str:
    """Who stays when nobody says: see `merge_result.survivor_of`. The one answer for pages, API and proposals."""
    return merge_result.survivor_of(kind, uids)


def _planned(
    kind: RecordType,
    survivor: str | None,
    losers: Sequence[str],
    choices: Mapping[str, str] | None,
    drops: Collection[str],
) -> Merge:
    named = list(dict.fromkeys(str(uid) for uid in losers))
    keeps = str(survivor) if survivor else default_survivor(kind, named)
    others = named if survivor else [uid for uid in named if uid != keeps]
    if not others or keeps in others:
        raise CorrectInput("Name one surviving record and at least one other to merge into it.")
    if len(others) >= MOST:
        raise CorrectInput(f"Merge at most {MOST} records at a time.")
    found = records.current_documents(kind.key, [keeps, *others])
    missing = [uid for uid in (keeps, *others) if uid not in found]
    if missing:
        raise CorrectInput("There is no record with this uid: " + ", ".join(missing))
    gone = [found[uid] for uid in (keeps, *others) if found[uid]["status"] in ("merged", "retired")]
    if gone:
        raise NotNow(f"{gone[0]['code']} is {gone[0]['status']} already: it cannot be merged.")
    members = [found[uid] for uid in (keeps, *others)]
    rows = {f"{c.name}/{row['uid']}" for c in kind.children for d in members for row in d.get(c.name) or []}
    if unknown := sorted(set(drops) - rows):
        raise CorrectInput(f"None of these records has the row {unknown[0]}.")
    return Merge(kind, members[0], members[1:], result(kind, members[0], members[1:], choices, drops))


def preview(
    *,
    kind: RecordType,
    survivor: str | None = None,
    losers: Sequence[str],
    choices: Mapping[str, str] | None = None,
    drops: Collection[str] = (),
) -> dict[str, Any]:
    """What the merge would do, with nothing stored; without a survivor the oldest of the records stays.

    {survivor, losers, result, changes, fields, crosswalks, references, targets, blocks}. `drops`: rows, such as
    "addresses/<uid>", that do not survive. `blocks`: what has to be lifted before it can be proposed.
    """
    plan = _planned(kind, survivor, losers, choices, drops)
    moves = key_moves.of_merge(plan.uids[0], plan.uids[1:])
    return {
        "survivor": plan.survivor,
        "losers": plan.losers,
        "result": plan.result,
        "changes": [change.as_json() for change in diff(plan.survivor, plan.result)],
        "fields": _fields(kind, [plan.survivor, *plan.losers], plan.result),
        "crosswalks": [move.as_json() for move in moves],
        "references": [ref.as_json() for ref in references(kind, plan.uids[1:], plan.uids)],
        "targets": key_moves.effects(kind.key, moves, {plan.uids[0]: plan.result}),
        "blocks": [block_as_json(block) for block in merge_blocks.between(kind, plan.uids)],
    }


def block_as_json(block: Any) -> dict[str, Any]:
    return {
        "uid": str(block.uid),
        "left": str(block.left),
        "right": str(block.right),
        "change_request": block.change.number,
        "reason": block.reason,
        "by": block.blocked_by_name,
        "at": block.blocked_at.isoformat(),
    }


def _fields(kind: RecordType, sources: list[Document], merged: Document) -> list[dict[str, Any]]:
    """Per plain field what each record says, and what would survive: the grid people pick from."""
    children = {child.name for child in kind.children}
    return [
        {
            "path": name,
            "label": kind.label(name),
            "values": [{"uid": d["uid"], "value": d.get(name)} for d in sources],
            "result": merged.get(name),
            "differs": len({repr(d.get(name)) for d in sources if d.get(name) not in (None, "", [])}) > 1,
        }
        for name in kind.document.model_fields
        if name not in children and any(d.get(name) not in (None, "", []) for d in sources)
    ]


@dataclass(frozen=True)
class Reference:
    """A field of another golden record that names one of the losers; `old` is that loser's uid."""

    type: str
    uid: str
    path: str
    label: str
    old: str

    def as_json(self) -> dict[str, str]:
        return {"type": self.type, "uid": self.uid, "path": self.path, "label": self.label}


def references(kind: RecordType, losers: Sequence[str], members: Sequence[str]) -> list[Reference]:
    """Plain fields of living records outside the merge that lead to one of the losers, in a fixed order."""
    found = []
    for other in registry.all_types():
        for path, key in other.references.items():
            if key != kind.key or not merge_result.is_uid_field(other, path):
                continue
            rows = other.model._default_manager.filter(**{f"{path}__in": list(losers)}).exclude(status="merged")
            for row in rows.exclude(uid__in=list(members)).order_by("code"):
                label = f"{row.code} {getattr(row, other.name_field)}"
                found.append(Reference(other.key, str(row.uid), path, label, str(getattr(row, path))))
    return found


@transaction.atomic
def propose(
    *,
    kind: RecordType,
    survivor: str | None = None,
    losers: Sequence[str],
    by: Actor,
    choices: Mapping[str, str] | None = None,
    drops: Collection[str] = (),
    reason: str = "",
    origin: str = "merge",
) -> ChangeRequest:
    """Ask for the merge. KeptApart when a person took two of the records apart before."""
    from mdm.services import changes  # the one door to requests stands above this module

    plan = _planned(kind, survivor, losers, choices, drops)
    uid = plan.survivor["uid"]
    merge_blocks.require_none(kind, plan.uids)
    detail = {
        "survivor": uid,
        "losers": plan.uids[1:],
        "choices": {path: str(chosen) for path, chosen in (choices or {}).items()},
        "drops": sorted(drops),
    }
    items = [
        ProposedItem(
            type=kind.key,
            action="merge",
            uid=uid,
            changes=diff(plan.survivor, plan.result),
            base_version=plan.survivor["version"],
            detail=detail,
        )
    ]
    for loser in plan.losers:
        gone = [Change("status", loser["status"], "merged")]
        items.append(
            ProposedItem(type=kind.key, action="merge", uid=loser["uid"], changes=gone, detail={"merged_into": uid})
        )
    items += moved(references(kind, plan.uids[1:], plan.uids), lambda ref: Change(ref.path, ref.old, uid))
    title = f"Merge {len(plan.uids)} records of {kind.name_of(plan.survivor)}"
    return changes.propose(items=items, by=by, title=title, reason=reason, origin=origin)


def moved(found: Sequence[Any], change: Any) -> list[ProposedItem]:
    """One item per referring record, whatever the number of its fields that move."""
    grouped: dict[tuple[str, str], list[Change]] = {}
    for ref in found:
        grouped.setdefault((ref.type, ref.uid), []).append(change(ref))
    return [ProposedItem(type=type_, uid=uid, changes=listed) for (type_, uid), listed in grouped.items()]
