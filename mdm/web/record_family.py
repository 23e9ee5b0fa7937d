"""Merges and unmerges of a record on its timeline: the lanes, and the same in words with a way to undo each."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import timezone

from mdm.permissions import may
from mdm.selectors import lineage
from mdm.selectors.lineage import Lineage, Turn
from mdm.services import unmerging
from mdm.web import visitor
from mdm.web.family_chart import FamilyLane, FamilyTurn, family, family_down
from mdm.web.page import Part
from mdm.web.pointers import request_url
from mdm.web.record_frame import Frame
from mdm.web.values import day

DRAWN = 12  # turns and lanes beyond which the picture says less than the list


def family_of(frame: Frame) -> dict[str, Any] | None:
    """{chart, down, turns: [{at, text, by, number, url, joins, undo}]}; None for a record that was never merged."""
    found = lineage.of(frame.kind, frame.row.uid)
    if not found.turns:
        return None
    turns = found.turns[-DRAWN:]
    inside = {uid for turn in turns for uid in (turn.survivor, *turn.others)} | {str(frame.row.uid)}
    members = [one for one in found.members if one.uid in inside]
    lanes = [
        FamilyLane(
            uid=one.uid,
            code=one.code,
            label=one.name,
            url=visitor.record_url(frame.kind, one.uid, "timeline"),
            starts=sum(turn.at < one.created_at for turn in turns),
            own=one.uid == str(frame.row.uid),
        )
        for one in members[: DRAWN * 2]
    ]
    drawn = [turn for turn in turns if turn.survivor in {lane.uid for lane in lanes}]
    told, title = [_drawn(found, turn) for turn in drawn], f"How {frame.document['code']} was merged"
    return {
        "chart": family(lanes, told, title=title),
        "down": family_down(lanes, told, title=title),
        "turns": [_line(frame, found, turn) for turn in reversed(found.turns)],
    }


def _drawn(found: Lineage, turn: Turn) -> FamilyTurn:
    return FamilyTurn(
        survivor=turn.survivor,
        others=turn.others,
        joins=turn.joins,
        day=day(timezone.localtime(turn.at).date()),
        number=turn.change.number,
        url=request_url(turn.change),
        words=f"{_codes(found, turn)} {_verb(turn)} {_code(found, turn.survivor)}",
    )


def _verb(turn: Turn) -> str:
    return "became part of" if turn.joins else "came back out of"


def _codes(found: Lineage, turn: Turn) -> str:
    codes = [_code(found, uid) for uid in turn.others]
    return codes[0] if len(codes) == 1 else f"{', '.join(codes[:-1])} and {codes[-1]}"


def _code(found: Lineage, uid: str) -> str:
    return next((one.code for one in found.members if one.uid == uid), "a record")


def _line(frame: Frame, found: Lineage, turn: Turn) -> dict[str, Any]:
    text: list[Part | str] = []
    for place, uid in enumerate(turn.others):
        text += [", "] if place else []
        text.append(Part(text=_code(found, uid), url=visitor.record_url(frame.kind, uid)))
    text += [
        f" {_verb(turn)} ",
        Part(text=_code(found, turn.survivor), url=visitor.record_url(frame.kind, turn.survivor)),
    ]
    return {
        "at": turn.at,
        "text": text,
        "by": turn.change.requester or turn.change.requester_name,
        "number": turn.change.number,
        "url": request_url(turn.change),
        "joins": turn.joins,
        "undo": _undo_url(frame, turn) if turn.joins else "",
    }


def _undo_url(frame: Frame, turn: Turn) -> str:
    """Where this merge can be undone by this person; "" when nothing of it is left, or they may not."""
    by = visitor.actor(frame.request)
    if not may(by, f"propose:{frame.kind.path}") or not unmerging.still_holds(turn.change):
        return ""
    url = reverse("web:unmerge", args=[int(turn.change.number[3:])])
    return f"{url}?member={frame.row.uid}" if str(frame.row.uid) in turn.others else url
