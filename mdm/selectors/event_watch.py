"""Owns the question whether records of a type changed since somebody last looked, for what is kept in a process's memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connection

_MOST = 10_000  # younger events that are looked through; after more of them it is simply looked anew


@dataclass(frozen=True, slots=True)
class Look:
    """What the event log showed: everything sealed up to `head` is in it, and of the type the `open` events (ids) that
    were not sealed yet."""

    head: int
    open: frozenset[int]


Looked = tuple[Look, bool]


def look(type_key: str, since: Look | None) -> Looked:
    """(what the log shows now, whether records of the type may have changed since the other look).

    One statement that reads only events younger than that look. Every write of a golden row commits together with its
    event, and numbers are given after the commit, so no change is overlooked, however long its transaction took. An event
    that was seen unsealed and is sealed now is no change. A log that lacks what it showed before is another one: changed.
    """
    return looks({type_key: since})[type_key]


def looks(since: Mapping[str, Look | None]) -> dict[str, Looked]:
    """The same for several types at once: one statement too."""
    columns, values = [], list[int | str]()
    for type_key, before in since.items():
        start = before.head if before else 0
        columns += [
            "ARRAY(SELECT id FROM mdm_event WHERE seq IS NULL AND type = %s)",
            "ARRAY(SELECT id FROM mdm_event WHERE seq > %s AND seq <= %s AND type = %s)",
        ]
        values += [type_key, start, start + _MOST if before else start, type_key]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce((SELECT max(seq) FROM mdm_event), 0), {', '.join(columns)}",
            values,
        )
        head, *found = cursor.fetchone()
    return {
        type_key: _looked(before, head, found[2 * place], found[2 * place + 1])
        for place, (type_key, before) in enumerate(since.items())
    }


def _looked(since: Look | None, head: int, unsealed: Iterable[int], sealed: Iterable[int]) -> Looked:
    now = Look(head, frozenset(unsealed))
    if since is None or not since.head <= head <= since.head + _MOST:
        return now, True
    return now, since.open != now.open.union(sealed)
