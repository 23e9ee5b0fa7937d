"""Fixtures of the API's tests."""

from __future__ import annotations

from typing import Any

import pytest

from mdm.api.throttling import ClientThrottle
from tests.api.callers import Caller, caller
from tests.api.codings_world import forget, make_books


@pytest.fixture(autouse=True)
def fresh_throttle():
    """Counters kept in the process would outlive the clients of one test."""
    ClientThrottle._leases.clear()
    ClientThrottle._silent_until = 0.0


@pytest.fixture
def steward(db) -> Caller:
    return caller("steward")


@pytest.fixture
def requester(db) -> Caller:
    return caller("requester")


@pytest.fixture
def approver(db) -> Caller:
    return caller("approver", "steward")


@pytest.fixture
def tool(db) -> Caller:
    """An expense tool that asks."""
    return caller("integrator")


@pytest.fixture
def books(db, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What codings are checked against, in a process that keeps nothing of it yet."""
    forget(monkeypatch)
    return make_books()
