"""PostgreSQL's pg_trgm as a duplicate check: a GIN index, the fifty most similar names. In a server of the bench's own.

`python -m tests.bench.matching.trigrams COLUMNS.csv FILE TRUTH QUERIES FOLDER` prints milliseconds and recall as JSON.
pg_trgm comes with the system's PostgreSQL (Debian: postgresql-15), not with the one the hub brings along.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from pathlib import Path

import psycopg

from tests.bench.matching.data import Truth, ids_of
from tests.bench.matching.single import milliseconds, queries, recall

THRESHOLD, LIMIT = 0.3, 50


def programs() -> Path | None:
    """The newest installed PostgreSQL that has the extension."""
    found = [
        folder.parent / "bin"
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if Path("/usr/share/postgresql", folder.parent.name, "extension", "pg_trgm.control").exists()
    ]
    return max(found, key=lambda folder: int(folder.parent.name), default=None)


def main() -> int:
    source, file, truth, count, folder = (
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        sys.argv[3],
        int(sys.argv[4]),
        sys.argv[5],
    )
    found = programs()
    if found is None:
        raise SystemExit("pg_trgm is missing here: apt-get install -y postgresql-contrib")
    for name in ("DATABASE_URL", "DATABASE_APP_URL"):
        os.environ.pop(name, None)
    os.environ["MDM_PG_BIN"] = str(found)
    from mdm import embedded

    entity = Truth.of(Path(truth), ids_of(file)).entity
    asked = queries(entity, count).tolist()
    var = Path(folder)
    try:
        url = embedded.start(var, say=lambda _: None)["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            said = _measure(connection, source, entity, asked)
    finally:
        embedded.reset(var, say=lambda _: None)
    print(json.dumps(said))
    return 0


def _measure(connection: psycopg.Connection, source: Path, entity: object, asked: list[int]) -> dict[str, float]:
    connection.execute("CREATE EXTENSION pg_trgm")
    connection.execute("CREATE TABLE supplier (id int PRIMARY KEY, name text)")
    names = {}
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY supplier FROM STDIN") as sink,
        source.open(encoding="utf-8", newline="") as file,
    ):
        for row in csv.DictReader(file):
            sink.write_row((int(row["place"]), row["core"]))
            names[int(row["place"])] = row["core"]
    connection.execute("CREATE INDEX ON supplier USING gin (name gin_trgm_ops)")
    connection.execute("VACUUM ANALYZE supplier")
    connection.execute(f"SET pg_trgm.similarity_threshold = {THRESHOLD}")
    connection.execute("SET statement_timeout = '30s'")
    took, found = [], []
    for _ in range(2):  # the first warms
        took, found = [], []
        for record in asked:
            began = time.perf_counter()
            rows = connection.execute(
                "SELECT id FROM supplier WHERE name %% %s AND id <> %s ORDER BY similarity(name, %s) DESC LIMIT %s",
                (names[record], record, names[record], LIMIT),
            ).fetchall()
            took.append(time.perf_counter() - began)
            found.append([row[0] for row in rows])
    return {**milliseconds(took), "recall": recall(entity, asked, found), "queries": len(asked)}  # type: ignore[arg-type]


if __name__ == "__main__":
    raise SystemExit(main())
