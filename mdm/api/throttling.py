"""How many calls a client may make per minute: counted atomically in Redis, by a share of its own when Redis is down."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from mdm.api.auth import client_of

WINDOW = 60  # seconds
_SILENCE = 5.0  # after a failure, how long Redis is left alone: a dead Redis must not slow every call
_FORGET = 10_000  # clients remembered by one process


@dataclass
class Lease:
    """Calls this process may answer without asking again: one round trip to Redis buys a handful."""

    window: int
    left: int = 0
    remaining: int = 0  # of the whole budget, as Redis last said


class ClientThrottle(BaseThrottle):
    """Fixed windows of a minute. `state` becomes the RateLimit headers of the answer."""

    _leases: dict[str, Lease] = {}
    _lock = threading.Lock()
    _client: redis.Redis | None = None
    _silent_until = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        limit = int(settings.API_RATE_PER_MINUTE)
        now = time.time()
        window = int(now // WINDOW)
        self.reset = WINDOW - int(now % WINDOW)
        allowed, remaining = self._take(client_of(request), window, limit)
        request._mdm_rate = (limit, remaining, self.reset)  # type: ignore[attr-defined]
        return allowed

    def wait(self) -> float:
        return float(self.reset)

    @classmethod
    def _take(cls, client: str, window: int, limit: int) -> tuple[bool, int]:
        with cls._lock:
            lease = cls._leases.get(client)
            if lease is None or lease.window != window:
                if len(cls._leases) > _FORGET:
                    cls._leases.clear()
                lease = cls._leases[client] = Lease(window)
            if lease.left <= 0:
                cls._renew(lease, client, limit)
            if lease.left <= 0:
                return False, 0
            lease.left -= 1
            return True, lease.remaining + lease.left

    @classmethod
    def _renew(cls, lease: Lease, client: str, limit: int) -> None:
        batch = max(1, limit // 200)
        used = cls._count(client, lease.window, batch)
        if used is None:
            # Without Redis every process hands out its own share, once per window.
            share = max(1, limit // max(1, int(getattr(settings, "API_PROCESSES", 4))))
            lease.left, lease.remaining = (share if lease.remaining != -1 else 0), -1
            return
        granted = min(batch, max(0, limit - (used - batch)))
        lease.left, lease.remaining = granted, max(0, limit - used)

    @classmethod
    def _count(cls, client: str, window: int, batch: int) -> int | None:
        if time.monotonic() < cls._silent_until:
            return None
        key = f"mdm:rate:{client}:{window}"
        try:
            if cls._client is None:
                cls._client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.25, socket_connect_timeout=0.25)
            with cls._client.pipeline(transaction=True) as pipe:
                pipe.incrby(key, batch)
                pipe.expire(key, 2 * WINDOW)
                return int(pipe.execute()[0])
        except redis.RedisError:
            cls._silent_until = time.monotonic() + _SILENCE
            return None


def headers(request: Request) -> dict[str, str]:
    """RateLimit headers (draft-ietf-httpapi-ratelimit-headers) of an answer."""
    state = getattr(request, "_mdm_rate", None)
    if state is None:
        return {}
    limit, remaining, reset = state
    return {
        "RateLimit-Policy": f'"client";q={limit};w={WINDOW}',
        "RateLimit": f'"client";r={max(0, remaining)};t={reset}',
    }
