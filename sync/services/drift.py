"""Owns drift runs: asking for one, claiming it, streaming what the target holds, and going on after a kill."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from mdm import correlation
from mdm.errors import CorrectInput, NotFound, NotNow
from mdm.models import Crosswalk
from mdm.selectors.records import current_documents
from mdm.services import audit
from mdm.types import Actor
from sync import errors, governors, platforms
from sync.models import DriftRun, Subscription, Target
from sync.protocol import Connector, RemoteRecord
from sync.services import absences, comparing, findings
from sync.services.comparing import Scope
from sync.services.exceptions import require_operate

log = logging.getLogger(__name__)
CHUNK = 100
_LEASE_S, _RESTARTS, _RESCANS = 60, 5, 50


class Superseded(Exception):
    """The run was cancelled, or another process goes on with it."""


@transaction.atomic
def request(
    target: Target,
    *,
    by: Actor,
    type: str = "",
    record: UUID | None = None,
    changed_since: datetime | None = None,
) -> DriftRun:
    """Ask for a look at a target: whole, one type, or one record; a process takes it up after the commit."""
    require_operate(by)
    if not platforms.readable(target.connector):
        raise CorrectInput(f"{target.title} cannot be asked what it holds, so there is no drift to look for.")
    covered = list(Subscription.objects.filter(target=target, active=True).values_list("type", flat=True))
    if type and type not in covered:
        raise CorrectInput(f"{target.title} is not subscribed to that type.")
    if not covered:
        raise CorrectInput(f"{target.title} has no subscription yet.")
    if record is not None:
        type = type or (covered[0] if len(covered) == 1 else "")
        if not type:
            raise CorrectInput("Name the type of the record.")
        if not current_documents(type, [record]):
            raise NotFound("There is no such record.")
    run = DriftRun.objects.create(
        target=target,
        type=type,
        record=record,
        changed_since=changed_since,
        requested_by=by.user,
        requested_by_name=by.name,
        correlation_id=correlation.current(),
    )
    audit.record(
        action="drift.requested", by=by, object_type="target", object_uid=target.code, object_label=target.title,
        detail={"run": str(run.uid), "type": type, "record": str(record or "")},
    )  # fmt: skip
    _ring_after_commit(run)
    return run


def _ring_after_commit(run: DriftRun) -> None:
    from sync import tasks

    transaction.on_commit(lambda: tasks.ring_drift(str(run.uid)), robust=True)


def cancel(run: DriftRun, *, by: Actor) -> DriftRun:
    require_operate(by)
    if not DriftRun.objects.filter(pk=run.pk, state__in=("queued", "running")).update(
        state="cancelled", finished_at=Now()
    ):
        raise NotNow(f"This run is {run.state} already.")
    run.refresh_from_db()
    return run


def waiting(*, overdue_s: float = 0) -> list[UUID]:
    """Runs nobody works on: queued, or left behind by a process that died."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT uid FROM sync_driftrun
                WHERE (state = 'queued' AND created_at <= now() - make_interval(secs => %s))
                   OR (state = 'running' AND lease_until < now()) ORDER BY id LIMIT 20""",
            [overdue_s],
        )
        return [row[0] for row in cursor.fetchall()]


@dataclass
class Progress:
    """The run as this process holds it; every save is fenced by the epoch and prolongs the lease."""

    run: DriftRun
    epoch: int
    counts: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)

    def save(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                """UPDATE sync_driftrun SET done = %s, counts = %s::jsonb, lease_until = now() + make_interval(secs => %s)
                    WHERE id = %s AND epoch = %s AND state = 'running'""",
                [self.counts["scanned"], _json(self.counts), _LEASE_S, self.run.pk, self.epoch],
            )
            if cursor.rowcount != 1:
                raise Superseded


def run(uid: UUID) -> DriftRun:
    """Work on a run until it is done; returns at once when another process has it."""
    row = DriftRun.objects.select_related("target__system").get(uid=uid)
    epoch = _claim(row)
    if epoch is None:
        row.refresh_from_db()
        return row
    correlation.adopt(row.correlation_id)
    progress = Progress(row, epoch, Counter(row.counts))
    try:
        for subscription in _subscriptions(row):
            _look(progress, subscription)
        _finish(progress, "done")
    except Superseded:
        pass
    except errors.SyncError as error:
        _finish(progress, "failed", error.message)
        governors.alert(row.target, "drift_failed", error.message)
    except Exception as error:
        log.exception("A drift run broke.")
        _finish(progress, "failed", f"The run broke: {type(error).__name__}.")
    row.refresh_from_db()
    return row


def _claim(row: DriftRun) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_driftrun SET epoch = epoch + 1, lease_until = now() + make_interval(secs => %s),
                      restarts = restarts + CASE WHEN state = 'running' THEN 1 ELSE 0 END,
                      started_at = coalesce(started_at, now()),
                      state = CASE WHEN restarts >= %s THEN 'failed' ELSE 'running' END,
                      error = CASE WHEN restarts >= %s THEN 'Given up: the process ended again and again.' ELSE '' END
                WHERE id = %s AND (state = 'queued' OR (state = 'running' AND lease_until < now()))
                RETURNING epoch, state""",
            [_LEASE_S, _RESTARTS, _RESTARTS, row.pk],
        )
        found = cursor.fetchone()
    return int(found[0]) if found and found[1] == "running" else None


