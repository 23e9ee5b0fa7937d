"""Owns the question whether keys of a system changed since somebody last looked, for what is kept in a process's memory.

Keys change without an event of their record: a push that creates one brings its key back. So each row says which transaction
wrote it. Transactions older than all that were under way when somebody looked are seen whole by that look; a change since
then is among the rows of younger ones, whatever they looked like before.
"""

from __future__ import annotations

import json
from typing import NamedTuple

_MOST = 10_000  # younger rows that are looked through; with more of them it is simply a change


class KeyLook(NamedTuple):
    """`horizon`: number of the oldest transaction that was under way; `digest`: of the rows that it or younger ones wrote, as
    far as they were seen; `last`: the highest id of any key, lower only in another database."""

    system: int
    horizon: int
    digest: int
    last: int


LOOK = """
SELECT json_build_array(system.id, now.horizon, (SELECT coalesce(max(id), 0) FROM mdm_crosswalk), count(young.changed),
       coalesce(sum(young.said) FILTER (WHERE young.changed >= %s), 0),
       coalesce(sum(young.said) FILTER (WHERE young.changed >= now.horizon), 0))::text
  FROM (SELECT id FROM mdm_system WHERE code = %s) AS system,
       (SELECT pg_snapshot_xmin(s)::text::bigint AS horizon, pg_snapshot_xmax(s)::text::bigint AS ahead
          FROM pg_current_snapshot() AS s OFFSET 0) AS now
  LEFT JOIN LATERAL (
       SELECT k.changed, hashtextextended(concat_ws('/', k.id, k.uid, k.primary, k.active), k.changed) AS said
         FROM mdm_crosswalk AS k
        WHERE k.system_id = system.id AND k.changed >= least(now.horizon, %s) AND k.changed <= now.ahead
        ORDER BY k.changed LIMIT %s) AS young ON true
 GROUP BY system.id, now.horizon
"""
"""One row for `read`, none for no system; reads only rows younger than the look before. To be a part of a statement."""


def given(system: str, since: KeyLook | None) -> list[str | int]:
    """What `LOOK` is given: code of the system, and how its keys looked before."""
    start = since.horizon if since else 1 << 62
    return [start, system, start, _MOST + 1]


def read(found: str, since: KeyLook | None) -> tuple[KeyLook, bool]:
    """(what the keys of the system look like now, whether any may have changed since the other look). A database that
    lacks what it showed before is another one: changed."""
    system, horizon, last, rows, before, young = json.loads(found)
    now = KeyLook(system, horizon, young, last)
    if since is None or since.system != system or horizon < since.horizon or last < since.last or rows > _MOST:
        return now, True
    return now, before != since.digest
