"""Owns what holds sending back: pause, Retry-After, circuit breaker, concurrency, rate and daily quota of a target.

Everything but the rate lives in PostgreSQL, so that all processes agree and a flushed Redis forgets nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from sync.models import Target
from sync.services.alerts import alert, close_alerts

log = logging.getLogger(__name__)
WINDOW_S, FAILURES, CLOSING = 60, 10, 5
_QUOTA_BLOCK, _QUOTA_GONE_S = 100, 300.0
_REDIS_PAUSE_S = 5.0

_BUCKET = """
local now = redis.call('TIME'); now = tonumber(now[1]) + tonumber(now[2]) / 1000000
local rate, burst, cost, force = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(held[1]) or burst) + math.max(0, now - (tonumber(held[2]) or now)) * rate)
local wait = 0
if tokens >= cost or force then tokens = tokens - cost else wait = (cost - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 60)
return tostring(wait)
"""


def allowance(target_id: int) -> int:
    """How many more requests may be under way now. Call it under the claim lock; a breaker whose time has come half-opens."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT t.active AND t.paused_at IS NULL AND coalesce(t.not_before <= now(), true),
                      t.breaker, coalesce(t.breaker_probe_at <= now(), true), t.concurrency,
                      (SELECT count(DISTINCT lease_owner) FROM sync_lane l WHERE l.target_id = t.id AND l.lease_owner IS NOT NULL
                          AND l.lease_until > now())
                 FROM sync_target t WHERE t.id = %s""",
            [target_id],
        )
        row = cursor.fetchone()
    if row is None or not row[0]:
        return 0
    _, breaker, probe_due, concurrency, busy = row
    if breaker == "closed":
        return int(concurrency - busy)
    if busy or not probe_due:
        return 0
    if breaker == "open":
        Target.objects.filter(pk=target_id, breaker="open").update(breaker="half_open", breaker_successes=0)
    return 1


def throttle(target: Target, seconds: float) -> None:
    """The target asked for time: nobody sends before it is over."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_target SET not_before = greatest(coalesce(not_before, now()), now() + make_interval(secs => %s))
                WHERE id = %s""",
            [seconds, target.pk],
        )


def trip(target: Target, reason: str) -> None:
    """Open the breaker now: sign-in refused, or failures that only waiting can mend."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_target SET breaker = 'open', breaker_reason = %s, breaker_successes = 0,
                      breaker_since = CASE WHEN breaker = 'closed' THEN now() ELSE breaker_since END,
                      breaker_probe_at = now() + make_interval(secs => probe_every_s)
                WHERE id = %s""",
            [reason[:300], target.pk],
        )
    alert(target, "breaker_open", reason)


def failed(target: Target, reason: str) -> None:
    """Count a technical failure: ten in a minute, more than half of all, open the breaker; a failed probe reopens it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FILTER (WHERE technical_failure), count(*),
                      (SELECT breaker FROM sync_target WHERE id = %s)
                 FROM sync_attemptresult WHERE target_id = %s AND finished_at > now() - make_interval(secs => %s)""",
            [target.pk, target.pk, WINDOW_S],
        )
        failures, everything, breaker = cursor.fetchone()
    if breaker == "half_open" or (breaker == "closed" and failures >= FAILURES and failures * 2 > everything):
        trip(target, reason)


def succeeded(target: Target) -> None:
    """Five probes in a row close the breaker; nothing is written while it is closed."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_target SET breaker_successes = breaker_successes + 1, breaker_probe_at = now(),
                      breaker = CASE WHEN breaker_successes + 1 >= %s THEN 'closed' ELSE 'half_open' END,
                      breaker_reason = CASE WHEN breaker_successes + 1 >= %s THEN '' ELSE breaker_reason END
                WHERE id = %s AND breaker <> 'closed' RETURNING breaker""",
            [CLOSING, CLOSING, target.pk],
        )
        row = cursor.fetchone()
    if row and row[0] == "closed":
        close_alerts(target, "breaker_open")


def stop(target: Target, reason: str) -> None:
    """The receiver wants nothing more: paused until an operator resumes it; what is queued stays queued."""
    Target.objects.filter(pk=target.pk, paused_at=None).update(
        paused_at=Now(), paused_by=target.title, pause_reason=reason[:300]
    )
    alert(target, "gone", reason)


# --- rate -----------------------------------------------------------------------------------------------------


class _Shares:
    """Without Redis every process keeps to its share of the rate: never nothing, never all of it for each."""

    def __init__(self) -> None:
        self._buckets: dict[int, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, target: Target, cost: float, *, force: bool) -> float:
        rate = target.rate_per_s / _processes()
        with self._lock:
            now = time.monotonic()
            tokens, at = self._buckets.get(target.pk, (1.0, now))
            tokens = min(max(1.0, target.burst / _processes()), tokens + (now - at) * rate)
            go = tokens >= cost or force
            self._buckets[target.pk] = (tokens - cost if go else tokens, now)
            return 0.0 if go else (cost - tokens) / rate


_shares = _Shares()
_redis_down_until = 0.0


def take(target: Target, cost: float = 1) -> float:
    """A token of the target's rate: 0 when one was taken, else the seconds until there will be one."""
    if target.daily_quota is not None and cost and not _book(target, 1):
        return _QUOTA_GONE_S
    return _take(target, cost, force=False)


