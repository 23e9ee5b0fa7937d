"""Valid time: the periods of one record, how a change from a day on moves them, and what holds on a day.

A period is a row of a document: {"uid", "valid_from", "valid_to", values…}. Days are ISO texts; a period holds from
`valid_from` up to, not on, `valid_to`; None is open, at the start or at the end. The rules have numbers, which the table
of docs/periods.md and the tests share. Pure: no database, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from mdm.types import Problem, same

Period = dict[str, Any]
Validity = Literal["planned", "current", "ended"]
BOUNDS = ("valid_from", "valid_to")
_KEYS = ("uid", *BOUNDS)
FIRST, LAST = "", "9999-99"  # sort before and after every ISO day


def start_of(period: Mapping[str, Any]) -> str:
    return period.get("valid_from") or FIRST


def end_of(period: Mapping[str, Any]) -> str:
    return period.get("valid_to") or LAST


def values_of(period: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in period.items() if name not in _KEYS}


def in_order(periods: Iterable[Period]) -> list[Period]:
    return sorted(periods, key=start_of)


# --- what holds on a day ----------------------------------------------------------------------------------------------


def on(periods: Iterable[Period], day: str) -> Period | None:
    """The period that holds on a day; None in a gap, before the first and after the last."""
    return next((p for p in periods if start_of(p) <= day < end_of(p)), None)


def shown(periods: Sequence[Period], day: str) -> tuple[Period, Validity]:
    """What a record shows on a day: the period that holds; else the last that held; else the first that will."""
    if (now := on(periods, day)) is not None:
        return now, "current"
    past = [p for p in periods if end_of(p) <= day]
    if past:
        return max(past, key=end_of), "ended"
    return min(periods, key=start_of), "planned"


def at_top(periods: Sequence[Period], fields: Iterable[str], day: str) -> dict[str, Any]:
    """What a record says of itself on a day: the values of the period shown, its bounds, and whether it holds."""
    period, validity = shown(periods, day)
    top = {name: period.get(name) for name in fields if name in period}
    return {**top, **{name: period.get(name) for name in BOUNDS}, "validity": validity}


def next_boundary(periods: Iterable[Period], day: str) -> str | None:
    """The first day after `day` on which something else holds."""
    bounds = {bound for p in periods for bound in (p.get("valid_from"), p.get("valid_to")) if bound}
    return min((bound for bound in bounds if bound > day), default=None)


# --- changing ---------------------------------------------------------------------------------------------------------


def change(
    periods: Sequence[Period],
    values: Mapping[str, Any],
    start: str | None,
    end: str | None = None,
    *,
    new_uid: Callable[[], str],
) -> list[Period]:
    """Let `values` hold from `start` on.

    Without an `end`, each value holds until the day on which that very value was planned to change (rule 2), never over
    a gap. With one, all hold up to that day, whatever was planned between (rules 3, 4). Days that no period covered get
    one, with the other values of the period before, else of the one after (rules 5, 6).
    """
    first, last = start or FIRST, end or LAST
    parts = in_order(cut(cut(periods, first, new_uid), last, new_uid))
    if end is None:
        done = _until_planned(parts, values, first)
        gaps = [] if on(parts, first) else [(first, _next_start(parts, first))]
    else:
        done = [{**part, **values} if first <= start_of(part) < last else part for part in parts]
        gaps = _gaps(parts, first, last)
    for begins, ends in gaps:
        bounds = {"uid": new_uid(), "valid_from": begins or None, "valid_to": None if ends == LAST else ends}
        done.append({**_nearest(parts, begins), **values, **bounds})
    return absorbed(done)


def cut(periods: Iterable[Period], day: str, new_uid: Callable[[], str]) -> list[Period]:
    """The period around `day` in two; the earlier one keeps its uid (rule 1)."""
    found: list[Period] = []
    for period in periods:
        if start_of(period) < day < end_of(period):
            found += [{**period, "valid_to": day}, {**period, "uid": new_uid(), "valid_from": day}]
        else:
            found.append(dict(period))
    return found


def _until_planned(parts: Sequence[Period], values: Mapping[str, Any], first: str) -> list[Period]:
    told, done = dict(values), list[Period]()
    before: Period = {}
    for part in parts:
        if start_of(part) < first:
            done.append(part)
        elif start_of(part) == first:
            done.append({**part, **told})
        else:
            joined = bool(before) and end_of(before) == start_of(part) and start_of(before) >= first
            told = {name: v for name, v in told.items() if joined and same(before.get(name), part.get(name))}
            done.append({**part, **told})
        before = part
    return done


def _next_start(parts: Iterable[Period], day: str) -> str:
    return min((start_of(part) for part in parts if start_of(part) > day), default=LAST)


def _gaps(parts: Iterable[Period], first: str, last: str) -> list[tuple[str, str]]:
    """What of first … last no period covers."""
    here, found = first, []
    for part in parts:
        if end_of(part) <= here or start_of(part) >= last:
            continue
        if start_of(part) > here:
            found.append((here, start_of(part)))
        here = end_of(part)
    return [*found, (here, last)] if here < last else found


def _nearest(parts: Iterable[Period], day: str) -> Period:
    listed = list(parts)
    before = [part for part in listed if end_of(part) <= day]
    return max(before, key=end_of) if before else min(listed, key=start_of, default={})


def absorbed(periods: Iterable[Period]) -> list[Period]:
    """In order; neighbours with the same values are one period, which keeps the uid of the earlier (rule 7)."""
    done: list[Period] = []
    for period in in_order(periods):
        if done and end_of(done[-1]) == start_of(period) and same(values_of(done[-1]), values_of(period)):
            done[-1] = {**done[-1], "valid_to": period.get("valid_to")}
        else:
            done.append(period)
    return done


def close(periods: Sequence[Period], day: str) -> list[Period]:
    """Nothing holds from `day` on: what would begin later is gone, what holds then ends (rule 8)."""
    return [
        {**period, "valid_to": day} if end_of(period) > day else dict(period)
        for period in in_order(periods)
        if start_of(period) < day
    ]


def reopen(periods: Sequence[Period], day: str | None = None) -> list[Period]:
    """The last period goes on, up to `day` or for good (rule 9)."""
    *earlier, last = in_order(periods)
    return [*earlier, {**last, "valid_to": day}]


def settled(periods: Iterable[Period]) -> list[Period]:
    """Periods that came from several sides: each ends where the next begins; of equal beginnings the last one counts."""
    by_start = {start_of(period): dict(period) for period in periods}
    listed = [by_start[start] for start in sorted(by_start)]
    for period, after in zip(listed, listed[1:], strict=False):
        if end_of(period) > start_of(after):
            period["valid_to"] = after["valid_from"]
    return absorbed(listed)


# --- what is wrong with them ------------------------------------------------------------------------------------------


def problems(periods: Sequence[Period], name: str, *, gapless: bool = False) -> list[Problem]:
    """`name`: of the list in the document, for the paths."""
    found = []
    listed = in_order(periods)
    for period in listed:
        if not start_of(period) < end_of(period):
            text = "A period ends after the day it begins."
            found.append(Problem(f"{name}/{period.get('uid')}/valid_to", "empty_period", text))
    if found:
        return found
    for period, after in zip(listed, listed[1:], strict=False):
        path = f"{name}/{after.get('uid')}/valid_from"
        if end_of(period) > start_of(after):
            found.append(Problem(path, "overlap", f"Another period holds until {_words(period.get('valid_to'))}."))
        elif gapless and end_of(period) < start_of(after):
            text = f"Nothing would hold from {period['valid_to']} to {after['valid_from']}: periods have to join."
            found.append(Problem(path, "gap", text))
    return found


def _words(day: str | None) -> str:
    return day or "further notice"
