"""Owns freeze windows: nothing is pushed inside one, by the database's clock; lanes are held and released by it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Greatest, Now

from mdm.errors import CorrectInput, NotAllowed, NotNow
from mdm.permissions import may
from mdm.services import audit
from mdm.types import Actor, Problem
from sync import errors, platforms
from sync.models import FreezeWindow, Target
from sync.models.states import OPEN

LEAD_S = 2  # nothing is begun so shortly before a window: what was claimed has left by then
SOONEST_S = LEAD_S + 1  # a window begins so long after it is made: every process has seen it by then
HOLD = "freeze:"
_BATCH = 5000
_HEAD = """(SELECT d.action FROM sync_delivery d WHERE d.lane_id = l.id AND d.state = ANY('{open}')
              ORDER BY d.state = 'unknown' DESC, d.seq DESC LIMIT 1)"""
HEAD = _HEAD.replace("{open}", "{" + ",".join((*OPEN, "held")) + "}")  # what the lane would work on next


def covering(action: str = HEAD) -> str:
    """SQL: the id of the window that covers the lane `l`, or NULL. The clock is the database's, read at that moment:
    a transaction may have waited since it began."""
    return f"""(SELECT w.id FROM sync_freezewindow w
        WHERE w.target_id = l.target_id AND w.lifted_at IS NULL AND w.ends_at > now()
          AND w.starts_at <= clock_timestamp() + interval '{LEAD_S} seconds'
          AND w.type IN ('', l.type) AND (w.entities = '{{}}' OR w.entities && l.entities)
          AND NOT (w.blocks_flow AND {action} = 'block')
        ORDER BY w.ends_at DESC, w.id LIMIT 1)"""


class Frozen(errors.SyncError):
    """A window opened while a lane was being prepared: it is given back, nothing was sent."""

    code = "frozen"


def is_frozen(lane_id: int, action: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {covering('%s')} IS NOT NULL FROM sync_lane l WHERE l.id = %s", [action, lane_id])
        row = cursor.fetchone()
    return bool(row and row[0])


@transaction.atomic
def open_window(
    target: Target,
    *,
    starts_at: datetime | None,
    ends_at: datetime,
    reason: str,
    by: Actor,
    type: str = "",
    entities: Sequence[str] = (),
    blocks_flow: bool = True,
) -> FreezeWindow:
    """From when until when nothing is pushed; without `starts_at`, from now on."""
    _require(by)
    check(target, type=type, starts_at=starts_at, ends_at=ends_at, reason=reason)
    soonest = Now() + timedelta(seconds=SOONEST_S)
    row = FreezeWindow.objects.create(
        target=target,
        type=type,
        entities=[code.strip() for code in entities if code.strip()],
        starts_at=Greatest(starts_at, soonest) if starts_at else soonest,
        ends_at=ends_at,
        blocks_flow=blocks_flow,
        reason=reason.strip()[:300],
        made_by=by.name,
        made_at=Now(),
    )
    row.refresh_from_db()
    _log(row, "planned", by, reason=row.reason)
    return row


def check(target: Target, *, type: str, starts_at: datetime | None, ends_at: datetime, reason: str) -> None:
    problems = []
    if not reason.strip():
        problems.append(Problem("reason", "missing", "Say why nothing is to be sent."))
    if type and not platforms.takes(target.connector, type):
        problems.append(Problem("type", "unknown", f"{target.title} takes no such record type."))
    if ends_at <= (starts_at or _now()) or ends_at <= _now() + timedelta(seconds=SOONEST_S):
        problems.append(Problem("ends_at", "invalid", "A window ends after it begins, and not in the past."))
    if problems:
        raise CorrectInput("The freeze window is not complete.", problems=problems)


@transaction.atomic
def lift(row: FreezeWindow, *, reason: str, by: Actor) -> FreezeWindow:
    """End it early, or call it off: what waits goes out in order, at the target's own rate."""
    _require(by)
    if not reason.strip():
        raise CorrectInput("Say why.", problems=[Problem("reason", "missing", "Say why sending may go on.")])
    row = FreezeWindow.objects.select_for_update(of=("self",)).select_related("target").get(pk=row.pk)
    if row.lifted_at is not None or row.ends_at <= _now():
        raise NotNow("This freeze window is over already.")
    FreezeWindow.objects.filter(pk=row.pk).update(lifted_at=Now(), lifted_by=by.name, lift_reason=reason.strip()[:300])
    row.refresh_from_db()
    _log(row, "lifted", by, reason=row.lift_reason)
    return row


def _require(by: Actor) -> None:
    if not may(by, "admin"):
        raise NotAllowed("Only a governance lead may freeze a target or lift a freeze.")


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def _log(row: FreezeWindow, action: str, by: Actor, **detail: Any) -> None:
    audit.record(
        action=f"freeze.{action}", by=by, object_type="target", object_uid=row.target.code,
        object_label=row.target.title,
        detail={"freeze": str(row.uid), "from": row.starts_at.isoformat(), "until": row.ends_at.isoformat(),
                "type": row.type, "entities": row.entities, **detail},
    )  # fmt: skip


# --- what the dispatcher keeps true -------------------------------------------------------------------------------


def keep() -> int:
    """Hold the lanes that a window covers, release those that none covers any more; how many changed.

    A claim asks for windows itself, so nothing is sent before this was here. What was due keeps its turn: released
    lanes go out in the order in which they would have, at the target's rate.
    """
    return _hold() + _release()


def _hold() -> int:
    if not FreezeWindow.objects.filter(lifted_at=None, ends_at__gt=Now()).exists():
        return 0
    return _move(
        f"""SELECT l.id, '{HOLD}' || {covering()} AS hold FROM sync_lane l
             WHERE l.open AND l.hold_reason = '' AND (l.lease_until IS NULL OR l.lease_until < now())
               AND {covering()} IS NOT NULL
               AND l.target_id IN (SELECT w.target_id FROM sync_freezewindow w
                                    WHERE w.lifted_at IS NULL AND w.ends_at > now())
             ORDER BY l.id LIMIT {_BATCH} FOR UPDATE OF l SKIP LOCKED"""
    )


def _release() -> int:
    """Also from one window into the next."""
    return _move(
        f"""SELECT l.id, coalesce('{HOLD}' || {covering()}, '') AS hold FROM sync_lane l
             WHERE l.hold_reason LIKE '{HOLD}%%' AND l.hold_reason IS DISTINCT FROM '{HOLD}' || {covering()}
             ORDER BY l.priority, l.next_at, l.id LIMIT {_BATCH} FOR UPDATE OF l SKIP LOCKED"""
    )


def _move(found: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH found AS MATERIALIZED ({found}),
                held AS (UPDATE sync_delivery d SET state = 'held', changed_at = now() FROM found f
                          WHERE d.lane_id = f.id AND f.hold <> '' AND d.state IN ('pending', 'retrying')),
                freed AS (UPDATE sync_delivery d SET state = 'pending', changed_at = now() FROM found f
                           WHERE d.lane_id = f.id AND f.hold = '' AND d.state = 'held')
                UPDATE sync_lane l SET hold_reason = f.hold,
                       open = l.open OR EXISTS (SELECT 1 FROM sync_delivery d
                                              WHERE d.lane_id = l.id AND d.state = ANY(%s))
                  FROM found f WHERE l.id = f.id""",
            [[*OPEN, "held"]],
        )
        return cursor.rowcount
