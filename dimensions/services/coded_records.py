"""Owns the records that lines of bookings were coded with before: kept in the process until one of their type changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from dimensions.selectors import coded
from dimensions.selectors.coded import Asked, Records
from mdm.selectors.event_watch import Look, Looked

MOST = 200_000
"""Records of a type that are kept; after more of them it is begun anew."""


def of(asked: Mapping[str, Asked], looked: Mapping[str, Looked]) -> dict[str, Records]:
    """{type: what is known of the records asked for, and of others}; `looked`: since `last_looks`, of every type. No query
    when all of them are at hand, else one, two when some were merged. What nobody knows is asked for by every call."""
    return _KEPT.of(asked, looked)


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
        self.looks: dict[str, Look] = {}

    def of(self, asked: Mapping[str, Asked], looked: Mapping[str, Looked]) -> dict[str, Records]:
        with self._lock:
            for kind in coded.KINDS:
                now, changed = looked[kind]
                held = self._sets.get(kind)
                if held is None or changed or len(held.by_uid) + len(held.by_names) > MOST:
                    self._sets[kind] = Records({}, {})
                self.looks[kind] = now
            sets = dict(self._sets)
        missing = {kind: _missing(one, sets[kind]) for kind, one in asked.items()}
        known = sets[coded.DEPENDENT].by_names
        missing[coded.DEPENDENT].names |= {(code,) for code in dependents(asked, sets) if (code,) not in known}
        for kind, read in coded.records(missing).items():
            sets[kind].by_uid.update(read.by_uid)
            sets[kind].by_names.update(read.by_names)
        return sets


def _missing(asked: Asked, held: Records) -> Asked:
    return Asked(asked.uids - held.by_uid.keys(), asked.names - held.by_names.keys())


_KEPT = _Kept()
