"""Three tiny extracts for fast tests: five suppliers known to all platforms, the rest alone in the world."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from suppliers.demo.building import breakage, files, stories, truth
from suppliers.demo.building.breakage import Row
from suppliers.demo.building.entry import COUPA, S4HANA, SYSTEMS, Entry, number

ROWS = 40
FILLERS = {"nordhaven": 14, "treasury": 4, "chicago": 17}
ENCODINGS = {
    "s4hana_utf16_tab.csv": ("utf-16", "\t"),
    "s4hana_latin1_comma.csv": ("latin-1", ","),
    "s4hana_utf8.csv": ("utf-8", ";"),
}


def write(entries: list[Entry], folder: Path) -> None:
    shared = [
        *stories.in_all_three(entries, "nordhaven", 4),
        *stories.in_all_three(entries, "treasury", 1),
    ]
    kept = {entry.entity for found in shared for entry in found.values()}
    alone = _alone(entries)
    written: dict[str, list[Row]] = {}
    for system in SYSTEMS:
        chosen = [found[system] for found in shared] + _fill(alone, system)
        chosen.sort(key=lambda entry: entry.key)
        written[system] = breakage.break_rows(system, deepcopy(chosen), breakage.SMALL_PLAN[system], kept)
        files.write(system, written[system], folder)
    story: dict[str, object] = {
        "in_all_three": [{"name": f[COUPA].name, "keys": {s: f[s].hub_key for s in SYSTEMS}} for f in shared]
    }
    truth.write(written, story, folder, pairs=False)
    _write_encodings([row for row in written[S4HANA] if not row.cause], folder / "encodings")


def _alone(entries: list[Entry]) -> list[Entry]:
    """Suppliers with one row in all the files and no sibling, so that they are nobody's duplicate."""
    families: dict[str, int] = {}
    for entry in entries:
        families[entry.family or entry.entity] = families.get(entry.family or entry.entity, 0) + 1
    return [
        entry
        for entry in entries
        if families[entry.family or entry.entity] == 1 and len(stories.words(entry.name).split()) > 1
    ]


def _fill(alone: list[Entry], system: str) -> list[Entry]:
    found: list[Entry] = []
    for group, count in FILLERS.items():
        able = [entry for entry in alone if entry.system == system and entry.group == group]
        able.sort(
            key=lambda entry: (
                (not entry.iban, number("small", entry.key))
                if group == "nordhaven"
                else (False, number("small", entry.key))
            )
        )
        found += able[:count]
    taken = {entry.key for entry in found}
    spare = [entry for entry in alone if entry.system == system and entry.group == "chicago" and entry.key not in taken]
    spare.sort(key=lambda entry: number("spare", entry.key))
    return found + spare[: ROWS - 5 - len(found)]


def _write_encodings(rows: list[Row], folder: Path) -> None:
    """The same rows as spreadsheets of other offices would save them."""
    folder.mkdir(parents=True, exist_ok=True)
    latin = [row for row in rows if _fits(row, "latin-1")]
    for name, (encoding, delimiter) in ENCODINGS.items():
        text = files.csv_text(latin, delimiter)
        (folder / name).write_bytes(text.encode(encoding))


def _fits(row: Row, encoding: str) -> bool:
    try:
        "".join(str(cell) for cell in row.entry.cells.values()).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
