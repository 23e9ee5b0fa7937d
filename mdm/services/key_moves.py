"""Where local keys lead before and after a merge or its undoing: one plan, shown in previews and carried out as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mdm import ports
from mdm.models import Crosswalk, System
from mdm.types import Document

STOPPED = ("blocked", "retired", "merged")
WORDS = ("updates", "unblocks", "blocks", "creates")  # what happens at a system


@dataclass(frozen=True)
class KeyMove:
    """One active key: the record it leads to and whether it is that record's primary key there, before and after."""

    id: int
    system: System
    key: str
    before: str
    was_primary: bool
    after: str
    primary: bool

    @property
    def changes(self) -> bool:
        return (self.before, self.was_primary) != (self.after, self.primary)

    def as_json(self) -> dict[str, Any]:
        return {
            "system": self.system.code,
            "title": self.system.title,
            "key": self.key,
            "uid": self.before,
            "after": self.after,
            "primary": self.primary,
        }


@dataclass(frozen=True)
class KeyPlan:
    """`elsewhere`: keys the merge took that lead to a third record now; they stay there."""

    moves: list[KeyMove]
    elsewhere: list[Crosswalk]


def _active(uids: Iterable[str], *, lock: bool = False) -> list[Crosswalk]:
    rows = Crosswalk.objects.select_for_update(of=("self",)) if lock else Crosswalk.objects.all()
    rows = rows.filter(uid__in=list(uids), active=True).select_related("system")
    return list(rows.order_by("system__rank", "system__code", "-primary", "since", "pk"))


def of_merge(survivor: str, losers: Sequence[str], *, lock: bool = False) -> list[KeyMove]:
    """Every active key leads to the survivor; its own primary key stays primary, else the best of the losers'."""
    rows = _active([survivor, *losers], lock=lock)
    first = {survivor: 0}
    ranked = sorted(rows, key=lambda row: (first.get(str(row.uid), 1), not row.primary, row.since, row.pk))
    return _moves(rows, {row.pk: survivor for row in rows}, ranked)


def of_unmerge(*, survivor: str, restored: Sequence[str], pre_image: Mapping[str, Any], lock: bool = False) -> KeyPlan:
    """Keys go back to whom they led before the merge; those linked since follow their source record.

    A key that leads to a third record by now stays there. Nobody is left with keys at a system and none primary.
    """
    rows = _active([survivor, *restored], lock=lock)
    before = {row["id"]: row for row in pre_image.get("crosswalks", ())}
    sources = {(row["system"], row["key"]): row["uid"] for row in pre_image.get("sources", ())}
    after: dict[int, str] = {}
    for row in rows:
        known = before.get(row.pk)
        owner = known["uid"] if known else sources.get((row.system.code, row.key), survivor)
        after[row.pk] = owner if owner in restored and str(row.uid) == survivor else str(row.uid)

    def rank(row: Crosswalk) -> tuple[bool, bool, Any, int]:
        """What was primary before goes back as primary; among keys that stay, today's primary one."""
        was = before.get(row.pk, {"primary": False})["primary"]
        goes = after[row.pk] != str(row.uid)
        return not (was if goes else row.primary), not was, row.since, row.pk

    ranked = sorted(rows, key=rank)
    wanted = [row["id"] for row in before.values() if row["uid"] in restored and row["active"]]
    gone = Crosswalk.objects.filter(pk__in=wanted, active=True).exclude(uid__in=[survivor, *restored])
    return KeyPlan(_moves(rows, after, ranked), list(gone.select_related("system").order_by("system__rank", "key")))


def _moves(rows: Sequence[Crosswalk], after: Mapping[int, str], ranked: Sequence[Crosswalk]) -> list[KeyMove]:
    """The first of `ranked` at each system becomes the primary key of the record it leads to."""
    primary: dict[tuple[int, str], int] = {}
    for row in ranked:
        primary.setdefault((row.system_id, after[row.pk]), row.pk)
    return [
        KeyMove(
            id=row.pk,
            system=row.system,
            key=row.key,
            before=str(row.uid),
            was_primary=row.primary,
            after=after[row.pk],
            primary=primary[row.system_id, after[row.pk]] == row.pk,
        )
        for row in rows
    ]


def carry_out(moves: Sequence[KeyMove]) -> None:
    """In the caller's transaction. Primary marks are taken off first: a record has one per system at any time."""
    moving = [move for move in moves if move.changes]
    Crosswalk.objects.filter(pk__in=[move.id for move in moving]).update(primary=False)
    for move in moving:
        Crosswalk.objects.filter(pk=move.id).update(uid=move.after, primary=move.primary)


def effects(type: str, moves: Sequence[KeyMove], living: Mapping[str, Document]) -> list[dict[str, Any]]:
    """Per system what becomes of the keys there: {system, title, updates, unblocks, blocks, creates, told}.

    A record's primary key is updated (`unblocks`: it is blocked there today), its other keys are blocked; `creates` are
    codes of records the system will have to make. `living`: {uid: document} of the records afterwards. `told` is false
    where nobody delivers to the system: a person has to do it there.
    """
    told = {uid: _receivers(type, document) for uid, document in living.items()}
    titles = {move.system.code: move.system.title for move in moves}
    known = {(move.system.code, move.after) for move in moves}
    makes = [
        (code, uid) for uid, codes in told.items() for code, new in codes.items() if new and (code, uid) not in known
    ]
    if missing := {code for code, _ in makes} - set(titles):
        titles |= dict(System.objects.filter(code__in=missing).order_by("rank", "code").values_list("code", "title"))
    found: dict[str, dict[str, Any]] = {
        code: {"system": code, "title": title, "told": any(code in codes for codes in told.values())}
        | {word: [] for word in WORDS}
        for code, title in titles.items()
    }
    for move in moves:
        if does := _does(move, living[move.after]["status"] if move.after in living else "active"):
            found[move.system.code][does].append(move.key)
    for code, uid in makes:
        found[code]["creates"].append(living[uid]["code"])
    return list(found.values())


def _receivers(type: str, document: Document) -> dict[str, bool]:
    merged: dict[str, bool] = {}
    for port in ports.receivers:
        merged.update(port(type, document))
    return merged


def _does(move: KeyMove, status: str) -> str:
    if not move.primary or status in STOPPED:
        return "blocks" if move.was_primary else ""
    return "updates" if move.was_primary else "unblocks"
