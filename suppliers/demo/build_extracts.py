"""Builds the demo's three extracts from the sources: `python -m suppliers.demo.build_extracts`.

Run by hand when sources or rules change; the hub only ever reads the files this has written.
The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from suppliers.demo.building import (
    breakage,
    chicago,
    columns,
    files,
    nordhaven,
    small,
    treasury,
    truth,
    wrecks,
)
from suppliers.demo.building.entry import SYSTEMS, Entry, number

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chicago", type=Path, default=HERE / "sources" / "chicago_providers.csv")
    parser.add_argument("--treasury", type=Path, default=HERE / "sources" / "treasury_vendors.csv")
    parser.add_argument("--nordhaven", type=Path, default=HERE / "sources" / "nordhaven_invented.csv")
    parser.add_argument("--out", type=Path, default=HERE / "extracts")
    options = parser.parse_args()
    build(options.chicago, options.treasury, options.nordhaven, options.out)


def build(chicago_csv: Path, treasury_csv: Path, nordhaven_csv: Path, out: Path) -> None:
    entries = _gather(chicago_csv, treasury_csv, nordhaven_csv)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    small.write(entries, out / "small")
    chosen, kept = truth.choose(entries)
    written = {}
    for system in SYSTEMS:
        held = [entry for entry in entries if entry.system == system]
        written[system] = breakage.break_rows(system, held, breakage.PLAN[system], kept)
        files.write(system, written[system], out)
        print(f"{files.NAME[system]}: {len(written[system])} rows")
    truth.write(written, chosen, out)
    wrecks.write(out / "broken")


def _gather(chicago_csv: Path, treasury_csv: Path, nordhaven_csv: Path) -> list[Entry]:
    """All entries, each file in an order of its own, with the keys their platform gave them."""
    entries = [*chicago.read(chicago_csv), *treasury.read(treasury_csv), *nordhaven.read(nordhaven_csv)]
    ordered = sorted(enumerate(entries), key=lambda item: number("order", str(item[0])))
    gathered: list[Entry] = []
    for system in SYSTEMS:
        held = [entry for _, entry in ordered if entry.system == system]
        columns.give_keys(system, held)
        gathered += held
    return gathered


if __name__ == "__main__":
    main()
