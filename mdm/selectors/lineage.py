"""The family of a record: everything that was merged into it or with it, taken apart again, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from mdm.models import ChangeItem, ChangeRequest
from mdm.registry import RecordType

MOST = 40  # records of one family that are looked at


@dataclass(frozen=True)
class Member:
    uid: str
    code: str
    name: str
    status: str
    created_at: datetime


@dataclass(frozen=True)
class Turn:
    """At `at`, `others` became part of `survivor` (joins), or left it again."""

    change: ChangeRequest
    at: datetime
    joins: bool
    survivor: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Lineage:
    members: list[Member]
    turns: list[Turn]


def of(kind: RecordType, uid: Any) -> Lineage:
    """Members, the oldest first, and turns in the order they happened; one query per generation and one more."""
    seen = {str(uid)}
    heads: dict[int, ChangeItem] = {}
    newest = set(seen)
    while newest and len(seen) < MOST:
        found = _heads(kind, newest)
        heads |= {item.request_id: item for item in found}
        newest = {one for item in found for one in _everybody(item)} - seen
        seen |= newest
    if not heads:
        return Lineage([], [])
    rows = kind.model._default_manager.filter(uid__in=seen).order_by("created_at", "uid")
    members = [
        Member(str(row[0]), *row[1:])
        for row in rows.values_list("uid", "code", F(kind.name_field), "status", "created_at")
    ]
    turns = [
        Turn(
            change=item.request,
            at=item.request.applied_at or item.request.created_at,
            joins=item.action == "merge",
            survivor=item.detail["survivor"],
            others=tuple(item.detail["losers"] if item.action == "merge" else item.detail["restored"]),
        )
        for item in heads.values()
    ]
    return Lineage(members, sorted(turns, key=lambda turn: (turn.at, turn.change.pk)))


def _heads(kind: RecordType, uids: Iterable[str]) -> list[ChangeItem]:
    """The survivor's items of every applied merge or unmerge that one of these took part in."""
    requests = ChangeItem.objects.filter(
        type=kind.key, uid__in=list(uids), action__in=("merge", "unmerge"), request__state="applied"
    ).values("request")
    rows = ChangeItem.objects.filter(request__in=requests, action__in=("merge", "unmerge"), detail__has_key="survivor")
    return list(rows.select_related("request"))


def _everybody(item: ChangeItem) -> set[str]:
    return {item.detail["survivor"], *item.detail.get("losers", ()), *item.detail.get("restored", ())}
