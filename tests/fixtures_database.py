"""Database fixtures: the clone per process, emptying after transactional tests, a clean cache."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase

from tests import database, emptying


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """Instead of pytest-django's: a clone of the migrated template, left by the role that owns nothing."""
    database.create_clone()
    emptying.remember()
    patched = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = lambda self: _empty()  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = patched  # type: ignore[method-assign]
    connections.close_all()
    database.drop_clone()


def _empty() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close()  # a test may leave a transaction open
    emptying.empty()


@pytest.fixture(autouse=True)
def clean_cache(request: pytest.FixtureRequest) -> Iterator[None]:
    """Counters and cached answers of one test are not seen by the next.

    Only keys of the cache: FLUSHDB would take the queues away from a worker that is running.
    """
    yield
    if not {"_django_db_helper", "db", "transactional_db"} & set(request.fixturenames) and not (
        request.node.get_closest_marker("django_db")
    ):
        return
    client = redis.Redis.from_url(settings.REDIS_URL)
    prefix = settings.CACHES["default"].get("KEY_PREFIX", "")
    if keys := list(client.scan_iter(f"{prefix}:*", count=1000)):
        client.delete(*keys)
    client.close()


@pytest.fixture
def owner_connection(db: None) -> Iterator[object]:
    """A psycopg connection of the schema's owner, outside the test: it sees what is committed."""
    with database.connect_as_owner() as connection:
        yield connection
