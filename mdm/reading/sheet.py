"""Cells of one worksheet as rows of text, read in one pass: no row, no text and no position is taken at its
word.

Own reading instead of a spreadsheet library's, because those build the whole text of a cell and every row a
file claims to have before anyone can look at it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from mdm.reading.archive import Attributes, Events, parse
from mdm.reading.cells import unguard
from mdm.reading.rows import Limits, Record
from mdm.reading.workbook import Sheet, Workbook, plain_number, unescape
from mdm.types import Problem

_LAST_ROW = 1_048_576


def records(book: Workbook, sheet: Sheet) -> Iterator[Record]:
    """Rows that have a cell, in the order of the file. `line` is the row number the spreadsheet shows."""
    cells = _Cells(book)
    for _ in parse(book.archive, sheet.part, cells):
        while cells.rows:
            yield cells.rows.popleft()


class _Cells(Events):
    def __init__(self, book: Workbook) -> None:
        self.rows: deque[Record] = deque()
        self._book = book
        self._limits: Limits = book.limits
        self._line = 0
        self._row: list[str] = []
        self._problem: Problem | None = None
        self._column = 0
        self._kind = self._style = ""
        self._pieces: list[str] = []
        self._size = 0
        self._reading = self._phonetic = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
            place = attributes.get("r")
            self._column = column_number(place) if place else self._column + 1
            self._pieces, self._size = [], 0
        elif name == "v" or name == "t":
            self._reading = not self._phonetic
        elif name == "row":
            claimed = attributes.get("r", "")
            line = int(claimed) if claimed.isascii() and claimed.isdigit() and len(claimed) < 9 else 0
            self._line = line if self._line < line <= _LAST_ROW else self._line + 1
            self._row, self._problem, self._column = [], None, 0
        elif name == "rPh":
            self._phonetic = True

    def text(self, text: str) -> None:
        if self._reading and self._size <= self._limits.cell:  # one character over the limit is enough to see it
            text = text[: self._limits.cell + 1 - self._size]
            self._pieces.append(text)
            self._size += len(text)

    def end(self, name: str) -> None:
        if name == "v" or name == "t":
            self._reading = False
        elif name == "c":
            if self._pieces:
                self._place(self._value("".join(self._pieces)))
        elif name == "row":
            if self._row or self._problem:
                self.rows.append(Record(self._line, self._row, self._problem))
        elif name == "rPh":
            self._phonetic = False
        elif name == "sheetData":
            self.done = True

    def _place(self, value: str) -> None:
        if not value:
            return
        if not 0 < self._column <= self._limits.columns + 1:
            self._column = self._limits.columns + 1  # beyond what any heading can name: enough to see it
        missing = self._column - len(self._row)
        if missing > 0:
            self._row.extend([""] * missing)
        self._row[self._column - 1] = value

    def _value(self, raw: str) -> str:
        kind = self._kind
        if kind == "s":
            try:
                return unguard(self._book.texts[int(raw)])
            except (ValueError, IndexError):
                self._problem = Problem("", "cell_error", "A cell refers to a text this workbook does not have.")
                return ""
        if kind == "n":
            style = self._style
            render = (
                self._book.formats[int(style)]
                if style.isascii() and style.isdigit() and len(style) < 6 and int(style) < len(self._book.formats)
                else plain_number
            )
            return render(raw) if len(raw) < 400 else raw
        if kind == "b":
            return "true" if raw.strip() in ("1", "true") else "false"
        if kind == "e":
            self._problem = Problem(
                "",
                "cell_error",
                f"A cell shows the error {raw[:20]}. Repair its formula and save the file again.",
            )
            return raw
        if kind == "d":
            return raw.removesuffix("T00:00:00").removesuffix("T00:00:00Z")
        return unguard(unescape(raw))


def column_number(place: str) -> int:
    """`C7` → 3; 0 when it is no place of a cell."""
    number = 0
    for char in place[:4]:
        if not "A" <= char <= "Z":
            break
        number = number * 26 + ord(char) - 64
    return number
