"""Which lanes wait for others: a record goes to a target after what it refers to was made there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

# SQL: a lane `p` at the same target still has to make what lane `l` refers to. Of two that wait for each other the older
# goes first.
_AWAITED = """p.target_id = l.target_id AND p.uid = ANY(l.awaits) AND p.target_key = '' AND p.id <> l.id
    AND (p.open OR p.hold_reason <> '') AND NOT (l.uid = ANY(p.awaits) AND l.id < p.id)"""
# By the uid of each: else PostgreSQL goes through all that still has to be made there, for every lane.
NOTHING_AWAITED = f"""NOT EXISTS (
    SELECT 1 FROM unnest(l.awaits) AS a(uid) JOIN sync_lane p ON p.uid = a.uid WHERE {_AWAITED})"""


@dataclass(frozen=True)
class Awaited:
    """A record that is to be made at the target first."""

    type: str
    uid: str
    label: str
    held: bool


def words(found: Iterable[Awaited]) -> str:
    """«Waits for …, which is to be made there first.»"""
    names = [one.label + (" (held)" if one.held else "") for one in found]
    return f"Waits for {', '.join(names)}: what a record refers to is made there first."


def awaited(lane_ids: Iterable[int]) -> dict[int, list[Awaited]]:
    """For each lane that has to wait: for what."""
    found: dict[int, list[Awaited]] = {}
    wanted = list(lane_ids)
    if not wanted:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT l.id, p.type, p.uid, p.hold_reason <> '', coalesce((SELECT d.label FROM sync_delivery d
                        WHERE d.lane_id = p.id ORDER BY d.seq DESC LIMIT 1), '')
                  FROM sync_lane l JOIN sync_lane p ON {_AWAITED}
                 WHERE l.id = ANY(%s) AND l.awaits <> '{{}}' ORDER BY l.id, p.id""",
            [wanted],
        )
        for lane, type_key, uid, held, label in cursor.fetchall():
            found.setdefault(lane, []).append(Awaited(type_key, str(uid), label or str(uid), held))
    return found
