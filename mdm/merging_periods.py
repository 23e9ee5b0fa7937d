"""Owns bringing two changes of one timeline together, day by day: what one asks for and what the other made meanwhile.

Three timelines: `base`, which the change was made on; `wanted`, what it makes of it; `now`, what is there. Where the change
altered nothing, what is there stays; where nobody else did, the change holds; where both did, it is a clash. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mdm.periods import FIRST, LAST, Period, absorbed, end_of, on, start_of, values_of
from mdm.types import same

HOLDS = "validity"
"""The name under which clashes speak of whether anything holds at all."""


@dataclass(frozen=True)
class Clash:
    """A value (or whether anything holds) that both changed between two days; "" and "9999-99" are open."""

    start: str
    end: str
    field: str
    base: Any
    wanted: Any
    now: Any

    @property
    def path(self) -> str:
        """`<from>..<to>/<field>`, an open side empty."""
        return f"{self.start}..{'' if self.end == LAST else self.end}/{self.field}"


Settle = Callable[[str, str, str], Literal["proposed", "current"] | None]
"""(start, end, field) -> which side a person chose where both changed it; None: nobody did."""


def bring_together(
    base: Sequence[Period],
    wanted: Sequence[Period],
    now: Sequence[Period],
    *,
    new_uid: Callable[[], str],
    settle: Settle = lambda start, end, field: None,
) -> tuple[list[Period], list[Clash]]:
    """The timeline with both changes, and where they clash and nobody chose; there it says what is there now."""
    clashes: list[Clash] = []
    found: list[Period] = []
    for start, end in _stretches(base, wanted, now):
        values = _values(start, end, on(base, start), on(wanted, start), on(now, start), settle, clashes)
        if values is not None:
            bounds = {"uid": "", "valid_from": start or None, "valid_to": None if end == LAST else end}
            found.append({**values, **bounds})
    return _with_uids(absorbed(found), now, wanted, new_uid), _joined(clashes)


def _stretches(*sides: Sequence[Period]) -> Iterator[tuple[str, str]]:
    days = {FIRST, LAST}
    for side in sides:
        days |= {bound for period in side for bound in (start_of(period), end_of(period))}
    listed = sorted(days)
    yield from zip(listed, listed[1:], strict=False)


def _values(
    start: str,
    end: str,
    base: Period | None,
    wanted: Period | None,
    now: Period | None,
    settle: Settle,
    clashes: list[Clash],
) -> dict[str, Any] | None:
    """What holds in a stretch in which no side changes; None: nothing."""
    was, asked, here = (values_of(side) if side is not None else None for side in (base, wanted, now))
    if was is None or asked is None or here is None:
        if _alike(asked, was) or _alike(here, asked):
            return here
        if _alike(here, was):
            return asked
        chosen = settle(start, end, HOLDS)
        if chosen is None:
            clashes.append(Clash(start, end, HOLDS, _word(was), _word(asked), _word(here)))
        return asked if chosen == "proposed" else here
    values = {}
    for name in dict.fromkeys((*was, *asked, *here)):
        old, new, there = was.get(name), asked.get(name), here.get(name)
        if same(new, old) or same(there, new):
            values[name] = there
        elif same(there, old):
            values[name] = new
        else:
            chosen = settle(start, end, name)
            if chosen is None:
                clashes.append(Clash(start, end, name, old, new, there))
            values[name] = new if chosen == "proposed" else there
    return values


def _alike(left: dict[str, Any] | None, right: dict[str, Any] | None) -> bool:
    return same(left, right)


def _word(values: dict[str, Any] | None) -> str:
    return "nothing holds" if values is None else "holds"


def _joined(clashes: Sequence[Clash]) -> list[Clash]:
    """A clash of neighbouring stretches about the same is one."""
    done: list[Clash] = []
    for clash in sorted(clashes, key=lambda one: (one.field, one.start)):
        last = done[-1] if done else None
        if last and last.field == clash.field and last.end == clash.start and _about(last) == _about(clash):
            done[-1] = Clash(last.start, clash.end, *_about(clash))
        else:
            done.append(clash)
    return done


def _about(clash: Clash) -> tuple[str, Any, Any, Any]:
    return clash.field, clash.base, clash.wanted, clash.now


def _with_uids(
    rows: Sequence[Period], now: Sequence[Period], wanted: Sequence[Period], new_uid: Callable[[], str]
) -> list[Period]:
    """A period keeps the uid of the one that begins on its day, else of the one around it while that is free."""
    taken: set[str] = set()
    found = [dict(row) for row in rows]
    for sides, near in (((now, wanted), start_of), ((now,), None)):
        for row in found:
            if row["uid"]:
                continue
            for side in sides:
                fits = [p for p in side if near(p) == start_of(row)] if near else [on(side, start_of(row))]
                uid = next((p["uid"] for p in fits if p and p["uid"] not in taken), "")
                if uid:
                    row["uid"] = uid
                    taken.add(uid)
                    break
    for row in found:
        row["uid"] = row["uid"] or new_uid()
    return found
