"""Figures and tables and where they are kept: docs/quality.json remembers the last run of each, docs/quality.md shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STORE, PAGE = ROOT / "docs" / "quality.json", ROOT / "docs" / "quality.md"


SECTIONS = {
    "faults": [
        "## What survives faults",
        "",
        "Written by `make faults`: nothing is lost, doubled or written backwards, whatever is killed. The seeds are kept in",
        '`docs/faults.json`; `make faults ARGS="--seed N"` makes a run again.',
    ],
    "matching": [
        "## How good and how fast matching is",
        "",
        "Written by `make bench-matching`: our engine and others on the same files in the same run. P is precision, R",
        "recall, F1 their harmonic mean, 1 the best. Other engines are given the threshold that the truth says is best,",
        "ours takes the one it is shipped with. What the errors look like: [matching-quality.md](matching-quality.md).",
    ],
}


@dataclass
class Figure:
    """One measurement beside its limit. `name` says which one it replaces; `notes` are facts of the same run."""

    name: str
    title: str
    unit: str
    value: float
    limit: float
    limit_is: str
    notes: list[str] = field(default_factory=list)
    at: str = ""
    machine: str = ""
    command: str = ""

    @property
    def ratio(self) -> float:
        return self.value / self.limit if self.limit else 0.0

    def line(self) -> str:
        return (
            f"{self.title}: {_number(self.value)} {self.unit}, {_percent(self.ratio)} of {self.limit_is}"
            f" ({_number(self.limit)} {self.unit})"
        )


@dataclass
class Table:
    """Several measurements of one run side by side: texts in rows, notes such as which goals were kept."""

    name: str
    title: str
    intro: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)
    at: str = ""
    machine: str = ""
    command: str = ""
    section: str = "matching"

    def text(self) -> str:
        return "\n".join([self.title, *(" | ".join(row) for row in self.rows), *(f"    {note}" for note in self.notes)])

    def lines(self) -> list[str]:
        """As Markdown, below a heading of its own."""
        out = ["", f"### {self.title}", "", self.intro, "", f"| {' | '.join(self.columns)} |"]
        out.append("|---|" + "---:|" * (len(self.columns) - 1))
        out += [f"| {' | '.join(row)} |" for row in self.rows]
        return [*out, "", *(f"* {note}" for note in self.notes), f"* {self.at}, {self.machine}, `{self.command}`"]


def goal(text: str, value: float, limit: float, *, most: bool = False) -> str:
    """One line: what was wanted, what came out."""
    kept = value <= limit if most else value >= limit
    missed = "" if kept else f", missed by {abs(value - limit):.3g}"
    return f"goal: {text} {'≤' if most else '≥'} {limit:.3g}: {value:.4g}{missed or ', kept'}"


def keep(measured: Sequence[Figure | Table]) -> None:
    """The new ones replace those of the same name; those of earlier runs keep their own date and machine."""
    known = {row["name"]: row for row in json.loads(STORE.read_text())} if STORE.exists() else {}
    known |= {one.name: asdict(one) for one in measured}
    rows = [known[name] for name in sorted(known)]
    STORE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page([_read(row) for row in rows]))


def _read(row: dict[str, Any]) -> Figure | Table:
    return Table(**row) if "columns" in row else Figure(**row)


def page(measured: Sequence[Figure | Table]) -> str:
    figures = [one for one in measured if isinstance(one, Figure)]
    tables = [one for one in measured if isinstance(one, Table)]
    lines = [
        "# How fast it is",
        "",
        "Written by `make bench`; nothing here is an estimate. Every figure stands beside a limit measured in the same",
        "run on the same machine: what the work would cost if the hub did nothing around it. A ratio says how much of",
        "that is left. Machines differ and so do the rates; ratios travel better.",
        "",
        "| | measured | limit | ratio |",
        "|---|---:|---:|---:|",
    ]
    for figure in figures:
        value, limit = (f"{_number(n)} {figure.unit}" for n in (figure.value, figure.limit))
        lines.append(f"| {figure.title} | {value} | {limit} | {_percent(figure.ratio)} |")
    for figure in figures:
        lines += ["", f"## {figure.title}", "", f"The limit: {figure.limit_is}.", ""]
        lines += [f"* {note}" for note in figure.notes]
        lines.append(f"* {figure.at}, {figure.machine}, `{figure.command}`")
    for section, heading in SECTIONS.items():
        inside = [table for table in tables if table.section == section]
        lines += ["", *heading] if inside else []
        for table in inside:
            lines += table.lines()
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _percent(ratio: float) -> str:
    return f"{ratio:.0%}".replace("%", " %") if ratio >= 0.1 else f"{ratio * 100:.2g} %"
