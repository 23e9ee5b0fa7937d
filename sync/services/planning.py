"""Owns plans: what pushing would do to each record at a target, and whether the target still is as it was planned on.

Looks at the target, writes nothing there, and never inside a transaction. Kept in the rows piece by piece: a killed
process leaves a lease that runs out, and the next one goes on with the rows that were not looked up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from mdm import correlation
from mdm.errors import HubError
from sync import errors, governors, platforms
from sync.models import PushJob, PushRow
from sync.protocol import Connector
from sync.services import job_work, outlook
from sync.services.outlook import Found, Glass

log = logging.getLogger(__name__)
CHUNK = 25
MOST_CHANGES = 60  # kept of one record
_LEASE_S, _RESTARTS, _AGAIN = 60, 5, 4


class Superseded(Exception):
    """The job was paused or cancelled, or another process goes on with it."""


def waiting(*, overdue_s: float = 0) -> list[UUID]:
    """Plans with something to look up that nobody works on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT uid FROM sync_pushjob j
                WHERE kind = 'plan' AND (lease_until IS NULL OR lease_until < now())
                  AND created_at <= now() - make_interval(secs => %s)
                  AND (state IN ('planning', 'checking') OR (state = 'running' AND EXISTS (
                    SELECT 1 FROM sync_pushrow r WHERE r.job_id = j.id AND r.state = 'waiting'
                       AND (r.checked_at IS NULL OR r.checked_at < now() - make_interval(secs => %s)))))
                ORDER BY id LIMIT 20""",
            [overdue_s, job_work.FRESH_S],
        )
        return [row[0] for row in cursor.fetchall()]


def run(uid: UUID) -> PushJob:
    """Look up what has to be looked up of a plan; returns at once when another process is at it."""
    job = PushJob.objects.select_related("target__system").get(uid=uid)
    epoch = _claim(job)
    if epoch is not None:
        correlation.adopt(job.correlation_id)
        try:
            _look_up(job, epoch)
        except Superseded:
            pass
        except (errors.SyncError, HubError) as error:
            _fail(job, epoch, error.message)
        except Exception as error:
            log.exception("A plan broke.")
            _fail(job, epoch, f"It broke: {type(error).__name__}.")
    job.refresh_from_db()
    return job


def _claim(job: PushJob) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_pushjob SET epoch = epoch + 1, lease_until = now() + make_interval(secs => %s),
                      restarts = restarts + CASE WHEN lease_until IS NOT NULL THEN 1 ELSE 0 END
                WHERE id = %s AND state IN ('planning', 'checking', 'running')
                  AND (lease_until IS NULL OR lease_until < now()) RETURNING epoch, restarts""",
            [_LEASE_S, job.pk],
        )
        found = cursor.fetchone()
    if found is None:
        return None
    if found[1] > _RESTARTS:
        _fail(job, found[0], "Given up: the process that looked ended again and again.")
        return None
    job.refresh_from_db()
    return int(found[0])


def _look_up(job: PushJob, epoch: int) -> None:
    planning = job.state == "planning"
    while rows := list(_next(job, planning)[:CHUNK]):
        found = _look_at(job, epoch, rows)
        with transaction.atomic():
            held = _hold(job, epoch)
            if planning:
                _keep_plan(held, rows, found)
            else:
                _keep_check(held, rows, found)
            held.restarts = 0  # it gets on: a long plan outlives many processes
            held.save()
    with transaction.atomic():
        held = _hold(job, epoch)
        held.lease_until = None
        if planning:
            job_work.built(held)
            return
        moved = PushRow.objects.filter(job=held, state="moved").count()
        if moved:
            _stop(held, moved)
        elif held.state == "checking":
            held.state = "running"
        held.save()


def _next(job: PushJob, planning: bool) -> Any:
    rows = PushRow.objects.filter(job=job, state="waiting").order_by("place")
    if planning:
        return rows.filter(effect="")
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - make_interval(secs => %s)", [job_work.FRESH_S])
        fresh = cursor.fetchone()[0]
    return rows.filter(Q(checked_at=None) | Q(checked_at__lt=fresh))


