"""Empties the database after a transactional test, and puts back the rows that migrations had put there.

Django's own flush cannot: the application's login may not TRUNCATE, and golden tables refuse writes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tests import database

_KEPT = ("django_migrations", "django_content_type", "auth_permission")
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s) ORDER BY 1"
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"


@dataclass(frozen=True)
class Seed:
    """What a fresh database holds: the rows of each table that has any, and where the sequences stand."""

    rows: dict[str, bytes]
    sequences: dict[str, int]


_seed: Seed | None = None


def remember() -> None:
    """Right after cloning."""
    global _seed
    with database.connect_as_owner() as connection:
        rows = {table: _copy_out(connection, table) for table in _filled(connection)}
        sequences = dict(connection.execute(_SEQUENCES).fetchall())
    _seed = Seed(rows, sequences)


def empty() -> None:
    """Truncate what has rows, restore the seed. Live workers may hold locks for a moment: then try again."""
    for attempt in range(20):
        try:
            with database.connect_as_owner() as connection, connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '2s'")
                connection.execute("SELECT set_config('mdm.maintenance', 'on', true)")
                _empty_with(connection)
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            time.sleep(0.1 * (attempt + 1))
    raise RuntimeError("The test database cannot be emptied: a connection keeps a transaction open.")


def _empty_with(connection: psycopg.Connection) -> None:
    assert _seed is not None, "tests.emptying.remember() was not called"
    # First wait for whoever is writing: rows that are not committed yet do not count as filled.
    tables = sql.SQL(", ").join(map(sql.Identifier, _tables(connection)))
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(tables))
    filled = _filled(connection)
    if filled:
        names = sql.SQL(", ").join(map(sql.Identifier, filled))
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))
    connection.execute("SET CONSTRAINTS ALL DEFERRED")
    for table, content in _seed.rows.items():
        with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
            copy.write(content)
    for sequence, value in _seed.sequences.items():
        connection.execute("SELECT setval(%s::regclass, %s)", [f'public."{sequence}"', value])


def _tables(connection: psycopg.Connection) -> list[str]:
    return [row[0] for row in connection.execute(_TABLES, [list(_KEPT)]).fetchall()]


def _filled(connection: psycopg.Connection) -> list[str]:
    asked = [
        sql.SQL("SELECT {} WHERE EXISTS (SELECT 1 FROM {})").format(sql.Literal(table), sql.Identifier(table))
        for table in _tables(connection)
    ]
    return [row[0] for row in connection.execute(sql.SQL(" UNION ALL ").join(asked)).fetchall()]


def _copy_out(connection: psycopg.Connection, table: str) -> bytes:
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(bytes(block) for block in copy)
