"""Figures and where they are kept: docs/quality.json remembers the last run of each, docs/quality.md shows them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORE, PAGE = ROOT / "docs" / "quality.json", ROOT / "docs" / "quality.md"


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


def keep(figures: list[Figure]) -> None:
    """The new ones replace those of the same name; figures of earlier runs keep their own date and machine."""
    known = {row["name"]: row for row in json.loads(STORE.read_text())} if STORE.exists() else {}
    known |= {figure.name: asdict(figure) for figure in figures}
    rows = [known[name] for name in sorted(known)]
    STORE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page([Figure(**row) for row in rows]))


def page(figures: list[Figure]) -> str:
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
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _percent(ratio: float) -> str:
    return f"{ratio:.0%}".replace("%", " %") if ratio >= 0.1 else f"{ratio * 100:.2g} %"
