"""What may be forgotten: values kept in the cache for a while. Without a cache pages are slower, never broken."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache

T = TypeVar("T")


def remember(key: str, seconds: int, make: Callable[[], T]) -> T:
    """The value kept under the key, else a fresh one."""
    with contextlib.suppress(Exception):  # a cache that is down only costs the work
        kept: T | None = cache.get(key)
        if kept is not None:
            return kept
    made = make()
    with contextlib.suppress(Exception):
        cache.set(key, made, seconds)
    return made


def count_up(key: str, seconds: int) -> int:
    """How often this happened within the time, this one included; 0 when nobody can count."""
    try:
        cache.add(key, 0, seconds)
        return int(cache.incr(key))
    except Exception:
        return 0


def count(key: str) -> int:
    try:
        return int(cache.get(key) or 0)
    except Exception:
        return 0


def forget(*keys: str) -> None:
    with contextlib.suppress(Exception):
        cache.delete_many(list(keys))
