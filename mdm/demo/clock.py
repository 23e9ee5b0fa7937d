"""The demo tells of three weeks, and is loaded in a minute: while it is, `now` is when the story says it is.

Both clocks the hub reads are set back: `django.utils.timezone.now`, and `now()` and `statement_timestamp()` of this
process's database sessions, by a schema of functions that its search path names before PostgreSQL's own. Nothing else in
the database sees it, and it is dropped when the demo is loaded. Never a part of a hub in use: only `load_demo` comes here.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.utils import timezone

_real_now = timezone.now
_telling = False
_lag: timedelta | None = None  # None: nothing is set back
_PATH = 'demo_clock, pg_catalog, "$user", public'
_MAKE = """
    DROP SCHEMA IF EXISTS demo_clock CASCADE;
    CREATE SCHEMA demo_clock;
    CREATE TABLE demo_clock.lag (by interval NOT NULL);
    INSERT INTO demo_clock.lag VALUES ('0');
    CREATE FUNCTION demo_clock.now() RETURNS timestamptz STABLE LANGUAGE sql
        AS 'SELECT pg_catalog.now() - by FROM demo_clock.lag';
    CREATE FUNCTION demo_clock.statement_timestamp() RETURNS timestamptz STABLE LANGUAGE sql
        AS 'SELECT pg_catalog.statement_timestamp() - by FROM demo_clock.lag';
    GRANT USAGE ON SCHEMA demo_clock TO PUBLIC;
    GRANT SELECT ON demo_clock.lag TO PUBLIC;
"""


def tell() -> None:
    """The whole story is told from here on; without this, parts of the demo are loaded as things of today."""
    global _telling
    _telling = True


def at(days: int, hour: int, minute: int = 0) -> None:
    """From here on it is so many days ago, at this time (UTC). The story never goes back, and never beyond the present."""
    global _lag
    if not _telling:
        return
    real = _real_now()
    wanted = datetime.combine(real.date() - timedelta(days=days), time(hour, minute), real.tzinfo)
    if _lag is None:
        _set_back()
    else:
        wanted = max(wanted, real - _lag)
    _lag = max(real - wanted, timedelta(0))
    with connections["owner"].cursor() as cursor:
        cursor.execute("UPDATE demo_clock.lag SET by = make_interval(secs => %s)", [_lag.total_seconds()])


def back() -> None:
    """The present again, also after an error in the middle of the story."""
    global _lag, _telling
    _telling = False
    if _lag is None:
        return
    _lag = None
    timezone.now = _real_now
    connection_created.disconnect(_turn)
    connection.close()
    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP SCHEMA demo_clock CASCADE")


def _now() -> datetime:
    return _real_now() - (_lag or timedelta(0))


def _set_back() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(_MAKE)
    timezone.now = _now
    connection_created.connect(_turn)
    connection.close()  # the next one opened, in any thread, reads the story's time


def _turn(*, connection: Any, **kwargs: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET search_path = {_PATH}")
