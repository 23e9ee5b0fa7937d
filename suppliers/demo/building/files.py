"""Writes the extracts: CSV, XLSX and NDJSON, byte for byte the same from the same rows."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

from openpyxl import Workbook

from suppliers.demo.building.breakage import Row
from suppliers.demo.building.columns import COUPA_COLUMNS, S4_COLUMNS
from suppliers.demo.building.entry import CONCUR, COUPA, S4HANA

NAME = {S4HANA: "s4hana_suppliers.csv", COUPA: "coupa_suppliers.xlsx", CONCUR: "concur_vendors.ndjson"}
STAMP = (2026, 10, 31, 18, 0, 0)


def write(system: str, rows: list[Row], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    WRITE[system](rows, folder / NAME[system])


def csv_text(rows: list[Row], delimiter: str = ";") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(S4_COLUMNS)
    for row in rows:
        cells = [row.entry.cells[column] for column in S4_COLUMNS]
        if row.cause == "too_few_columns":
            cells = cells[:12]  # the rest of the row was lost with a line break inside the telephone
        elif row.cause == "too_many_columns":
            cells = [*cells[:2], "BRANCH", *cells[2:]]  # a delimiter inside a name that nobody quoted
        writer.writerow(cells)
    return out.getvalue()


def _write_csv(rows: list[Row], path: Path) -> None:
    path.write_bytes(csv_text(rows).encode("utf-8-sig"))


def _write_xlsx(rows: list[Row], path: Path) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Suppliers")
    sheet.append(COUPA_COLUMNS)
    for row in rows:
        sheet.append([row.entry.cells[column] or None for column in COUPA_COLUMNS])
    out = io.BytesIO()
    book.save(out)
    path.write_bytes(_without_clock(out))


def _without_clock(made: io.BytesIO) -> bytes:
    """An XLSX is a zip with the time of day in it, twice; without it only new content makes a new file."""
    out = io.BytesIO()
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                moment = "{}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}Z".format(*STAMP).encode()
                content = re.sub(rb">\d{4}-\d\d-\d\dT[\d:.]+Z<", b">" + moment + b"<", content)
            info = zipfile.ZipInfo(name, STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            target.writestr(info, content)
    return out.getvalue()


def _write_ndjson(rows: list[Row], path: Path) -> None:
    lines = []
    for row in rows:
        line = json.dumps(row.entry.cells, ensure_ascii=False, separators=(",", ":"))
        if row.cause == "broken_json":
            line = line[: len(line) * 2 // 3]  # the connection broke in the middle of the record
        lines.append(line + "\n")
    path.write_bytes("".join(lines).encode())


WRITE = {S4HANA: _write_csv, COUPA: _write_xlsx, CONCUR: _write_ndjson}
