"""What every reader speaks: the limits it keeps, the rows it gives, and the words for a row that cannot be
read.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from mdm.types import Problem

MIB = 1024 * 1024
RAW_KEPT = 64 * 1024  # characters of a bad row kept as received
CELL_KEPT = 2_000  # characters kept of a cell that is over its limit
PIECE = 64 * 1024  # bytes read at a time

MARK = "\udc80"  # stands for bytes that are not text; no decoder and no file can produce it otherwise


class Source(Protocol):
    """All a reader asks of a file: forward reading."""

    def read(self, size: int, /) -> bytes: ...


class Spool(Protocol):
    """Makes a temporary file that can be written, then read anywhere. The caller decides how it is kept
    secret.
    """

    def __call__(self) -> AbstractContextManager[BinaryIO]: ...


@dataclass(frozen=True)
class Limits:
    """How much of a file is believed. `row` is also how far an open quotation mark is followed."""

    file: int = 512 * MIB  # bytes
    cell: int = 32_768  # characters
    row: int = 16 * MIB  # characters
    columns: int = 1_000
    unpacked: int = 1024 * MIB  # bytes of a workbook once unpacked
    ratio: int = 200  # unpacked to packed, for a workbook that unpacks to more than `ratio_from`
    ratio_from: int = 64 * MIB
    parts: int = 2_000  # files inside a workbook


@dataclass(slots=True)
class Row:
    """A row of the file. `number` counts rows from 1 without headings and empty rows; `line` is where to
    find it.

    With a `problem`, `raw` is the row as received (cut at a limit) and `values` what could still be read of
    it.
    """

    number: int
    values: dict[str, str]
    problem: Problem | None = None
    line: int = 0
    raw: str = ""


@dataclass(slots=True)
class DocumentRow:
    """A line that is itself a document, as bulk calls send it."""

    number: int
    document: dict[str, Any] = field(default_factory=dict)
    problem: Problem | None = None
    line: int = 0
    raw: str = ""


@dataclass(slots=True)
class Record:
    """Cells of one row before they meet the headings."""

    line: int
    cells: list[str]
    problem: Problem | None = None
    raw: str = ""


def clean(text: str) -> str:
    """Undecodable bytes shown as U+FFFD: the text can be stored and shown."""
    return text.replace(MARK, "\ufffd") if MARK in text else text


def clip(text: str, limit: int = RAW_KEPT) -> str:
    """At most `limit` characters, saying so when something was cut: a cut value must never pass for a whole
    one.
    """
    if len(text) <= limit:
        return clean(text)
    return f"{clean(text[:limit])} …[cut here]"


def cell_too_long(path: str, limit: int) -> Problem:
    where = f"A cell of column “{path}”" if path else "A cell"
    return Problem(path, "cell_too_long", f"{where} has more than {limit:,} characters. Shorten it at the source.")


def row_too_long(limit: int) -> Problem:
    return Problem("", "cell_too_long", f"This row has more than {limit:,} characters. Shorten its longest cell.")


def bad_encoding() -> Problem:
    return Problem(
        "",
        "bad_encoding",
        "Some characters could not be read (shown as \ufffd): the row is in another encoding than the file. "
        "Correct them, or export the file again as UTF-8.",
    )
