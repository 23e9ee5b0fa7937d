"""Undoing a merge, or for some of its records: preview and proposal. What goes back when it is applied: `unmerge_links`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from mdm import registry
from mdm.models import (
    ChangeItem,
    ChangeRequest,
    MatchDecision,
    SourceRecord,
)
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import key_moves, merge_links, merging, unmerge_links
from mdm.services.merging import Reference
from mdm.services.proposing import ProposedItem
from mdm.services.unmerge_case import Case, open_case, remaining
from mdm.services.unmerge_values import Split, order_of, split
from mdm.types import Actor, Change, Document, diff, same, value_at


@dataclass(frozen=True)
class Left:
    """A reference the merge moved that does not go back, and why."""

    reference: Reference
    why: str

    def as_json(self) -> dict[str, str]:
        return {**self.reference.as_json(), "why": self.why}


@dataclass(frozen=True)
class Plan:
    case: Case
    made: Split
    keys: key_moves.KeyPlan
    back: list[Reference]
    left: list[Left]


def _planned(merge: ChangeRequest, members: Sequence[str] | None, holders: Mapping[str, str] | None) -> Plan:
    case = open_case(merge, members)
    keys = unmerge_links.keys_of(case.head, case.restored)
    back, left = _references(case)
    return Plan(case, split(case, holders or {}, _sources_of(case)), keys, back, left)


def _sources_of(case: Case) -> dict[tuple[str, str], str]:
    """{(system, key): restored uid} of the source records that go back."""
    rows = case.head.pre_image["sources"]
    ids = SourceRecord.objects.filter(pk__in=[row["id"] for row in rows], golden_uid=case.survivor)
    here = set(ids.values_list("pk", flat=True))
    return {(r["system"], r["key"]): r["uid"] for r in rows if r["id"] in here and r["uid"] in case.restored}


def preview(
    *, merge: ChangeRequest, members: Sequence[str] | None = None, holders: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What undoing this merge would do now, nothing stored; NotNow, naming the blocker, where it cannot be undone.

    `members`: uids of the merged records that come back (default: all that are left). `holders`: {path: uid} who keeps
    values that changed since. The answer: {merge, survivor, result, changes, restored, still, since, crosswalks,
    elsewhere, linked_since, references, left, followed, targets, decisions}.
    """
    plan = _planned(merge, members, holders)
    case, made, head = plan.case, plan.made, plan.case.head
    known = {row["id"] for row in head.pre_image["crosswalks"]}
    return {
        "merge": {"uid": str(merge.uid), "number": merge.number, "title": merge.title, "applied_at": merge.applied_at},
        "survivor": case.now[case.survivor],
        "result": made.survivor,
        "changes": [change.as_json() for change in _changes(case, made)],
        "restored": [
            {"document": document, "changes": [c.as_json() for c in diff(case.now[uid], document)]}
            for uid, document in made.restored.items()
        ],
        "still": [case.now[uid] for uid in case.still],
        "since": [row.as_json() for row in made.since],
        "crosswalks": [move.as_json() for move in plan.keys.moves],
        "elsewhere": [
            {"system": row.system.code, "title": row.system.title, "key": row.key, "uid": str(row.uid)}
            for row in plan.keys.elsewhere
        ],
        "linked_since": [
            move.as_json() for move in plan.keys.moves if move.id not in known and move.after == case.survivor
        ],
        "references": [ref.as_json() for ref in plan.back],
        "left": [left.as_json() for left in plan.left],
        "followed": [{"uid": uid, **led} for uid, found in made.followed.items() for led in found],
        "targets": key_moves.effects(case.kind.key, plan.keys.moves, {case.survivor: made.survivor, **made.restored}),
        "decisions": _decisions_since(case),
    }


def _changes(case: Case, made: Split) -> list[Change]:
    return diff(case.now[case.survivor], made.survivor)


def _decisions_since(case: Case) -> list[dict[str, Any]]:
    """What people judged about the survivor after the merge: it stays as it is."""
    rows = MatchDecision.objects.filter(at__gt=case.merge.applied_at).select_related("pair")
    rows = rows.filter(Q(pair__left=case.survivor) | Q(pair__right=case.survivor))
    outside = [row for row in rows[:50] if not {str(row.pair.left), str(row.pair.right)} & set(case.restored)]
    return [
        {
            "pair": str(row.pair.uid),
            "other": str(row.pair.right if str(row.pair.left) == case.survivor else row.pair.left),
            "judgement": row.judgement,
            "by": row.decided_by_name,
            "at": row.at,
        }
        for row in outside
    ]


# --- references ---------------------------------------------------------------------------------------------------


