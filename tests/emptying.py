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
    connection.execute("SET CONSTRAINTS ALL DEFERRED")
    connection.execute(_DELETE)
    if filled := _filled(connection):
        names = sql.SQL(", ").join(map(sql.Identifier, filled))
        connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
    for table, content in _seed.rows.items():
        with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
            copy.write(content)
    for sequence, value in _seed.sequences.items():
        connection.execute("SELECT setval(%s::regclass, %s)", [f'public."{sequence}"', value])


# Deleting a few rows takes a tenth of the time of TRUNCATE, which makes new files for every table that refers to one and for
# all of their indexes. Tables with foreign keys that cannot wait for the end of the transaction come first.
_MOST_DELETED = 2_000
_DELETE = f"""
DO $$ DECLARE name text; many bigint; BEGIN
  FOR name IN
    SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
       AND c.relname <> ALL(ARRAY[{", ".join(f"'{table}'" for table in _KEPT)}])
     ORDER BY NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND NOT condeferrable)
  LOOP
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %I LIMIT {_MOST_DELETED + 1}) AS few', name) INTO many;
    IF many BETWEEN 1 AND {_MOST_DELETED} THEN EXECUTE format('DELETE FROM %I', name); END IF;
  END LOOP;
  PERFORM setval(format('public.%I', sequencename)::regclass, start_value, false)
     FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""


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
