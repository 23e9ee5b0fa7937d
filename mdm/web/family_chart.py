"""Lanes that join at a merge and part at an unmerge, as a pure function; templates/charts/family.svg.html draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mdm.web.charts import Behind, r1

LEFT, RIGHT, TOP, ROW, BEND = 250.0, 70.0, 34.0, 36.0, 26.0


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
    """A line from x1 to x2; an open one ends in the present."""

    y: float
    x1: float
    x2: float
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
    today: float
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
                stretches.append(Stretch(low, start, r1(x - bend), False, own[uid]))
                bends.append(Bend(_curve(x - bend, low, x, top), True))
                since[uid] = None
            elif not turn.joins:
                bends.append(Bend(_curve(x, top, x + bend, low), False))
                since[uid] = r1(x + bend)
        nodes.append(Node(x, top, turn.joins, turn.url, turn.words, turn.day, turn.number))
    today = r1(width - RIGHT)
    stretches += [
        Stretch(y[lane.uid], start, today, True, lane.own) for lane in lanes if (start := since[lane.uid]) is not None
    ]
    return Family(
        title=title,
        width=width,
        height=TOP + ROW * len(lanes) + 24,
        names=tuple(Name(y[one.uid], one.code, _short(one.label), one.url, one.own) for one in lanes),
        stretches=tuple(stretches),
        bends=tuple(bends),
        nodes=tuple(nodes),
        today=today,
        behind=Behind(("Day", "What happened", "Request"), tuple((t.day, t.words, t.number) for t in turns)),
    )


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = r1((x1 + x2) / 2)
    return f"M{r1(x1)} {y1}C{middle} {y1} {middle} {y2} {r1(x2)} {y2}"


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
