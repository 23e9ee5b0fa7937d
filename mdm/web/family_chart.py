"""Lanes that join at a merge and part at an unmerge, pure: side by side in time, or downwards where there is no room.

templates/charts/family.svg.html draws both; the stylesheet shows the one that fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mdm.web.charts import Behind, r1

LEFT, RIGHT, TOP, ROW, BEND = 250.0, 70.0, 34.0, 36.0, 26.0
NARROW, STEP, LANE, MOST_LANES = 342.0, 38.0, 26.0, 130.0  # downwards: width, a row, a lane, and all lanes together


@dataclass(frozen=True)
class FamilyLane:
    """`starts`: how many turns had happened when the record was made."""

    uid: str
    code: str
    label: str
    url: str
    starts: int = 0
    own: bool = False


@dataclass(frozen=True)
class FamilyTurn:
    survivor: str
    others: tuple[str, ...]
    joins: bool
    day: str
    number: str
    url: str
    words: str  # the whole sentence, for the title and the list


@dataclass(frozen=True)
class Stretch:
    """A line; an open one ends in the present."""

    x1: float
    y1: float
    x2: float
    y2: float
    open: bool
    own: bool


@dataclass(frozen=True)
class Bend:
    """Where a lane joins or leaves another one: a curve as an SVG path."""

    path: str
    joins: bool


@dataclass(frozen=True)
class Node:
    x: float
    y: float
    joins: bool
    url: str
    words: str
    day: str
    number: str


@dataclass(frozen=True)
class Name:
    x: float
    y: float
    code: str
    label: str
    url: str
    own: bool


@dataclass(frozen=True)
class Family:
    title: str
    width: float
    height: float
    names: tuple[Name, ...]
    stretches: tuple[Stretch, ...]
    bends: tuple[Bend, ...]
    nodes: tuple[Node, ...]
    today: float  # where the present is, across or down
    down: bool
    behind: Behind


def family(lanes: Sequence[FamilyLane], turns: Sequence[FamilyTurn], *, title: str, width: float = 1120) -> Family:
    """Turns stand at equal distances in the order they happened: days apart or years, each can be read."""
    step = (width - LEFT - RIGHT) / (len(turns) + 1)
    y = {lane.uid: TOP + ROW * place + ROW / 2 for place, lane in enumerate(lanes)}
    own = {lane.uid: lane.own for lane in lanes}
    since: dict[str, float | None] = {
        lane.uid: r1(LEFT + step * lane.starts + (step / 2 if lane.starts else 0)) for lane in lanes
    }
    stretches: list[Stretch] = []
    bends: list[Bend] = []
    nodes: list[Node] = []
    for place, turn in enumerate(turns, 1):
        x, top = r1(LEFT + step * place), y[turn.survivor]
        bend = min(BEND, step / 2 - 4)
        for uid in (one for one in turn.others if one in y):
            low = y[uid]
            start = since[uid]
            if turn.joins and start is not None:
                stretches.append(Stretch(start, low, r1(x - bend), low, False, own[uid]))
                bends.append(Bend(_curve(x - bend, low, x, top), True))
                since[uid] = None
            elif not turn.joins:
                bends.append(Bend(_curve(x, top, x + bend, low), False))
                since[uid] = r1(x + bend)
        nodes.append(Node(x, top, turn.joins, turn.url, turn.words, turn.day, turn.number))
    today = r1(width - RIGHT)
    stretches += [
        Stretch(start, y[lane.uid], today, y[lane.uid], True, lane.own)
        for lane in lanes
        if (start := since[lane.uid]) is not None
    ]
    return Family(
        title=title,
        width=width,
        height=TOP + ROW * len(lanes) + 24,
        names=tuple(Name(0, y[one.uid], one.code, _short(one.label), one.url, one.own) for one in lanes),
        stretches=tuple(stretches),
        bends=tuple(bends),
        nodes=tuple(nodes),
        today=today,
        down=False,
        behind=_behind(turns),
    )


def family_down(lanes: Sequence[FamilyLane], turns: Sequence[FamilyTurn], *, title: str) -> Family:
    """Time goes downwards: a lane is a column named in the row where it begins, a turn a row told beside the lanes."""
    width = min(LANE, MOST_LANES / max(len(lanes), 1))
    x = {lane.uid: r1(12 + width * place) for place, lane in enumerate(lanes)}
    text = r1(12 + width * len(lanes))
    own = {lane.uid: lane.own for lane in lanes}
    since: dict[str, float | None] = {}
    names: list[Name] = []
    stretches: list[Stretch] = []
    bends: list[Bend] = []
    nodes: list[Node] = []
    y = 0.0
    for place in range(len(turns) + 1):
        for lane in (one for one in lanes if min(one.starts, len(turns)) == place):
            y += STEP
            since[lane.uid] = r1(y - STEP / 2)
            names.append(Name(text, r1(y - STEP / 2), lane.code, _short(lane.label), lane.url, lane.own))
        if place == len(turns):
            break
        turn, middle = turns[place], r1(y + STEP / 2)
        y += STEP
        for uid in (one for one in turn.others if one in x):
            start = since.get(uid)
            if turn.joins and start is not None:
                stretches.append(Stretch(x[uid], start, x[uid], r1(middle - STEP / 2), False, own[uid]))
                bends.append(Bend(_curve_down(x[uid], middle - STEP / 2, x[turn.survivor], middle), True))
                since[uid] = None
            elif not turn.joins:
                bends.append(Bend(_curve_down(x[turn.survivor], middle, x[uid], middle + STEP / 2), False))
                since[uid] = r1(middle + STEP / 2)
        nodes.append(Node(x[turn.survivor], middle, turn.joins, turn.url, turn.words, turn.day, turn.number))
    today = r1(y + STEP / 2)
    stretches += [
        Stretch(x[uid], start, x[uid], today, True, own[uid]) for uid, start in since.items() if start is not None
    ]
    return Family(
        title=title,
        width=NARROW,
        height=today + 12,
        names=tuple(names),
        stretches=tuple(stretches),
        bends=tuple(bends),
        nodes=tuple(nodes),
        today=today,
        down=True,
        behind=_behind(turns),
    )


def _behind(turns: Sequence[FamilyTurn]) -> Behind:
    return Behind(("Day", "What happened", "Request"), tuple((t.day, t.words, t.number) for t in turns))


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = r1((x1 + x2) / 2)
    return f"M{r1(x1)} {y1}C{middle} {y1} {middle} {y2} {r1(x2)} {y2}"


def _curve_down(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = r1((y1 + y2) / 2)
    return f"M{r1(x1)} {r1(y1)}C{r1(x1)} {middle} {r1(x2)} {middle} {r1(x2)} {r1(y2)}"


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
