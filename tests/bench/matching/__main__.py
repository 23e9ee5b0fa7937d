"""`make bench-matching`: our engine beside others on the same files, in one run; writes docs/quality.md.

Parts: generated (pairs, clusters and bulk time against Splink), workers, sites, names, single,
incremental (one by one against bulk), rest, looking (one and two Celery workers).
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import ground
from tests.bench.figures import PAGE, Table, keep
from tests.bench.matching import reports
from tests.bench.matching.data import invented

PARTS = ("generated", "workers", "sites", "names", "single", "incremental", "rest", "looking")
_REST_MOST, _LOOK_MOST = 20_000, 12_000  # records imported into a hub for these parts


def main() -> int:
    chosen = _arguments()
    folder = ground.VAR / "matching"
    file, truth = invented(folder, chosen.records, chosen.seed)
    out = folder / f"{chosen.records}-{chosen.seed}"
    out.mkdir(parents=True, exist_ok=True)
    task = reports.Task(file, truth, out, chosen.records, chosen.seed, chosen.decisions, chosen.queries)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    for part in PARTS:
        if part in chosen.only:
            table = _measured(part, task, chosen.no_splink, min(chosen.records, _REST_MOST))
            table.at, table.machine, table.command = now, f"{ground.machine()}, {_busy()}", _command()
            print(table.text(), flush=True)
            keep([table])  # what follows may take an hour, or fail
    print(f"written to {PAGE.relative_to(ground.ROOT)}")
    return 0


def _measured(part: str, task: reports.Task, without_splink: bool, rest: int) -> Table:
    if part == "generated":
        return reports.generated(task, splink=not without_splink)
    if part == "rest":
        return reports.rest(task, rest)
    if part == "looking":
        return reports.looking(task, min(task.records, _LOOK_MOST))
    return {
        "workers": reports.workers, "sites": reports.sites, "names": reports.names, "single": reports.single,
        "incremental": reports.incremental,
    }[part](task)  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.matching", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="invented suppliers (default 100,000)")
    parser.add_argument("--seed", type=int, default=7, help="of the invented suppliers (default 7)")
    parser.add_argument("--decisions", type=int, default=300, help="simulated decisions on them (default 300)")
    parser.add_argument("--queries", type=int, default=400, help="single checks to time (default 400)")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure only this; may be repeated")
    parser.add_argument("--no-splink", action="store_true", help="leave Splink's run on the invented suppliers out")
    chosen = parser.parse_args()
    chosen.only = chosen.only or list(PARTS)
    return chosen


def _command() -> str:
    arguments = " ".join(sys.argv[1:])
    return f'make bench-matching ARGS="{arguments}"' if arguments else "make bench-matching"


def _busy() -> str:
    """How many processes wanted a core, ours included: figures of a busy machine say so."""
    return f"load {os.getloadavg()[0]:.1f}" if Path("/proc/loadavg").exists() else "load unknown"


if __name__ == "__main__":
    sys.exit(main())