def _references(case: Case) -> tuple[list[Reference], list[Left]]:
    """References the merge moved: those that go back, and those somebody changed since, which stay as they are."""
    moved = [
        (item.type, str(item.uid), path, old)
        for item, path, old, new in (*_moved_by(case), *_led_since(case))
        if old in case.restored and new == case.survivor and str(item.uid) not in case.restored
    ]
    current: dict[str, Document] = {}
    for key in {type_ for type_, *_ in moved}:
        current |= records.current_documents(key, [uid for type_, uid, *_ in moved if type_ == key])
    back: list[Reference] = []
    left: list[Left] = []
    for type_, uid, path, old in dict.fromkeys(moved):
        document = current[uid]
        reference = Reference(type_, uid, path, _label(type_, document), old)
        if document["status"] == "merged":
            left.append(Left(reference, "this record was merged itself since"))
        elif not same(value_at(document, path), case.survivor):
            left.append(Left(reference, "somebody changed it since"))
        else:
            back.append(reference)
    return back, left


_Moved = tuple[ChangeItem, str, Any, Any]  # item, path, before, after


def _moved_by(case: Case) -> list[_Moved]:
    """References the merge itself moved."""
    return [
        (item, change["path"], change["before"], change["after"])
        for item in case.items
        if item.action == "update"
        for change in item.changes
    ]


def _led_since(case: Case) -> list[_Moved]:
    """References of records that came back from merges of their own meanwhile, led on to the survivor then."""
    wanted = Q()
    for uid in case.restored:
        wanted |= Q(detail__followed__contains=[{"old": uid, "new": case.survivor}])
    rows = ChangeItem.objects.filter(
        wanted, action="unmerge", request__state="applied", request__applied_at__gt=case.merge.applied_at
    )
    return [
        (item, led["path"], led["old"], led["new"]) for item in rows.order_by("pk") for led in item.detail["followed"]
    ]


def _label(type_key: str, document: Document) -> str:
    return f"{document['code']} {registry.get(type_key).name_of(document)}"


# --- the request --------------------------------------------------------------------------------------------------


@transaction.atomic
def propose(
    *,
    merge: ChangeRequest,
    by: Actor,
    members: Sequence[str] | None = None,
    holders: Mapping[str, str] | None = None,
    reason: str = "",
    origin: str = "merge",
) -> ChangeRequest:
    """Ask for the undoing of an applied merge, for all its records or for `members`; approved like any request."""
    from mdm.services import changes  # the one door to requests stands above this module

    merge = ChangeRequest.objects.select_for_update().get(pk=merge.pk)  # of two who ask at once, the second hears of it
    plan = _planned(merge, members, holders)
    case, made = plan.case, plan.made
    given_back = _changes(case, made)
    head = ProposedItem(
        type=case.kind.key,
        action="unmerge",
        uid=case.survivor,
        changes=given_back,
        base_version=case.now[case.survivor]["version"],
        detail={
            "merge": str(merge.uid),
            "survivor": case.survivor,
            "restored": case.restored,
            "still": case.still,
            "holders": {row.path: row.holder for row in made.since},
            "order": order_of(case, [change.path for change in given_back]),
            "followed": made.followed.get(case.survivor, []),
        },
    )
    restored = [
        ProposedItem(
            type=case.kind.key,
            action="unmerge",
            uid=uid,
            changes=diff(case.now[uid], document),
            detail={
                "unmerged_from": case.survivor,
                "origins": made.origins.get(uid, {}),
                "followed": made.followed.get(uid, []),
            },
        )
        for uid, document in made.restored.items()
    ]
    moved = merging.moved(plan.back, lambda ref: Change(ref.path, case.survivor, ref.old))
    names = [case.kind.name_of(made.restored[uid]) for uid in case.restored]
    what = names[0] if len(names) == 1 else f"{len(names)} records"
    return changes.propose(
        items=[head, *restored, *moved],
        by=by,
        title=f"Unmerge {what} from {case.kind.name_of(case.now[case.survivor])}",
        reason=reason,
        origin=origin,
        reverts=merge,
    )


def merge_of(kind: RecordType, uid: str) -> ChangeRequest | None:
    """The merge that made this record part of another one, while it still holds."""
    into = kind.model._default_manager.filter(uid=uid).values_list("merged_into", flat=True).first()
    rows = ChangeItem.objects.filter(uid=uid, action="merge", request__state="applied", detail__merged_into=str(into))
    item = rows.select_related("request").order_by("-pk").first() if into else None
    return item.request if item else None


def still_holds(merge: ChangeRequest) -> bool:
    """Whether anything of an applied merge is left to undo."""
    return bool(remaining(merge, merge_links.head_of(list(merge.items.all()))))


def outlook(change: ChangeRequest) -> tuple[str, list[key_moves.KeyMove]]:
    """(record type, keys and where they lead afterwards) of an open request to merge or unmerge."""
    items = list(change.items.all())
    head = unmerge_links.head_of(items) if change.kind == "unmerge" else merge_links.head_of(items)
    if change.kind == "unmerge":
        of_merge = unmerge_links.merge_head_of(head)
        return head.type, unmerge_links.keys_of(of_merge, head.detail["restored"]).moves
    return head.type, key_moves.of_merge(head.detail["survivor"], head.detail["losers"])
