"""What an import must find: counts, broken rows by cause, true suppliers, pairs for stories, parents."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

from suppliers.demo.building import stories
from suppliers.demo.building.breakage import Row
from suppliers.demo.building.entry import CONCUR, COUPA, S4HANA, Entry
from suppliers.demo.building.files import NAME

FORM = {
    S4HANA: {"format": "csv", "encoding": "utf-8-sig", "delimiter": ";"},
    COUPA: {"format": "xlsx", "sheet": "Suppliers"},
    CONCUR: {"format": "ndjson", "encoding": "utf-8"},
}
HEADER_LINES = {S4HANA: 1, COUPA: 1, CONCUR: 0}
KEYLESS = {"missing_key", "broken_json"}


def write(files: dict[str, list[Row]], chosen: dict[str, object], folder: Path, *, pairs: bool = True) -> None:
    expected = expect(files) | chosen
    text = json.dumps(expected, ensure_ascii=False, indent=1)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")
    if pairs:
        (folder / "truth.csv").write_text(_truth(files), encoding="utf-8")
        parents = json.dumps(_parents(files), ensure_ascii=False, indent=1)
        (folder / "parents.json").write_text(parents + "\n", encoding="utf-8")


def expect(files: dict[str, list[Row]]) -> dict[str, object]:
    good = [row.entry for rows in files.values() for row in rows if not row.cause]
    groups = Counter(entity.split("-")[0] for entity in {entry.entity for entry in good})
    return {
        "files": {system: _file(system, rows) for system, rows in files.items()},
        "total": {
            "rows": sum(len(rows) for rows in files.values()),
            "broken": sum(1 for rows in files.values() for row in rows if row.cause),
            "true_suppliers": {"all": sum(groups.values())} | dict(sorted(groups.items())),
        },
        "broken_rows": [
            {
                "system": system,
                "row": place,
                "line": place + HEADER_LINES[system],
                "key": "" if row.cause in KEYLESS else row.entry.hub_key,
                "cause": row.cause,
            }
            for system, rows in files.items()
            for place, row in enumerate(rows, 1)
            if row.cause
        ],
    }


def _file(system: str, rows: list[Row]) -> dict[str, object]:
    causes = Counter(row.cause for row in rows if row.cause)
    good = [row.entry for row in rows if not row.cause]
    return {
        "file": NAME[system],
        **FORM[system],
        "rows": len(rows),
        "good": len(good),
        "broken": sum(causes.values()),
        "causes": dict(sorted(causes.items())),
        "true_suppliers": len({entry.entity for entry in good}),
        "groups": dict(sorted(Counter(entry.group for entry in good).items())),
    }


def _truth(files: dict[str, list[Row]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("system", "key", "supplier", "family"))
    for system, rows in files.items():
        writer.writerows(
            (system, row.entry.hub_key, row.entry.entity, row.entry.family) for row in rows if not row.cause
        )
    return out.getvalue()


def _parents(files: dict[str, list[Row]]) -> list[dict[str, object]]:
    """Real parent companies by the contracts; no column of the extracts is mapped to a parent."""
    children: dict[str, list[Entry]] = {}
    for rows in files.values():
        for row in rows:
            if row.entry.parent_name and not row.cause:
                children.setdefault(row.entry.entity, []).append(row.entry)
    return [
        {
            "parent": entries[0].parent_name,
            "parent_duns": entries[0].parent_duns,
            "child": entries[0].name,
            "child_duns": entity.split("-")[1],
            "keys": [{"system": entry.system, "key": entry.hub_key} for entry in entries],
        }
        for entity, entries in sorted(children.items())
    ]


def choose(entries: list[Entry]) -> tuple[dict[str, object], set[str]]:
    """The stories, and the suppliers in them: those must stay whole when rows are broken."""
    counts = {"nordhaven": 8, "treasury": 4, "chicago": 4}
    same = [pair for group, count in counts.items() for pair in stories.duplicates(entries, group, count)]
    other = [
        pair
        for group, count in {"nordhaven": 8, "treasury": 2}.items()
        for pair in stories.siblings(entries, group, count)
    ]
    three = [found for group in counts for found in stories.in_all_three(entries, group, 5)]
    kept = {entry.entity for left, right, _ in same + other for entry in (left, right)}
    kept |= {entry.entity for found in three for entry in found.values()}
    chosen: dict[str, object] = {
        "known_duplicates": [_pair(*pair) for pair in same],
        "known_siblings": [_pair(*pair) for pair in other],
        "in_all_three": [
            {
                "supplier": found[S4HANA].entity,
                "name": found[COUPA].name,
                "keys": {s: entry.hub_key for s, entry in found.items()},
            }
            for found in three
        ],
    }
    return chosen, kept


def _shown(entry: Entry) -> str:
    """The name as it stands in the file, after the platform's cuts and capitals."""
    columns = {S4HANA: ("Name 1", "Name 2"), COUPA: ("Supplier Name",), CONCUR: ("VendorName",)}[entry.system]
    return " ".join(str(entry.cells[column]) for column in columns).strip()


def _pair(left: Entry, right: Entry, shared: list[str]) -> dict[str, object]:
    sides = {
        side: {"system": entry.system, "key": entry.hub_key, "name": _shown(entry)}
        for side, entry in (("left", left), ("right", right))
    }
    kind = {"kind": left.family.split("-")[1]} if left.family == right.family and left.entity != right.entity else {}
    return {"group": left.group, **kind, **sides, "shared": shared}
