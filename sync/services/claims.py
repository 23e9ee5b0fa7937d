"""Owns the lease on a lane: claiming, the write-ahead intent, keeping alive, and noticing that it was lost."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from sync import governors, platforms
from sync.crash_points import reach
from sync.errors import Separately, SyncError
from sync.models import Target
from sync.models.states import OPEN
from sync.protocol import Bulk
from sync.selectors import awaiting
from sync.services import freezing

PROCESS = uuid.uuid4()  # new at every start (a fork makes its own, see `sync.tasks`): ids of processes are reused
CRASHES = 3
_CLAIM_LOCK = 7_101
# SQL: all that lane `l` has to do is to make a record for a push job, for the first time. What was tried once goes singly.
_FIRST_LOAD = f"""(l.target_key = '' AND (
    SELECT count(*) = 1 AND bool_and(d.state = 'pending' AND d.action = 'upsert' AND d.attempts = 0
                                     AND d.error_code <> '{Separately.code}' AND r.id IS NOT NULL)
      FROM sync_delivery d LEFT JOIN sync_pushrow r ON r.made_id = d.id
     WHERE d.lane_id = l.id AND d.state = ANY('{{{",".join(OPEN)}}}')))"""


class LostLease(SyncError):
    """Somebody else holds the lane now: stop, record nothing; the new holder reads back what we did."""

    code = "lost_lease"


@dataclass(frozen=True)
class Claim:
    """One lane held by this process, and the delivery at its head."""

    lane_id: int
    epoch: int
    delivery_id: int
    state: str


def claim(target: Target, owner: uuid.UUID, bulk: type[Bulk] | None = None) -> list[Claim]:
    """The lane whose turn it is, as far as the governors of the target allow; one short transaction.

    `owner`: one for every request to be made, which is what the target's concurrency counts. With `bulk`, a first load
    takes the first loads along that are next in the queue, for one request.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_CLAIM_LOCK, target.pk])
        if governors.allowance(target.pk) <= 0:
            return []
        cursor.execute(
            f"""WITH next AS (
                 SELECT id, lease_owner IS NOT NULL AS crashed, priority, next_at, type,
                        type = ANY(%(types)s) AND {_FIRST_LOAD} AS several FROM sync_lane l
                  WHERE target_id = %(target)s AND open AND hold_reason = '' AND next_at <= now()
                    AND (lease_until IS NULL OR lease_until < now()) AND {freezing.covering()} IS NULL
                    AND {awaiting.NOTHING_AWAITED}
                  ORDER BY priority, next_at LIMIT %(most)s FOR UPDATE SKIP LOCKED),
               head AS (SELECT * FROM next ORDER BY priority, next_at LIMIT 1),
               c AS (SELECT n.* FROM next n, head h
                      WHERE n.id = h.id OR n.several AND h.several AND n.type = h.type)
               UPDATE sync_lane l SET epoch = epoch + 1, lease_owner = %(owner)s,
                      lease_until = now() + make_interval(secs => %(lease)s)
                 FROM c WHERE l.id = c.id RETURNING l.id, l.epoch, c.crashed""",
            {
                "target": target.pk,
                "types": list(bulk.bulk_types) if bulk else [],
                "most": bulk.bulk_size if bulk and _is_loading(cursor, target) else 1,
                "owner": owner,
                "lease": target.lease_s,
            },
        )
        held = {lane: (epoch, crashed) for lane, epoch, crashed in cursor.fetchall()}
        claims = _heads(cursor, held) if held else []
        reach("claiming")
        return claims


def _is_loading(cursor: Any, target: Target) -> bool:
    cursor.execute("SELECT 1 FROM sync_pushjob WHERE target_id = %s AND state = 'running'", [target.pk])
    return cursor.fetchone() is not None


def _heads(cursor: Any, held: dict[int, tuple[int, bool]]) -> list[Claim]:
    """The delivery each lane works on: one that is unknown first, else the newest; the others are superseded by it."""
    cursor.execute(
        "SELECT lane_id, id, state, crashes FROM sync_delivery WHERE lane_id = ANY(%s) AND state = ANY(%s) "
        "ORDER BY lane_id, seq FOR UPDATE",
        [list(held), list(OPEN)],
    )
    queue: dict[int, list[tuple[int, str, int]]] = {lane: [] for lane in held}
    for lane, delivery, state, crashes in cursor.fetchall():
        queue[lane].append((delivery, state, crashes))
    claims = []
    for lane, rows in queue.items():
        epoch, crashed = held[lane]
        if crashed:
            rows = _count_crash(cursor, rows)
            if any(state == "poison" for _, state, _ in rows):
                _put_down(cursor, lane, "poison: its delivery ended the process three times")
                continue
        if not rows:
            _put_down(cursor, lane, None)
            continue
        head, state, _ = next((row for row in rows if row[1] == "unknown"), rows[-1])
        if state != "unknown":
            _take(cursor, head, [delivery for delivery, _, _ in rows if delivery != head])
            state = "in_flight"
        claims.append(Claim(lane, epoch, head, state))
    return claims


def _count_crash(cursor: Any, rows: list[tuple[int, str, int]]) -> list[tuple[int, str, int]]:
    """The last holder never came back: its delivery has one crash more, and after three it is poison."""
    counted = []
    for delivery, state, crashes in rows:
        if state in ("in_flight", "unknown"):
            crashes += 1
            state = "poison" if crashes >= CRASHES else state
            cursor.execute(
                "UPDATE sync_delivery SET crashes = %s, state = %s, changed_at = now() WHERE id = %s",
                [crashes, state, delivery],
            )
        counted.append((delivery, state, crashes))
    return counted


