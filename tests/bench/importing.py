"""Import rows per second, against plain COPY of the same rows into a bare table."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tests.bench import ground, invented
from tests.bench.figures import Figure
from tests.bench.ground import Ground

_TABLE = "bench_bare"
_PIECE = 1 << 16


def measure(here: Ground, rows: int) -> Figure:
    file = invented.write(ground.VAR / f"suppliers-{rows}.csv", rows)
    mapping = ground.VAR / "mapping.json"
    mapping.write_text(json.dumps(invented.MAPPING))
    command = [sys.executable, "manage.py", "import_records", str(file), "--system", "bench", "--type", "supplier"]
    said, seconds, peak = ground.run_measured([*command, "--mapping", str(mapping)], here.environment)
    counts = json.loads(said.strip().splitlines()[0])["counts"]
    bare = max(copy(here, file) for _ in range(3))
    size = file.stat().st_size / 2**20
    file.unlink()
    shown = ", ".join(f"{count:,} {what}" for what, count in counts.items() if what != "in")
    return Figure(
        name=f"import-{rows:07}",
        title=f"Import of {rows:,} suppliers",
        unit="rows/s",
        value=counts["in"] / seconds,
        limit=bare,
        limit_is="plain COPY of the same file into a table of text columns, best of three",
        notes=[
            f"{rows:,} invented suppliers with addresses, tax numbers and bank accounts, {size:.1f} MiB of CSV,"
            f" by `manage.py import_records` as one process, its start included: {seconds:.1f} s",
            f"{counts['in']:,} in = {shown}",
            f"peak resident memory of the importing process: {peak / 2**20:.0f} MiB",
            "per row the hub validates, seals bank numbers, matches against everything, writes source record, crosswalk,"
            " golden record with children, version, history, provenance, match keys and event",
        ],
    )


def copy(here: Ground, file: Path) -> float:
    columns = ", ".join(f"c{number} text" for number in range(len(invented.COLUMNS)))
    with here.owner() as connection:
        connection.execute(f"DROP TABLE IF EXISTS {_TABLE}")
        connection.execute(f"CREATE TABLE {_TABLE} ({columns})")
        began = time.monotonic()
        with file.open("rb") as source, connection.cursor() as cursor:
            with cursor.copy(f"COPY {_TABLE} FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';')") as sink:
                while piece := source.read(_PIECE):
                    sink.write(piece)
            rows = cursor.rowcount
        seconds = time.monotonic() - began
        connection.execute(f"DROP TABLE {_TABLE}")
    return float(rows / seconds)
