"""Owns how validity periods in SAP come to cover the days that ours cover, without one ever being deleted.

Pure. A period is (first day, last day, row); days are ISO texts and the last one still counts: `9999-12-31` is no end. SAP
may cut finer than we do: then each of its pieces holds what ours says on its days.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

from sync.normalise import canonical

FOREVER = "9999-12-31"


@dataclass(frozen=True)
class Period:
    start: str
    end: str
    row: Mapping[str, Any]

    def holds(self, day: str) -> bool:
        return self.start <= day <= self.end


@dataclass(frozen=True)
class Step:
    """end, start: the period that ends on `end` gets `day` as its new last, or first, day. create: a new one."""

    kind: Literal["end", "start", "create"]
    period: Period
    day: str = ""


def steps(held: Sequence[Period], ours: Sequence[Period]) -> Iterator[Step]:
    """The changes in an order in which no two periods ever overlap. What SAP has outside of ours stays as it is."""
    pieces: list[Period] = []
    for period in sorted(held, key=lambda one: one.start):
        pieces += yield from _cut(period, ours)
    for wanted in sorted(ours, key=lambda one: one.start):
        yield from _fill(wanted, [piece for piece in pieces if wanted.holds(piece.start)])


def _cut(period: Period, ours: Sequence[Period]) -> Generator[Step, None, list[Period]]:
    """One of theirs, cut where ours begin or end; the pieces that are left."""
    marks = {one.start for one in ours} | {after(one.end) for one in ours if one.end != FOREVER}
    pieces, rest = [], period
    for mark in sorted(mark for mark in marks if period.start < mark <= period.end):
        if of_day(ours, rest.start) is None:  # begins before ours does
            yield Step("start", rest, mark)
            rest = replace(rest, start=mark)
            continue
        yield Step("end", rest, before(mark))
        pieces.append(replace(rest, end=before(mark)))
        wanted = of_day(ours, mark)
        if wanted is None:  # ours ends here
            return pieces
        rest = replace(rest, start=mark, row=wanted.row)
        yield Step("create", rest)
    return [*pieces, rest]


def _fill(wanted: Period, pieces: list[Period]) -> Iterator[Step]:
    if not pieces:
        yield Step("create", wanted)
        return
    if pieces[0].start > wanted.start:
        yield Step("start", pieces[0], wanted.start)
    for piece, follows in zip(pieces, pieces[1:], strict=False):
        if after(piece.end) < follows.start:
            yield Step("end", piece, before(follows.start))
    if pieces[-1].end < wanted.end:
        yield Step("end", pieces[-1], wanted.end)


def of_day(periods: Sequence[Period], day: str) -> Period | None:
    return next((period for period in periods if period.holds(day)), None)


def joined(periods: Sequence[Period]) -> list[Period]:
    """Neighbours that say the same, as one."""
    found: list[Period] = []
    for period in sorted(periods, key=lambda one: one.start):
        last = found[-1] if found else None
        if last and last.end != FOREVER and after(last.end) == period.start and _alike(last.row, period.row):
            found[-1] = replace(last, end=period.end)
        else:
            found.append(period)
    return found


def after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(canonical(one.get(name)) == canonical(other.get(name)) for name in {*one, *other})
