"""Files that are broken as a whole: what an import must refuse in one clear sentence, before any row."""

from __future__ import annotations

from pathlib import Path

from suppliers.demo.building.columns import S4_COLUMNS

HEADER = ";".join(S4_COLUMNS)


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in WRECKS.items():
        (folder / name).write_bytes(content)


def _line(*first: str) -> str:
    return ";".join([*first, *[""] * (len(S4_COLUMNS) - len(first))])


WRECKS = {
    "empty.csv": b"",
    "header_only.csv": f"{HEADER}\r\n".encode(),
    "binary.csv": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    "no_header.csv": (_line("0000199001", "Header Forgotten Ltd") + "\r\n").encode(),
    "key_column_missing.csv": (HEADER.removeprefix("Supplier;") + "\r\n").encode(),
    "column_twice.csv": (HEADER.replace("Name 2", "Name 1") + "\r\n" + _line("0000199002", "A", "B") + "\r\n").encode(),
    "quote_never_closed.csv": (HEADER + "\r\n" + _line("0000199003", '"Open Quote GmbH') + "\r\n").encode(),
    "nul_bytes.csv": (HEADER + "\r\n" + _line("0000199004", "Nul\x00 Byte SA") + "\r\n").encode(),
    "not_a_workbook.xlsx": b"This is a letter, not a spreadsheet.\n",
    "not_objects.ndjson": b'["VendorCode","V009001"]\n42\n"text"\n',
}