def _hold(job: PushJob, epoch: int) -> PushJob:
    """The job's row, locked, when this process still is the one that works on it; prolongs the lease."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_pushjob SET lease_until = now() + make_interval(secs => %s)
                WHERE id = %s AND epoch = %s AND state IN ('planning', 'checking', 'running')""",
            [_LEASE_S, job.pk, epoch],
        )
        if cursor.rowcount != 1:
            raise Superseded
    return PushJob.objects.select_related("target__system").get(pk=job.pk)


def _fail(job: PushJob, epoch: int, message: str) -> None:
    with transaction.atomic():
        try:
            held = _hold(job, epoch)
        except Superseded:
            return
        job_work.end(held, "failed", message)


def _keep_plan(job: PushJob, rows: Sequence[PushRow], found: Sequence[Found]) -> None:
    counts = dict(job.counts)
    for row, one in zip(rows, found, strict=True):
        row.effect, row.why, row.key = one.effect, one.why[:500], one.key or row.key
        row.changes, row.planned_version = one.changes, one.version
        row.payload_hash, row.remote_digest = one.payload_hash, one.remote_digest
        counts[f"plan_{one.effect}"] = counts.get(f"plan_{one.effect}", 0) + 1
        if one.effect not in PushRow.SENT:
            row.state = "left"
            job.done += 1
    PushRow.objects.bulk_update(
        rows,
        ["effect", "why", "key", "changes", "planned_version", "payload_hash", "remote_digest", "state"],
    )
    job.counts = counts


def _keep_check(job: PushJob, rows: Sequence[PushRow], found: Sequence[Found]) -> None:
    for row, one in zip(rows, found, strict=True):
        row.checked_at = Now()
        if why := _moved(row, one):
            row.state, row.why = "moved", why
            job.done += 1
    PushRow.objects.bulk_update(rows, ["checked_at", "state", "why"])


def _moved(row: PushRow, now: Found) -> str:
    if now.remote_digest != row.remote_digest or now.key != row.key:
        return "The target holds something else than what was planned on."
    if now.version != row.planned_version:
        return f"The record has version {now.version} by now, the plan was made with {row.planned_version}."
    if now.effect != row.effect or now.payload_hash != row.payload_hash:
        return "The mapping or a value map was changed since: something else would be sent."
    return ""


def _stop(job: PushJob, moved: int) -> None:
    """Nothing more of this plan is applied: what its approver saw is not what it would do."""
    left = PushRow.objects.filter(job=job, state="waiting").update(state="left", why="plan_is_stale")
    counts = dict(job.counts)
    counts |= {"moved": moved} | ({"plan_is_stale": left} if left else {})
    job.counts, job.done = counts, job.done + left
    job_work.end(job, "stale", f"{moved} of its rows are not as they were planned on; plan again.")


# --- at the target's pace ---------------------------------------------------------------------------------------------


def _look_at(job: PushJob, epoch: int, rows: Sequence[PushRow]) -> list[Found]:
    glasses = {
        type: outlook.glass(job.target, type, [row for row in rows if row.type == type])
        for type in {row.type for row in rows}
    }
    found = []
    with platforms.session(job.target) as connector:
        for row in rows:
            found.append(_patiently(job, epoch, connector, row, glasses[row.type]))
    return found


def _patiently(job: PushJob, epoch: int, connector: Connector, row: PushRow, glass: Glass) -> Found:
    """At the target's pace, also when it says: later."""
    for again in range(_AGAIN):
        while (wait := governors.take(job.target)) > 0:
            _wait(job, epoch, min(wait, 5))
        connector.exchanges()
        try:
            return outlook.look(platforms.as_readable(job.target, connector), row, glass)
        except errors.Throttled as error:
            governors.throttle(job.target, max(1.0, error.retry_after))
            _wait(job, epoch, max(1.0, error.retry_after))
        except errors.NotSent:
            if again + 1 == _AGAIN:
                raise
            _wait(job, epoch, 2.0**again * job.target.retry_scale)
        finally:
            governors.spend(job.target, max(0, len(connector.exchanges()) - 1))
    raise errors.NotSent(f"{job.target.title} kept asking for time; plan again later.")


def _wait(job: PushJob, epoch: int, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        with transaction.atomic():
            _hold(job, epoch)
        time.sleep(min(10.0, left))
