"""Owns the record of fault runs: docs/faults.json remembers every seed, docs/quality.md shows them and their sum."""

from __future__ import annotations

import json
from typing import Any

from tests.bench import figures
from tests.bench.figures import Table
from tests.faults.storm import CALM_S, Result

STORE = figures.ROOT / "docs" / "faults.json"
_SHOWN = 12  # runs in the table; the sum is over all
PUSHES, LONGEST_S = 200_000, 45 * 60


def keep(result: Result, *, at: str, machine: str, command: str) -> None:
    """A seed that is run again replaces its record, good or bad."""
    rows = {row["seed"]: row for row in (json.loads(STORE.read_text()) if STORE.exists() else [])}
    rows[result.seed] = _row(result, at, machine)
    ordered = sorted(rows.values(), key=lambda row: row["at"])
    STORE.write_text(json.dumps(ordered, indent=1) + "\n")
    table = _table(ordered)
    table.at, table.machine, table.command = at, machine, command
    figures.keep([table])


def _row(result: Result, at: str, machine: str) -> dict[str, Any]:
    names = ("seed", "pushes", "versions", "unfinished", "released", "repeated", "lost", "doubled", "reversed", "stuck")
    row: dict[str, Any] = {name: getattr(result, name) for name in names}
    row |= {"seconds": round(result.seconds), "calm_s": round(result.calm_s, 1), "clean": result.clean}
    row |= {"killed": dict(sorted(result.killed.items())), "target_faults": sum(result.target_faults.values())}
    return row | {"at": at, "machine": machine}


def _table(rows: list[dict[str, Any]]) -> Table:
    total: dict[str, Any] = {"seed": f"all {len(rows)}"}
    total |= {name: max(row[name] for row in rows) for name in ("calm_s", "seconds")}
    for name in ("pushes", "target_faults", "unfinished", "lost", "doubled", "reversed", "stuck"):
        total[name] = sum(row[name] for row in rows)
    total["killed"] = {}
    for row in rows:
        for kind, count in row["killed"].items():
            total["killed"][kind] = total["killed"].get(kind, 0) + count
    what = ", ".join(f"{count:,} {kind}" for kind, count in sorted(total["killed"].items()))
    return Table(
        name="faults",
        title="Pushes under faults",
        section="faults",
        intro="A run is one seed: a whole hub under traffic, two Celery workers with pools, dispatcher, web, PostgreSQL "
        "and Redis, which are killed, flushed, stopped and crashed, at targets that fail in a dozen ways.",
        columns=["seed", "pushes", "kills", "faults at targets", "unfinished sends", "lost", "doubled",
                 "older over newer", "stuck", "all ended after", "took"],
        rows=[_cells(row) for row in [total, *reversed(rows[-_SHOWN:])]],
        notes=[
            *_goals(total),
            f"over all runs: {what}",
            "a push is a delivery that ended posted; an unfinished send is one whose process died, or lost its lease,"
            " before an end was recorded: what became of it was read back",
            "lost, doubled and older over newer are judged by the targets' own logs against every approved version",
            "all ended after: seconds from the last fault until no delivery was under way; of all runs the longest",
        ],
    )  # fmt: skip


def _goals(total: dict[str, Any]) -> list[str]:
    """What is promised, over every seed that was ever recorded."""
    bad = sum(total[name] for name in ("lost", "doubled", "reversed", "stuck"))
    held = [
        (f"pushes over all seeds ≥ {PUSHES:,}", f"{total['pushes']:,}", total["pushes"] >= PUSHES),
        ("lost, doubled, older over newer or stuck = 0", f"{bad:,}", not bad),
        (f"all ended after ≤ {CALM_S} s", f"{total['calm_s']:.1f} s", total["calm_s"] <= CALM_S),
        (f"the longest run ≤ {LONGEST_S // 60} min", f"{total['seconds'] / 60:.0f} min", total["seconds"] <= LONGEST_S),
    ]
    return [f"goal: {what}: {value}, {'kept' if kept else 'missed'}" for what, value, kept in held]


def _cells(row: dict[str, Any]) -> list[str]:
    numbers = [row["pushes"], sum(row["killed"].values()), row["target_faults"], row["unfinished"]]
    numbers += [row[name] for name in ("lost", "doubled", "reversed", "stuck")]
    took = [f"{row['calm_s']:.1f} s", f"{row['seconds'] / 60:.0f} min"]
    return [str(row["seed"]), *(f"{number:,}" for number in numbers), *took]
