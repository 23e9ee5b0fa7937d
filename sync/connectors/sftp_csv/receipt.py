"""Owns what a receiver answers with: an empty `.ack`, or a `.nak` with one line per error."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from sync.errors import FieldProblem, Refused

ACK, NAK = ".ack", ".nak"
LARGEST = 64 * 1024  # bytes of an answer that are read
_MOST = 50  # errors that are kept


def read_refusal(content: bytes, redact: Callable[[str], str]) -> Refused:
    """`line,column,code,message`, each a line; what has fewer cells is words only."""
    text = content.decode("utf-8", "replace").replace("\0", "")
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    problems = tuple(_problem(row, redact) for row in rows[:_MOST])
    words = " ".join(dict.fromkeys(problem.message for problem in problems)) or "The receiver gave no reason."
    return Refused(words[:2000], problems=problems)


def _problem(row: list[str], redact: Callable[[str], str]) -> FieldProblem:
    cells = [redact(cell.strip()) for cell in row]
    if len(cells) < 4:
        return FieldProblem("", "refused", ", ".join(cells))
    return FieldProblem(cells[1], cells[2] or "refused", ", ".join(cells[3:]))
