"""JSON lines: each line one object, flattened to columns with dots (`BankAccount.AccountNumber`), or kept
as a document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mdm.reading.delimited import Lines
from mdm.reading.rows import MARK, DocumentRow, Limits, Row, bad_encoding, cell_too_long, clip, row_too_long
from mdm.types import Problem

_DEEPEST = 20


class BadJson(ValueError):
    """The line is not one JSON object; the message says why, for people."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadJson(f"“{twice[:60]}” stands in it twice.")
    return found


def _constant(name: str) -> Any:
    raise BadJson(f"{name} is not a value.")


_exact = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=str, parse_float=str, parse_constant=_constant)
_plain = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def parse_line(line: str, *, exact: bool = True) -> dict[str, Any]:
    """The object of one line; `exact` keeps numbers as the digits that were sent. BadJson says what is
    wrong.
    """
    try:
        found = (_exact if exact else _plain).decode(line)
    except BadJson:
        raise
    except json.JSONDecodeError as error:
        raise BadJson(f"It breaks at character {error.pos + 1}.") from None
    except RecursionError:
        raise BadJson("It is nested too deeply.") from None
    except ValueError:  # an integer of thousands of digits
        raise BadJson("A number in it is too long.") from None
    if not isinstance(found, dict):
        raise BadJson("It is not an object with names and values ({…}).")
    if "\\ud" in line.lower():
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BadJson("It has half a character (a lone surrogate).") from None
    return found


def flatten(found: dict[str, Any]) -> dict[str, str]:
    """Nested names joined by dots, lists by position from 0; null is empty, booleans are true and false."""
    flat: dict[str, str] = {}
    _flatten(found, "", 0, flat)
    return flat


def _flatten(found: dict[str, Any], prefix: str, depth: int, flat: dict[str, str]) -> None:
    if depth > _DEEPEST:
        raise BadJson("It is nested too deeply.")
    for name, value in found.items():
        if isinstance(value, list):
            value = {str(place): item for place, item in enumerate(value)}
        if isinstance(value, dict):
            _flatten(value, f"{prefix}{name}.", depth + 1, flat)
            continue
        name = prefix + name
        if name in flat:
            raise BadJson(f"“{name[:60]}” stands in it twice.")
        if isinstance(value, str):
            flat[name] = value
        else:
            flat[name] = "" if value is None else "true" if value is True else "false" if value is False else str(value)


class JsonRows:
    """Rows of a file of JSON lines; `skipped` counts empty lines."""

    def __init__(self, lines: Lines, limits: Limits) -> None:
        self.skipped = 0
        self._lines = lines
        self._limits = limits

    def rows(self) -> Iterator[Row]:
        for number, line, text in self._texts():
            yield read_row(text, self._limits, number=number, line=line)

    def documents(self) -> Iterator[DocumentRow]:
        for number, line, text in self._texts():
            problem = _line_problem(text, self._limits)
            document: dict[str, Any] = {}
            if not problem:
                try:
                    document = parse_line(text, exact=False)
                    problem = _long_value(flatten(document), self._limits)
                except BadJson as error:
                    problem = _bad_json(error)
            yield DocumentRow(number, document, problem, line, clip(text) if problem else "")

    def _texts(self) -> Iterator[tuple[int, int, str]]:
        number = line = 0
        while (text := self._lines.next()) is not None:
            line += 1
            text = text.strip()
            if not text:
                self.skipped += 1
                continue
            number += 1
            yield number, line, text


def read_row(text: str, limits: Limits, *, number: int = 0, line: int = 0) -> Row:
    """One line; also for a line that a person has corrected."""
    row = Row(number, {}, _line_problem(text, limits), line)
    if not row.problem:
        try:
            row.values = flatten(parse_line(text))
            row.problem = _long_value(row.values, limits)
        except BadJson as error:
            row.problem = _bad_json(error)
    if row.problem:
        row.values = {name[:200]: clip(value, 2_000) for name, value in list(row.values.items())[: limits.columns]}
        row.raw = clip(text)
    return row


def _line_problem(text: str, limits: Limits) -> Problem | None:
    if len(text) > limits.row:
        return row_too_long(limits.row)
    return bad_encoding() if MARK in text else None


def _long_value(values: dict[str, str], limits: Limits) -> Problem | None:
    if len(values) > limits.columns:
        return Problem("", "too_many_columns", f"This line has more than {limits.columns:,} values.")
    long = next((name for name, value in values.items() if len(value) > limits.cell), None)
    return cell_too_long(long[:200], limits.cell) if long is not None else None


def _bad_json(error: BadJson) -> Problem:
    return Problem("", "bad_json", f"This line is not one JSON object. {error} Correct the line, or export it again.")