def _subscriptions(run: DriftRun) -> list[Subscription]:
    rows = Subscription.objects.select_related("target__system").filter(target=run.target_id, active=True)
    types = platforms.connector_class(run.target.connector).types
    return [row for row in rows.order_by("type") if row.type in types and run.type in ("", row.type)]


def _look(progress: Progress, subscription: Subscription) -> None:
    scope = comparing.scope(progress.run, subscription)
    if progress.run.record is not None:
        _look_at_record(progress, scope)
        return
    keys = Crosswalk.objects.filter(system=scope.target.system, type=scope.type, active=True)
    DriftRun.objects.filter(pk=progress.run.pk).update(total=keys.count())
    for chunk in _chunks(_scan(progress, scope)):
        with transaction.atomic():
            progress.counts += comparing.compare(scope, chunk)
            progress.save()
    if progress.run.changed_since is None:
        progress.counts += absences.compare(scope, progress.save)
        with transaction.atomic():
            progress.counts["resolved"] += findings.settle_untouched(scope)
            progress.save()


def _scan(progress: Progress, scope: Scope) -> Iterator[RemoteRecord]:
    """Everything at the target that this run has not seen yet, at the target's pace, also when it says: later."""
    since = progress.run.changed_since.isoformat() if progress.run.changed_since else None
    for again in range(_RESCANS):
        try:
            with platforms.session(scope.target) as connector:
                for number, remote in enumerate(platforms.as_readable(scope.target, connector).scan(scope.type, since)):
                    if number % CHUNK == 0:
                        _keep_pace(scope.target, connector)
                    yield remote
            return
        except errors.Throttled as error:
            governors.throttle(scope.target, error.retry_after)
            _wait(progress, max(1.0, error.retry_after))
        except errors.NotSent:
            if again >= 3:
                raise
            _wait(progress, 2.0**again)
    raise errors.NotSent(f"{scope.target.title} kept asking for time; look again later.")


def _keep_pace(target: Target, connector: Connector) -> None:
    """Pages count against the same rate as pushes do."""
    governors.spend(target, len(connector.exchanges()))
    while (wait := governors.take(target, 0.0)) > 0:
        time.sleep(min(wait, 5))


def _wait(progress: Progress, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        progress.save()
        time.sleep(min(10.0, max(0.05, ends - time.monotonic())))


def _chunks(records: Iterable[RemoteRecord]) -> Iterator[list[RemoteRecord]]:
    chunk: list[RemoteRecord] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _look_at_record(progress: Progress, scope: Scope) -> None:
    uid = progress.run.record
    assert uid is not None
    keys = list(
        Crosswalk.objects.filter(system=scope.target.system, type=scope.type, uid=uid, active=True).values_list(
            "key", flat=True
        )
    )
    with platforms.session(scope.target) as connector:
        held = platforms.as_readable(scope.target, connector)
        there = [remote for key in keys if (remote := held.read(scope.type, key)) is not None]
    with transaction.atomic():
        progress.counts += comparing.compare(scope, there)
        progress.counts += absences.compare_record(scope, uid, {remote.key for remote in there})
        progress.counts["resolved"] += findings.settle_untouched(scope, record=uid)
        progress.save()


def _finish(progress: Progress, state: str, error: str = "") -> None:
    took = time.monotonic() - progress.started
    scanned = progress.counts["scanned"]
    timings = {"seconds": round(took, 3), "records_per_s": round(scanned / took, 1) if took else None}
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_driftrun SET state = %s, error = %s, done = %s, counts = %s::jsonb, report_hash = %s,
                      finished_at = now(), lease_until = NULL, timings = %s::jsonb || jsonb_build_object(
                        'queued_seconds', round(extract(epoch FROM started_at - created_at)::numeric, 3),
                        'total_seconds', round(extract(epoch FROM now() - started_at)::numeric, 3))
                WHERE id = %s AND epoch = %s AND state = 'running'""",
            [state, error[:2000], scanned, _json(progress.counts), findings.report_hash(progress.run), _json(timings),
             progress.run.pk, progress.epoch],
        )  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(dict(value))
