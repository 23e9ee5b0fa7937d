"""Tables for people and machines, streamed: CSV with formulas made harmless, XLSX, NDJSON. Callers mask
bank numbers.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from mdm.reading.cells import guard
from mdm.reading.rows import MIB, PIECE

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NDJSON_TYPE = "application/x-ndjson"

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_EXCEL_CELL = 32_767
_EXCEL_ROWS = 1_048_576

Values = Sequence[Any]


def text_of(value: Any) -> str:
    """How any value of a document reads in a cell; lists of texts are joined."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "; ".join(text_of(item) for item in value)
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def csv_chunks(headings: Sequence[str], rows: Iterable[Values], *, delimiter: str = ",") -> Iterator[bytes]:
    """UTF-8 with a BOM, without which spreadsheets take it for something else; pieces of some 64 KB."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    out.write("\ufeff")
    writer.writerow([guard(heading) for heading in headings])
    for row in rows:
        # A number is no formula, whatever its sign.
        cells = [text_of(value) if isinstance(value, int | float) else guard(text_of(value)) for value in row]
        if len(cells) == 1 and not cells[0]:
            out.write('""\r\n')
        else:
            writer.writerow(cells)
        if out.tell() > PIECE:
            yield out.getvalue().encode("utf-8", "replace")
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode("utf-8", "replace")


def xlsx_chunks(headings: Sequence[str], rows: Iterable[Values], *, title: str = "Export") -> Iterator[bytes]:
    """A workbook has to be finished before its first byte can go: rows pass through a file, not through
    memory.

    Texts are written as texts, so nothing in them can run; more rows than a sheet holds go on in the next
    sheet.
    """
    from openpyxl import Workbook  # a tenth of a second, which few processes need

    book = Workbook(write_only=True)
    sheet = None
    count = 0
    for row in rows:
        if sheet is None or count >= _EXCEL_ROWS - 1:
            sheet, count = _new_sheet(book, headings, title), 0
        sheet.append([_cell(sheet, value) for value in row])
        count += 1
    if sheet is None:
        _new_sheet(book, headings, title)
    with tempfile.SpooledTemporaryFile(max_size=8 * MIB) as file:
        book.save(file)
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def ndjson_chunks(documents: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """One document a line."""
    held: list[str] = []
    size = 0
    for document in documents:
        line = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
        held.append(f"{line}\n")
        size += len(line)
        if size > PIECE:
            yield "".join(held).encode("utf-8", "replace")
            held, size = [], 0
    if held:
        yield "".join(held).encode("utf-8", "replace")


def _new_sheet(book: Any, headings: Sequence[str], title: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # long titles are cut here already
        sheet = book.create_sheet(re.sub(r"[\\/*?:\[\]]", " ", title)[:31].strip("' ") or "Export")
    sheet.freeze_panes = "A2"
    sheet.append([_cell(sheet, heading) for heading in headings])
    return sheet


def _cell(sheet: Any, value: Any) -> Any:
    """Numbers, days and yes/no as such; every text marked as text, so that `=1+1` stays four characters."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 10**15:
        return value
    if isinstance(value, date) and not isinstance(value, datetime) and value.year >= 1900:
        return value
    text = _NOT_XML.sub("\ufffd", text_of(value))[:_EXCEL_CELL]
    if text.startswith("'"):
        text = guard(text)  # reading takes one apostrophe off again
    if not text.startswith(("=", "#")):  # a formula or an error is all the library ever takes a text for
        return text or None
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet)
    cell.value = text
    cell.data_type = "s"
    return cell
