"""Fixtures of the API's tests."""

from __future__ import annotations

import pytest

from mdm.api.throttling import ClientThrottle
from tests.api.callers import Caller, caller


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
