"""Files for the reading tests: made on the fly, some of them on purpose wrong."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence

from openpyxl import Workbook

from mdm.reading.rows import Limits, Row
from mdm.reading.tables import Reader, read


class Trickle:
    """A source that gives at most a few bytes at a time and can neither seek nor tell."""

    def __init__(self, content: bytes, most: int = 7) -> None:
        self._file, self._most = io.BytesIO(content), most

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._most))


class Generated:
    """A source whose bytes are made while they are read: nothing of it has to be in memory."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held = pieces, b""

    def read(self, size: int, /) -> bytes:
        while len(self._held) < size and (piece := next(self._pieces, b"")):
            self._held += piece
        taken, self._held = self._held[:size], self._held[size:]
        return taken


def rows_of(content: bytes, limits: Limits | None = None) -> tuple[Reader, list[Row]]:
    with read(io.BytesIO(content), limits=limits) as reader:
        return reader, list(reader)


def csv_text(rows: Sequence[Sequence[str]], delimiter: str = ";") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def workbook(rows: Sequence[Sequence[object]]) -> bytes:
    book = Workbook(write_only=True)
    page = book.create_sheet()
    for row in rows:
        page.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """The workbook with one of its parts replaced, or added."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            if info.filename != name:
                target.writestr(info.filename, source.read(info.filename))
        target.writestr(name, part)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
SHEET_START = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
SHEET_END = "</sheetData></worksheet>"


def sheet(body: str) -> bytes:
    """A workbook whose only sheet has exactly these rows of XML."""
    return with_part(workbook([["unused"]]), SHEET, (SHEET_START + body + SHEET_END).encode())
