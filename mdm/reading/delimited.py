"""Rows of a delimited text (CSV). A row whose quotation marks are wrong costs that row, not the rest of the
file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mdm.reading.cells import unguard
from mdm.reading.rows import MARK, Record, bad_encoding, clip, row_too_long
from mdm.types import Problem

_LINE_END = re.compile(r"\r\n|\r|\n")
_MOST_LINES = 200_000  # lines of one record: what an open quotation mark may keep in memory


class BadQuotes(Exception):
    """A quotation mark opens and never closes, or closes within the text."""


class Lines:
    """Physical lines with their ends. One longer than `limit` is given cut, longer than `limit`, and never
    kept whole.
    """

    def __init__(self, texts: Iterable[str], limit: int) -> None:
        self.limit = limit
        self._lines = self._split(texts)
        self._back: list[str] = []

    def next(self) -> str | None:
        return self._back.pop() if self._back else next(self._lines, None)

    def give_back(self, lines: list[str]) -> None:
        self._back.extend(reversed(lines))

    def _split(self, texts: Iterable[str]) -> Iterator[str]:
        held: list[str] = []
        size, carry = 0, ""
        for text in texts:
            text = carry + text
            carry = "\r" if text.endswith("\r") else ""  # its \n may stand in the next piece
            stop, start = len(text) - len(carry), 0
            for match in _LINE_END.finditer(text, 0, stop):
                line, start = text[start : match.end()], match.end()
                if held:
                    line = "".join(held) + line[: max(0, self.limit + 1 - size)]
                    held, size = [], 0
                yield line
            if start < stop:
                if size <= self.limit:
                    held.append(text[start : min(stop, start + self.limit + 1 - size)])
                size += stop - start
        if held or carry:
            yield "".join(held) + carry


class _Quoted:
    """One record, fed with physical lines until its quotation marks are closed."""

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter
        self.cells: list[str] = []
        self._open: list[str] | None = None

    def feed(self, line: str) -> bool:
        """True when the record is complete."""
        position = 0
        while True:
            if self._open is None:
                if not line.startswith('"', position):
                    end = line.find(self.delimiter, position)
                    if end < 0:
                        self.cells.append(line[position:].rstrip("\r\n"))
                        return True
                    self.cells.append(line[position:end])
                    position = end + 1
                    continue
                self._open = []
                position += 1
            end = line.find('"', position)
            if end < 0:
                self._open.append(line[position:])
                return False
            self._open.append(line[position:end])
            position = end + 1
            if line.startswith('"', position):
                self._open.append('"')
                position += 1
                continue
            position = self._close(line, position)
            if position < 0:
                return True

    def _close(self, line: str, position: int) -> int:
        """Where the next cell begins, -1 at the end of the record."""
        self.cells.append("".join(self._open or ()))
        self._open = None
        while line.startswith(" ", position):
            position += 1
        if line.startswith(self.delimiter, position):
            return position + 1
        if line[position : position + 3] in ("", "\n", "\r\n", "\r"):
            return -1
        raise BadQuotes


def records(lines: Lines, delimiter: str) -> Iterator[Record]:
    """Every record of the text, empty ones too; bad ones with their problem and their text as received."""
    number = 0
    while (line := lines.next()) is not None:
        number += 1
        if len(line) > lines.limit:
            yield Record(number, [], row_too_long(lines.limit), clip(line))
            continue
        taken = [line]
        if '"' in line:
            try:
                cells, taken = _record(line, lines, delimiter)
            except BadQuotes:
                yield Record(number, [], _bad_quotes(), clip(line.rstrip("\r\n")))
                continue
        else:
            cells = line.rstrip("\r\n").split(delimiter)
        record = Record(number, cells)
        _inspect(record, taken)
        yield record
        number += len(taken) - 1


def _record(line: str, lines: Lines, delimiter: str) -> tuple[list[str], list[str]]:
    """Cells and the physical lines they took. A record that cannot be closed gives all lines but its first
    back.
    """
    scan, taken, size = _Quoted(delimiter), [line], len(line)
    try:
        done = scan.feed(line)
        while not done:
            more = lines.next()
            if more is None:
                raise BadQuotes
            taken.append(more)
            size += len(more)
            if size > lines.limit or len(taken) > _MOST_LINES:
                raise BadQuotes
            done = scan.feed(more)
    except BadQuotes:
        lines.give_back(taken[1:])
        raise
    return scan.cells, taken


def _inspect(record: Record, taken: list[str]) -> None:
    record.raw = taken[0] if len(taken) == 1 else "".join(taken)
    if "'" in record.raw:
        record.cells = [unguard(cell) for cell in record.cells]
    if MARK in record.raw:
        record.problem = bad_encoding()


def _bad_quotes() -> Problem:
    return Problem(
        "",
        "bad_quotes",
        "A quotation mark in this row opens and is not closed, or closes in the middle of the text. "
        'Remove it, or double it ("") inside quoted text.',
    )
