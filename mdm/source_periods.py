"""Owns how rows of a file that speak of days become the timeline of one source record. Pure: no database, no clock.

A row is {"row": its number, "mark": its digest, "valid_from", "valid_to", values…}. Without `valid_to` it holds until the next
row of its key begins. The order of the rows plays no part, so they may come in several chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mdm.periods import BOUNDS, FIRST, LAST, Period, absorbed, change, end_of, in_order, start_of, values_of
from mdm.types import same

Told = dict[str, Any]
_MARKS = ("row", "mark")


def clash(told: Iterable[Told], new: Told) -> Told | None:
    """An earlier row of the file that speaks of the same days."""
    return next((one for one in told if _overlap(one, new)), None)


def _overlap(one: Told, other: Told) -> bool:
    first, second = sorted((one, other), key=start_of)
    if start_of(first) == start_of(second):
        return True
    return bool(first.get("valid_to")) and end_of(first) > start_of(second)


def timeline(base: Sequence[Period], told: Sequence[Told], *, ends: bool, today: str) -> list[Period]:
    """The source's periods. `base`: what it said before this file, none for a key that is not known yet.

    A new key has the periods of its rows and no others. To a known one each row is a change from its day on, by the rules of
    docs/periods.md; a row that begins with a known period says anew when that ends. `ends`: whether the file tells ends, so
    that an empty one means until further notice. A single row without days holds, of a known key, from `today` on.
    """
    rows = in_order(told)
    if not base:
        return absorbed(_period(row, _until(rows, place)) for place, row in enumerate(rows))
    listed: list[Period] = [dict(period) for period in base]
    for place, row in enumerate(rows):
        undated = len(rows) == 1 and not (row.get("valid_from") or row.get("valid_to"))
        start = today if undated else row.get("valid_from")
        end = _until(rows, place)
        if ends and not undated:
            listed = _ended_anew(listed, _values(row), start or FIRST, end)
        listed = change(listed, _values(row), start, end, new_uid=str)
    return absorbed({**period, "uid": None} for period in listed)


def _until(rows: Sequence[Told], place: int) -> str | None:
    following = rows[place + 1].get("valid_from") if place + 1 < len(rows) else None
    return rows[place].get("valid_to") or following


def _ended_anew(listed: Sequence[Period], values: dict[str, Any], start: str, end: str | None) -> list[Period]:
    """The known period that begins on this day ends when the row says. Without an end it goes on up to what comes after it,
    and so does one that began earlier with the same values."""
    after = min((start_of(period) for period in listed if start_of(period) > start), default=LAST)
    found = []
    for period in listed:
        begins = start_of(period) == start
        goes_on = end is None and start_of(period) < start < end_of(period) and same(values_of(period), values)
        if goes_on or (begins and (end is None or end_of(period) > end)):
            until = after if end is None else end
            period = {**period, "valid_to": None if until == LAST else until}
        found.append(period)
    return found


def _period(row: Told, end: str | None) -> Period:
    return {"uid": None, **_values(row), "valid_from": row.get("valid_from"), "valid_to": end}


def _values(row: Told) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in (*_MARKS, *BOUNDS, "uid")}
