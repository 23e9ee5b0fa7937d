"""`read`: any supported file as a stream of rows under its headings. The one door of this package for
reading.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import chain
from typing import BinaryIO

from mdm.reading import delimited
from mdm.reading.archive import open_archive
from mdm.reading.decoding import Decoder, bounded, identify
from mdm.reading.delimited import Lines
from mdm.reading.json_lines import JsonRows
from mdm.reading.refusals import refuse
from mdm.reading.rows import (
    CELL_KEPT,
    MIB,
    DocumentRow,
    Limits,
    Record,
    Row,
    Source,
    Spool,
    cell_too_long,
    clip,
)
from mdm.reading.sniff import Format
from mdm.types import Problem

_SAMPLE_ROWS = 200  # JSON lines looked at for the names of columns
_SAMPLE_TEXT = MIB
_HEADING = 200


def in_memory_first() -> AbstractContextManager[BinaryIO]:
    """A temporary file that touches the disk only when it is large, and is never reachable by a name."""
    return tempfile.SpooledTemporaryFile(max_size=8 * MIB)  # type: ignore[return-value]


class Reader:
    """One pass over the rows of a file. Use it with `with`, or close it: temporary files go with it.

    `encoding` is final when the rows have been read: a file may turn out not to be UTF-8 late. `skipped`
    counts empty rows so far; `columns` of JSON lines are those of its first rows.
    """

    def __init__(self, format: Format, closing: ExitStack, *, delimiter: str = "", sheet: str = "") -> None:
        self.format = format
        self.delimiter = delimiter
        self.sheet = sheet
        self.columns: tuple[str, ...] = ()
        self.skipped = 0
        self._closing = closing
        self._decoder: Decoder | None = None
        self._rows: Iterator[Row] = iter(())

    @property
    def encoding(self) -> str:
        return self._decoder.encoding if self._decoder else ""

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closing.close()


def read(source: Source, *, limits: Limits | None = None, spool: Spool = in_memory_first) -> Reader:
    """Recognises the file and stands before its first row. CorrectInput or TooLarge say why a file is
    refused whole.
    """
    limits = limits or Limits()
    found, head = identify(source)
    closing = ExitStack()
    try:
        if found.format == "xlsx":
            return _workbook(bounded(source, head, limits), limits, spool, closing)
        decoder = Decoder(source, found, head, limits)
        lines = Lines(decoder, limits.row)
        if found.format == "ndjson":
            return _json_lines(decoder, lines, limits, closing)
        reader = Reader("csv", closing, delimiter=found.delimiter)
        reader._decoder = decoder
        for _ in range(found.headless_lines):
            lines.next()
        _begin(reader, delimited.records(lines, found.delimiter, limits), limits)
        return reader
    except BaseException:
        closing.close()
        raise


def read_documents(source: Source, *, limits: Limits | None = None) -> Iterator[DocumentRow]:
    """A bulk call's body: JSON lines that are documents already, nested as they are."""
    limits = limits or Limits()
    found, head = identify(source)
    if found.format != "ndjson":
        raise refuse("json_not_lines")
    return JsonRows(Lines(Decoder(source, found, head, limits), limits.row), limits).documents()


def _workbook(pieces: Iterator[bytes], limits: Limits, spool: Spool, closing: ExitStack) -> Reader:
    from mdm.reading import sheet, workbook  # what they stand on takes a tenth of a second, and few processes need it

    file = closing.enter_context(spool())
    for piece in pieces:
        file.write(piece)
    archive = closing.enter_context(open_archive(file, limits))
    book = workbook.open_workbook(archive, closing.enter_context(spool()), limits)
    for candidate in book.sheets:
        records = sheet.records(book, candidate)
        first = next(records, None)
        if first is not None:
            reader = Reader("xlsx", closing, sheet=candidate.name)
            _begin(reader, chain([first], records), limits)
            return reader
    raise refuse("no_headings")


