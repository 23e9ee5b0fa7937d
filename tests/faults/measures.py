"""What tests of bad input measure: everything the hub has stored, memory of its processes, a file that explodes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from django.apps import apps
from openpyxl import Workbook

MIB = 1 << 20
_BEATS = {"Heartbeat", "DispatchCursor", "DriftObservation"}  # signs of life, no data


def everything() -> dict[str, int]:
    """How many rows every table of the hub has: what a refused call must leave as it is."""
    models = [
        m for label in ("mdm", "suppliers", "dimensions", "sync") for m in apps.get_app_config(label).get_models()
    ]
    return {model.__name__: model._default_manager.count() for model in models if model.__name__ not in _BEATS}


def zip_bomb() -> bytes:
    """A workbook of a megabyte whose sheet unpacks to a gigabyte."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", '<?xml version="1.0"?><Types xmlns='
                         '"http://schemas.openxmlformats.org/package/2006/content-types"/>')  # fmt: skip
        archive.writestr(
            "xl/workbook.xml",
            '<?xml version="1.0"?><workbook><sheets><sheet name="S" sheetId="1"/></sheets></workbook>',
        )
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(b'<?xml version="1.0"?><worksheet><sheetData><row r="1"><c t="inlineStr"><is><t>')
            for _ in range(1024):
                sheet.write(b"A" * MIB)
    return stream.getvalue()


def workbook(rows: Sequence[Sequence[str]]) -> bytes:
    """A workbook with cells as large as they are: spreadsheet programs would cut them."""
    plain, full = io.BytesIO(), io.BytesIO()
    book = Workbook()
    for row in rows:
        book.active.append([f"cell-{hash(value)}" for value in row])
    book.save(plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(full, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            text = source.read(name).decode()
            for value in {value for row in rows for value in row}:
                text = text.replace(f"cell-{hash(value)}<", f"{value}<")
            target.writestr(name, text)
    return full.getvalue()


def rss(pid: int | None) -> int:
    """Resident memory of a process and its children, in bytes; 0 where the system does not tell."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*") if Path("/proc/self/stat").exists() else ():
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if str(pid) in (folder.name, parent):
                total += int((folder / "statm").read_text().split()[1]) * 4096
        except OSError:
            continue
    return total
