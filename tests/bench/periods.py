"""The wall against overlapping periods: what the exclusion constraint costs at a million rows, beside a table without."""

from __future__ import annotations

import time

import psycopg

from tests.bench.figures import Figure
from tests.bench.ground import Ground

RECORDS, EACH = 250_000, 4
CUTS = 20_000
_INSERT = f"""
    INSERT INTO {{table}} (record_id, valid_from, valid_to)
    SELECT r, CASE WHEN n > 0 THEN date '2020-01-01' + 365 * n END,
           CASE WHEN n < {EACH - 1} THEN date '2020-01-01' + 365 * (n + 1) END
      FROM generate_series(1, {RECORDS}) r, generate_series(0, {EACH - 1}) n"""
_CONSTRAINT = """
    ALTER TABLE bench_walled ADD CONSTRAINT no_overlap EXCLUDE USING gist
      (int8range(record_id, record_id, '[]') WITH &&, daterange(valid_from, valid_to) WITH &&) DEFERRABLE INITIALLY DEFERRED"""


def measure(here: Ground) -> Figure:
    """Both tables are filled, then `CUTS` records get a change from a day on: one period cut, one put in, a commit each 100."""
    with here.owner() as connection:
        for table in ("bench_plain", "bench_walled"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(
                f"CREATE TABLE {table} (id bigserial PRIMARY KEY, record_id bigint NOT NULL, valid_from date, valid_to date)"
            )
            connection.execute(f"CREATE INDEX ON {table} (record_id)")
        connection.execute(_CONSTRAINT)
        loaded = {table: _took(connection, _INSERT.format(table=table)) for table in ("bench_plain", "bench_walled")}
        cut = {table: CUTS / _cut(connection, table) for table in ("bench_plain", "bench_walled", "bench_plain")}
        sizes = {table: _mib(connection, table) for table in loaded}
        refused = _refuses(connection)
        for table in loaded:
            connection.execute(f"DROP TABLE {table}")
    return Figure(
        name="periods-wall",
        title=f"Changes from a day on in {RECORDS * EACH:,} periods behind the exclusion constraint",
        unit="changes/s",
        value=cut["bench_walled"],
        limit=cut["bench_plain"],
        limit_is="the same table without the constraint",
        notes=[
            f"a change cuts one period and puts one in; {CUTS:,} of them, a commit for every hundred, over one connection",
            f"filling the table: {loaded['bench_walled']:.1f} s with the constraint, {loaded['bench_plain']:.1f} s without",
            f"table and indexes: {sizes['bench_walled']:,.0f} MiB with it, {sizes['bench_plain']:,.0f} MiB without",
            f"an overlapping period put in past everything is refused: {refused}",
        ],
    )


def _took(connection: psycopg.Connection, statement: str) -> float:
    began = time.monotonic()
    connection.execute(statement)
    return time.monotonic() - began


def _cut(connection: psycopg.Connection, table: str) -> float:
    began = time.monotonic()
    for start in range(1, CUTS, 100):
        with connection.transaction():
            for record in range(start, start + 100):
                connection.execute(
                    f"UPDATE {table} SET valid_to = '2021-06-01' WHERE record_id = %s AND valid_from = '2020-12-31'",
                    [record],
                )
                connection.execute(
                    f"INSERT INTO {table} (record_id, valid_from, valid_to) VALUES (%s, '2021-06-01', '2021-12-31')",
                    [record],
                )
    return time.monotonic() - began


def _mib(connection: psycopg.Connection, table: str) -> float:
    row = connection.execute("SELECT pg_total_relation_size(%s::regclass)", [table]).fetchone()
    assert row is not None
    return float(row[0]) / (1 << 20)


def _refuses(connection: psycopg.Connection) -> str:
    try:
        connection.execute("INSERT INTO bench_walled (record_id, valid_from) VALUES (1, '2022-03-01')")
    except psycopg.errors.ExclusionViolation:
        return "yes"
    return "NO"