def spend(target: Target, cost: float) -> None:
    """Requests that were made beyond the one a token was taken for: the bucket may go below nothing."""
    if cost > 0:
        _take(target, cost, force=True)
        if target.daily_quota is not None:
            _book(target, int(cost), force=True)


def _take(target: Target, cost: float, *, force: bool) -> float:
    global _redis_down_until
    if time.monotonic() >= _redis_down_until:
        try:
            arguments = (target.rate_per_s, max(1, target.burst), cost, int(force))
            return float(_bucket()(keys=[f"mdm:rate:{target.code}"], args=arguments))
        except (redis.RedisError, OSError):
            log.warning("Redis does not answer: the rate at %s is shared out between processes.", target.code)
            _redis_down_until = time.monotonic() + _REDIS_PAUSE_S
    return _shares.take(target, cost, force=force)


@lru_cache(maxsize=1)
def _bucket() -> Any:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
    return client.register_script(_BUCKET)


_counted: tuple[float, int] = (0.0, 1)


def _processes() -> int:
    """How many processes share the rate, from their signs of life; looked up every ten seconds."""
    global _counted
    at, number = _counted
    if time.monotonic() - at > 10:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM mdm_heartbeat WHERE seen_at > now() - interval '30 seconds'")
            number = max(1, int(cursor.fetchone()[0]))
        _counted = (time.monotonic(), number)
    return number


_granted: dict[tuple[int, Any], int] = {}
_granted_lock = threading.Lock()


def _book(target: Target, requests: int, *, force: bool = False) -> bool:
    """Book requests of today, in blocks: booked before they are made, so that a restart wastes some and overruns none."""
    assert target.daily_quota is not None
    with _granted_lock, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO sync_quotause (target_id, day, used) VALUES (%s, current_date, 0)
               ON CONFLICT (target_id, day) DO UPDATE SET used = sync_quotause.used RETURNING day, used""",
            [target.pk],
        )
        day, used = cursor.fetchone()
        left = _granted.get((target.pk, day), 0) - requests
        if left < 0:
            block = min(max(_QUOTA_BLOCK, -left), max(0, target.daily_quota - used))
            block = max(block, -left) if force else block
            if left + block < 0:
                return False
            cursor.execute(
                "UPDATE sync_quotause SET used = used + %s WHERE target_id = %s AND day = %s", [block, target.pk, day]
            )
            left += block
        _granted[(target.pk, day)] = left
        return True
