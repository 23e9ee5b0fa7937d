"""Owns the records that lines of bookings were coded with before, and what was made of their codes: kept in the process until
one of their type, or a key of the system, changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from dimensions.selectors import coded
from dimensions.selectors.coded import Asked, Found
from dimensions.services.coded_lines import NAMED
from dimensions.services.coded_values import Held
from mdm.selectors.event_watch import Look, Looked
from mdm.selectors.key_watch import KeyLook

MOST = 200_000
"""Records, and what was made of codes, that are kept in all; after more of them it is begun anew."""


class Made(NamedTuple):
    """What was made of codes on one day: {field: {text}}, {(chart, number)}, {(dimension, value)}, {code of a profit
    center}."""

    named: dict[str, dict[str, Held]]
    accounts: dict[tuple[str, str], Held]
    own: dict[tuple[str, str], Held]
    dependent: dict[str, Held]

    @classmethod
    def nothing(cls) -> Made:
        return cls({name: {} for name in NAMED}, {}, {}, {})


class Known(NamedTuple):
    """Of one system, both to be added to, and never changed otherwise once they are handed out. `records`: {kind: {as asked:
    the record}}, of those there are; `days`: {day: what was made of codes as the system says them}."""

    records: dict[str, dict[Asked, Found]]
    days: dict[date, Made]


def known(system: str, looked: Mapping[str, Looked], keys: tuple[KeyLook | None, bool]) -> Known:
    """What is at hand of a system, as of what was last noticed. `looked`: since `last_looks`, of every type; `keys`: since
    `last_keys`. No query."""
    return _KEPT.known(system, looked, keys)


def last_keys(system: str) -> KeyLook | None:
    return _KEPT.keys.get(system)


def last_looks() -> dict[str, Look | None]:
    return {kind: _KEPT.looks.get(kind) for kind in {one.type for one in coded.KINDS.values()}}


class _Kept:
    """Whoever notices a change leaves what was at hand to those who still add to it, and begins anew for those to come: so
    what was read before is never kept beyond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Known] = {}
        self.keys: dict[str, KeyLook] = {}
        self.looks: dict[str, Look] = {}

    def known(self, system: str, looked: Mapping[str, Looked], keys: tuple[KeyLook | None, bool]) -> Known:
        now, moved = keys
        with self._lock:
            changed = {kind for kind, told in coded.KINDS.items() if looked[told.type][1]}
            if changed:
                self._known = {one: _without(held, changed) for one, held in self._known.items()}
            for told in coded.KINDS.values():
                self.looks[told.type] = looked[told.type][0]
            if sum(map(_size, self._known.values())) > MOST:
                self._known.clear()
            if moved or system not in self._known:
                self._known[system] = Known({kind: {} for kind in coded.KINDS}, {})
            if now is not None:
                self.keys[system] = now
            return self._known[system]


def _without(held: Known, changed: set[str]) -> Known:
    return Known({kind: {} if kind in changed else records for kind, records in held.records.items()}, {})


def _size(held: Known) -> int:
    days = list(held.days.values())  # others add to it meanwhile
    made = sum(len(day.accounts) + len(day.own) + sum(map(len, day.named.values())) for day in days)
    return len(days) + made + sum(map(len, held.records.values()))


_KEPT = _Kept()
