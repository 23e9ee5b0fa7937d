"""Owns the records that lines of bookings were coded with before, and what was made of their codes: kept in the process until
one of their type, or a key of the system, changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from dimensions.selectors import coded
from dimensions.selectors.coded import Asked, Records
from dimensions.services.coded_lines import NAMED
from dimensions.services.coded_values import Held
from mdm.selectors.event_watch import Look, Looked
from mdm.selectors.key_watch import KeyLook

MOST, MOST_MADE = 200_000, 50_000
"""Records of a type that are kept, and what is made of codes in all; after more of them it is begun anew."""


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


def made(system: str, looked: Mapping[str, Looked], keys: tuple[KeyLook | None, bool]) -> dict[date, Made]:
    """{day: what was made of codes as `system` says them}, to be added to; empty once anything it stands on has changed.
    `looked`: since `last_looks`, of every type; `keys`: since `last_keys`. No query."""
    return _KEPT.made(system, looked, keys)


def last_keys(system: str) -> KeyLook | None:
    return _KEPT.keys.get(system)


def of(asked: Mapping[str, Asked]) -> dict[str, Records]:
    """{type: what is known of the records asked for, and of others}, as of what was last noticed or later. No query when
    all of them are at hand, else one, two when some were merged. What nobody knows is asked for again."""
    return _KEPT.of(asked)


def last_looks() -> dict[str, Look | None]:
    return {kind: _KEPT.looks.get(kind) for kind in coded.KINDS}


def dependents(asked: Mapping[str, Asked], records: Mapping[str, Records]) -> set[str]:
    """Codes that the records asked for name, of those at hand; those that are read bring theirs along."""
    codes: set[str | None] = set()
    for kind, place in coded.PLACES.items():
        by_uid, by_names = records[kind]
        found = [by_uid.get(uid) for uid in asked[kind].uids] + [by_names.get(names) for names in asked[kind].names]
        codes |= {period.values[place] for one in found if one for period in one.periods}
    return {code for code in codes if code}


class _Kept:
    """What is read is kept only when no change of its type was noticed meanwhile. Sets are never changed once they are
    handed out but by adding."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sets: dict[str, Records] = {}
        self._made: dict[str, dict[date, Made]] = {}
        self.keys: dict[str, KeyLook] = {}
        self.looks: dict[str, Look] = {}

    def made(self, system: str, looked: Mapping[str, Looked], keys: tuple[KeyLook | None, bool]) -> dict[date, Made]:
        now, moved = keys
        with self._lock:
            for kind in coded.KINDS:
                look, changed = looked[kind]
                held = self._sets.get(kind)
                if held is None or changed or len(held.by_uid) + len(held.by_names) > MOST:
                    self._sets[kind] = Records({}, {})
                    self._made.clear()
                self.looks[kind] = look
            if sum(map(_size, self._made.values())) > MOST_MADE:
                self._made.clear()
            found = self._made.get(system)
            if found is None or moved:
                found = self._made[system] = {}
            if now is not None:
                self.keys[system] = now
            return found

    def of(self, asked: Mapping[str, Asked]) -> dict[str, Records]:
        with self._lock:
            sets = dict(self._sets)
        missing = {kind: _missing(one, sets[kind]) for kind, one in asked.items()}
        known = sets[coded.DEPENDENT].by_names
        missing[coded.DEPENDENT].names |= {(code,) for code in dependents(asked, sets) if (code,) not in known}
        for kind, read in coded.records(missing).items():
            sets[kind].by_uid.update(read.by_uid)
            sets[kind].by_names.update(read.by_names)
        return sets


def _size(made: Mapping[date, Made]) -> int:
    days = list(made.values())  # others add to it meanwhile
    return len(days) + sum(len(day.accounts) + len(day.own) + sum(map(len, day.named.values())) for day in days)


def _missing(asked: Asked, held: Records) -> Asked:
    return Asked(asked.uids - held.by_uid.keys(), asked.names - held.by_names.keys())


_KEPT = _Kept()
