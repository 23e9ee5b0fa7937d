"""Rows of a delimited text (CSV). A row whose quotation marks are wrong costs that row, not the rest of the
file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mdm.reading.cells import unguard
from mdm.reading.rows import MARK, Limits, Record, bad_encoding, clip, row_too_long
from mdm.types import Problem

_LINE_END = re.compile(r"\r\n|\r|\n")
_BUNDLE = 1_000  # lines of one record put together, so that many short ones take no more memory than their text


class BadQuotes(Exception):
    """A quotation mark opens and never closes, or closes within the text."""


class Lines:
    """Physical lines with their ends. One longer than `limit` is given cut, longer than `limit`, and never
    kept whole.
    """

    def __init__(self, texts: Iterable[str], limit: int) -> None:
        self.limit = limit
        self._lines = self._split(texts)
        self._back: list[Iterator[str]] = []

    def next(self) -> str | None:
        while self._back:
            line = next(self._back[-1], None)
            if line is not None:
                return line
            self._back.pop()
        return next(self._lines, None)

    def give_back(self, texts: list[str]) -> None:
        """Whole lines, to be given again before the others."""
        self._back.append(self._split(texts))

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

    def __init__(self, delimiter: str, limit: int) -> None:
        self.delimiter = delimiter
        self.limit = limit
        self.cells: list[str] = []
        self._open: list[str] | None = None
        self._size = 0

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
                self._open, self._size = [], 0
                position += 1
            end = line.find('"', position)
            if end < 0:
                self._keep(line[position:])
                return False
            self._keep(line[position:end])
            position = end + 1
            if line.startswith('"', position):
                self._keep('"')
                position += 1
                continue
            position = self._close(line, position)
            if position < 0:
                return True

    def _keep(self, text: str) -> None:
        """No more than it takes to see that the cell is too long."""
        if self._open is not None and self._size <= self.limit:
            self._open.append(text[: self.limit + 1 - self._size])
            self._size += len(text)

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


def records(lines: Lines, delimiter: str, limits: Limits) -> Iterator[Record]:
    """Every record of the text, empty ones too; bad ones with their problem and their text as received."""
    number = 0
    while (line := lines.next()) is not None:
        number += 1
        if len(line) > lines.limit:
            yield Record(number, [], row_too_long(lines.limit), clip(line))
        elif '"' not in line:
            record = Record(number, line.rstrip("\r\n").split(delimiter), None, line)
            _inspect(record)
            yield record
        else:
            try:
                record, count = _record(number, line, lines, delimiter, limits)
            except BadQuotes:
                record, count = Record(number, [], _bad_quotes(), clip(line.rstrip("\r\n"))), 1
            yield record
            number += count - 1


def _record(number: int, line: str, lines: Lines, delimiter: str, limits: Limits) -> tuple[Record, int]:
    """The record that begins here and its number of lines. One that cannot be closed gives back all but its
    first.
    """
    scan, later, bundle = _Quoted(delimiter, limits.cell), [], []
    size, count = len(line), 1
    try:
        done = scan.feed(line)
        while not done:
            more = lines.next()
            if more is None:
                raise BadQuotes
            bundle.append(more)
            if len(bundle) >= _BUNDLE:
                later.append("".join(bundle))
                bundle = []
            size, count = size + len(more), count + 1
            if size > lines.limit:
                raise BadQuotes
            done = scan.feed(more)
    except BadQuotes:
        lines.give_back([*later, "".join(bundle)])
        raise
    record = Record(number, scan.cells, None, "".join([line, *later, *bundle]))
    _inspect(record)
    return record, count


def _inspect(record: Record) -> None:
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