def _json_lines(decoder: Decoder, lines: Lines, limits: Limits, closing: ExitStack) -> Reader:
    reader = Reader("ndjson", closing)
    reader._decoder = decoder
    source = JsonRows(lines, limits)
    rows = source.rows()
    sample: list[Row] = []
    size = 0
    while len(sample) < _SAMPLE_ROWS and size < _SAMPLE_TEXT and (row := next(rows, None)):
        sample.append(row)
        size += sum(map(len, row.values.values())) + len(row.raw)
    reader.columns = tuple(dict.fromkeys(name for row in sample if not row.problem for name in row.values))

    def counted() -> Iterator[Row]:
        for row in chain(sample, rows):
            reader.skipped = source.skipped
            yield row
        reader.skipped = source.skipped

    reader._rows = counted()
    return reader


def _begin(reader: Reader, records: Iterator[Record], limits: Limits) -> None:
    """Takes the headings, and looks at the first row: a table without rows is refused, not imported as
    nothing.
    """
    heading = next((record for record in records if not _empty(record)), None)
    if heading is None:
        raise refuse("no_headings")
    if heading.problem:
        raise refuse("unreadable_headings", why=heading.problem.message)
    reader.columns = _headings(heading.cells, limits)
    rows = _rows(reader, records, len(heading.cells), limits)
    first = next(rows, None)
    if first is None:
        raise refuse("no_rows")
    reader._rows = chain([first], rows)


def _headings(cells: list[str], limits: Limits) -> tuple[str, ...]:
    if len(cells) > limits.columns:
        raise refuse("too_many_columns", limit=limits.columns)
    names: list[str] = []
    while cells and not cells[-1].strip():  # delimiters after the last heading
        cells = cells[:-1]
    for place, cell in enumerate(cells, 1):
        name = " ".join(cell.lstrip("\ufeff").split()) or f"(column {place})"
        if len(name) > _HEADING:
            raise refuse("heading_too_long")
        if name in names:
            raise refuse("duplicate_column", name=name)
        names.append(name)
    return tuple(names)


def _empty(record: Record) -> bool:
    return not record.problem and not any(cell.strip() for cell in record.cells)


def _rows(reader: Reader, records: Iterator[Record], most: int, limits: Limits) -> Iterator[Row]:
    """`most`: cells of the row of headings; empty ones at its end may stand in the rows too."""
    columns, width, limit = reader.columns, len(reader.columns), limits.cell
    sheet = reader.format == "xlsx"
    number = 0
    for record in records:
        cells = record.cells
        if not (cells and cells[0].strip()) and _empty(record):
            reader.skipped += 1
            continue
        number += 1
        if sheet and len(cells) < width:  # a workbook leaves out empty cells
            cells += [""] * (width - len(cells))
        if len(cells) == width and not record.problem and max(map(len, cells)) <= limit:
            yield Row(number, dict(zip(columns, cells, strict=True)), None, record.line)
        else:
            yield _judge(number, record, columns, most, limits)


def _judge(number: int, record: Record, columns: tuple[str, ...], most: int, limits: Limits) -> Row:
    """A row that is not as it should be: what is wrong, and what could be read all the same.

    One cell too many is a problem even when the last cell is empty: the delimiter within a text has moved
    them all.
    """
    cells, width = record.cells, len(columns)
    if width < len(cells) <= most and not any(cell.strip() for cell in cells[width:]):
        del cells[width:]
    problem = record.problem
    if not problem and len(cells) != width:
        code = "too_few_columns" if len(cells) < width else "too_many_columns"
        why = "A delimiter or line break inside a text that is not in quotation marks is the usual reason."
        problem = Problem("", code, f"This row has {len(cells)} cells under {width} headings. {why}")
    names = [*columns, *(f"(column {place})" for place in range(width + 1, min(len(cells), width + 50) + 1))]
    values = dict(zip(names, cells, strict=False))
    long = next((name for name, cell in values.items() if len(cell) > limits.cell), None)
    if long is not None and not problem:
        problem = cell_too_long(long, limits.cell)
    if problem is None:
        return Row(number, values, None, record.line)
    raw = clip(record.raw.rstrip("\r\n") or "\t".join(cells))
    values = {name: clip(cell, CELL_KEPT if len(cell) > limits.cell else limits.cell) for name, cell in values.items()}
    return Row(number, values, problem, record.line, raw)
