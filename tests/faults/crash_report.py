"""Owns what docs/quality.md says of the crash points: how many cells there are at each platform, and how many failed."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from sync import platforms
from tests.bench import figures
from tests.bench.figures import Table

_CELL = re.compile(r"(test_a_process_dies_\w+)\[(\w+)-.*\]")
_KINDS = {
    "test_a_process_dies_at_any_point": "alone",
    "test_a_process_dies_with_several_in_one_request": "several in one request",
}


def keep(told: Path, *, at: str, machine: str, command: str) -> None:
    """`told`: the run's JUnit report."""
    suite = ElementTree.parse(told).getroot()[0]
    cells: dict[tuple[str, str], list[bool]] = defaultdict(list)
    others: list[bool] = []
    for case in suite.iter("testcase"):
        passed = case.find("failure") is None and case.find("error") is None
        found = _CELL.fullmatch(case.get("name", ""))
        (cells[found[2], _KINDS[found[1]]] if found else others).append(passed)
    rows = [
        [platforms.connector_class(name).title, platforms.connector_class(name).capability, kind, *_counted(results)]
        for (name, kind), results in sorted(cells.items(), key=lambda item: (item[0][1], item[0][0]))
    ]
    everything = [*others, *(passed for results in cells.values() for passed in results)]
    seconds = float(suite.get("time", 0))
    table = Table(
        name="fault-cells",
        title="Every crash point",
        section="faults",
        intro="A cell is a process that dies at one point, while the request was applied, was applied unheard, or was lost,"
        " making or changing a record. Then another one takes over, and the target has to hold the record once.",
        columns=["platform", "class", "sent", "cells", "failed"],
        rows=[*rows, ["others: processes killed and frozen, the same message ten times", "", "", *_counted(others)]],
        notes=[
            f"goal: all of them pass: {sum(everything):,} of {len(everything):,}, {'kept' if all(everything) else 'missed'}",
            f"took {seconds / 60:.0f} min",
        ],
        at=at,
        machine=machine,
        command=command,
    )
    figures.keep([table])


def _counted(results: list[bool]) -> list[str]:
    return [f"{len(results):,}", f"{results.count(False):,}"]
