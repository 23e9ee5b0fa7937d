"""How many calls a client may make, with Redis and without."""

from __future__ import annotations

import pytest
import redis

from mdm.api.throttling import ClientThrottle
from tests.api.callers import Caller, caller

pytestmark = pytest.mark.django_db


def test_headers_count_down(steward, settings):
    settings.API_RATE_PER_MINUTE = 10
    first, second = steward.read("tokens/"), steward.read("tokens/")
    assert first["RateLimit-Policy"] == '"client";q=10;w=60'
    assert '"client";r=9;t=' in first["RateLimit"] and '"client";r=8;t=' in second["RateLimit"]


def test_beyond_the_limit_is_429_for_this_client_only(steward, settings):
    settings.API_RATE_PER_MINUTE = 3
    for _ in range(3):
        assert steward.read("tokens/").status_code == 200
    refused = steward.read("tokens/")
    assert refused.status_code == 429 and refused.json()["code"] == "throttled"
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert caller("steward").read("tokens/").status_code == 200


def test_processes_count_together(steward, settings):
    settings.API_RATE_PER_MINUTE = 4
    for _ in range(4):
        steward.read("tokens/")
        ClientThrottle._leases.clear()  # as another process would come, knowing nothing
    assert steward.read("tokens/").status_code == 429


def test_refused_callers_are_counted_too(db, settings):
    settings.API_RATE_PER_MINUTE = 3
    answers = [Caller().read("tokens/").status_code for _ in range(5)]
    assert answers == [401, 401, 401, 429, 429]


def test_without_redis_each_process_gives_its_share(steward, settings, monkeypatch):
    settings.API_RATE_PER_MINUTE = 8

    def down(*args, **kwargs):
        raise redis.ConnectionError

    monkeypatch.setattr(redis.client.Pipeline, "execute", down)
    answers = [steward.read("tokens/").status_code for _ in range(4)]
    assert answers == [200, 200, 429, 429]