def _put_down(cursor: Any, lane: int, hold: str | None) -> None:
    cursor.execute(
        """UPDATE sync_lane l SET lease_owner = NULL, lease_until = NULL, hold_reason = coalesce(%s, hold_reason),
                  open = EXISTS (SELECT 1 FROM sync_delivery d WHERE d.lane_id = l.id AND d.state = ANY(%s))
            WHERE id = %s""",
        [hold, list(OPEN), lane],
    )
    if hold:
        cursor.execute(
            "UPDATE sync_delivery SET state = 'held', changed_at = now() "
            "WHERE lane_id = %s AND state IN ('pending', 'retrying')",
            [lane],
        )


def _take(cursor: Any, head: int, older: list[int]) -> None:
    cursor.execute(
        "UPDATE sync_delivery SET state = 'in_flight', changed_at = now() WHERE id = %s AND state <> 'in_flight'",
        [head],
    )
    if older:
        cursor.execute(
            "UPDATE sync_delivery SET state = 'superseded', superseded_by_id = %s, changed_at = now() "
            "WHERE id = ANY(%s)",
            [head, older],
        )


def intend(held: Claim, target: Target, process: uuid.UUID, *, written: dict[str, str]) -> int:
    """Say, before the request leaves, that it may arrive; the id of the opened attempt. Commits by itself.

    From this commit on the delivery is `unknown`: whoever finds it so reads the target before doing anything else.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH lane AS (
                 UPDATE sync_lane l SET lease_until = now() + make_interval(secs => %(lease)s),
                        ambiguous_until = now() + make_interval(secs => %(doubt)s)
                  WHERE id = %(lane)s AND epoch = %(epoch)s AND lease_until > now()
                    AND {freezing.covering("%(action)s")} IS NULL RETURNING id),
               delivery AS (
                 UPDATE sync_delivery SET state = 'unknown', attempts = attempts + 1, changed_at = now(),
                        payload_hash = %(hash)s, mapping_version = %(mapping)s
                  WHERE id = %(delivery)s AND state IN ('in_flight', 'unknown') AND EXISTS (SELECT 1 FROM lane)
                  RETURNING id, attempts)
               INSERT INTO sync_attempt (delivery_id, target_id, number, kind, epoch, process, started_at)
               SELECT id, %(target)s, attempts, 'send', %(epoch)s, %(process)s, now() FROM delivery RETURNING id""",
            {
                "lease": target.lease_s,
                "doubt": doubt_s(target),
                "lane": held.lane_id,
                "epoch": held.epoch,
                "delivery": held.delivery_id,
                "target": target.pk,
                "process": process,
                "action": written["action"],
                "hash": written["payload_hash"],
                "mapping": written["mapping_version"],
            },
        )
        row = cursor.fetchone()
    if row is None:
        if freezing.is_frozen(held.lane_id, written["action"]):
            raise freezing.Frozen("A freeze window opened before this was sent.")
        raise LostLease("Another process took this lane over, or somebody ended the delivery.")
    return int(row[0])


class Leave:
    """The right of claims to write to their target, good for one time-out and then asked for again, for all or none.

    A push makes several requests and may be frozen between two of them. Whoever takes a lane over waits for the end
    of its lease and of its doubt, so both reach from here beyond anything a write begun under this leave can still do.
    """

    def __init__(self, held: Sequence[Claim], target: Target, *, since: float) -> None:
        self._held, self._target = held, target
        self._ends = since + target.timeout_s

    def __call__(self) -> None:
        asked = time.monotonic()
        if asked < self._ends:
            return
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                """UPDATE sync_lane l SET lease_until = now() + make_interval(secs => %s),
                          ambiguous_until = now() + make_interval(secs => %s)
                     FROM unnest(%s::bigint[], %s::bigint[]) AS c(id, epoch)
                    WHERE l.id = c.id AND l.epoch = c.epoch AND lease_until > now()""",
                [
                    self._target.lease_s,
                    doubt_s(self._target),
                    [held.lane_id for held in self._held],
                    [held.epoch for held in self._held],
                ],
            )
            if cursor.rowcount != len(self._held):
                raise LostLease("The lease ran out before this request was made.")
        self._ends = asked + self._target.timeout_s


def doubt_s(target: Target) -> float:
    """A write begins up to a time-out after its leave, takes up to another, and may then be applied as late as that."""
    return platforms.max_inflight(target) + 2 * target.timeout_s


class LeaseKeeper:
    """A thread that keeps the leases of claims under way alive, for at most `longest` seconds each."""

    def __init__(self, target: Target, *, longest: float) -> None:
        self._lease, self._longest = target.lease_s, longest
        self._claims: dict[int, tuple[int, float]] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def add(self, held: Claim) -> None:
        with self._lock:
            self._claims[held.lane_id] = (held.epoch, time.monotonic())

    def remove(self, held: Claim) -> None:
        with self._lock:
            self._claims.pop(held.lane_id, None)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._lease / 4):
                self._extend()
        finally:
            connection.close()

    def _extend(self) -> None:
        with self._lock:
            now = time.monotonic()
            live = [(lane, epoch) for lane, (epoch, since) in self._claims.items() if now - since < self._longest]
        if not live:
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    """UPDATE sync_lane l SET lease_until = now() + make_interval(secs => %s)
                         FROM unnest(%s::bigint[], %s::bigint[]) AS c(id, epoch)
                        WHERE l.id = c.id AND l.epoch = c.epoch AND l.lease_owner IS NOT NULL""",
                    [self._lease, [lane for lane, _ in live], [epoch for _, epoch in live]],
                )
        except Exception:  # a database that restarts: the lease may run out, the epoch guards what follows
            connection.close()
