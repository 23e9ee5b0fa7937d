"""Owns the rule that nothing is said to anybody outside while a transaction is open: broken, it raises."""

from __future__ import annotations

from typing import Any

import httpx
from django.db import connections


class InsideTransaction(AssertionError):
    """A target may take its time, and a rollback takes nothing back over there."""


def forbid_inside_transactions() -> None:
    """From now on, in this process. The transaction that wraps a whole test does not count."""
    if not hasattr(httpx.Client.send, "watched"):
        httpx.Client.send = _watched(httpx.Client.send)  # type: ignore[method-assign]


def _watched(send: Any) -> Any:
    def watched(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        for connection in connections.all(initialized_only=True):
            if any(not block._from_testcase for block in connection.atomic_blocks):
                raise InsideTransaction(f"{request.method} {request.url.host} inside a transaction")
        answer: httpx.Response = send(self, request, **options)
        return answer

    watched.watched = True  # type: ignore[attr-defined]
    return watched
