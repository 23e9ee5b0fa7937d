"""Owns coded lines as people write them: a form of one line, a pasted table or a file of many; what cannot be read, in words."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from django.utils.dateparse import parse_date

from dimensions.services.coded_lines import NAMED, Line

FIELDS = ("legal_entity", "posting_date", "gl_account", *NAMED[1:], "amount", "currency")
"""What a line may say, besides dimensions of the group's own."""
MOST = 1000
MOST_BYTES = 2 << 20
_LONGEST = 100


class Unreadable(Exception):
    """What was pasted is no table of lines; the text says why."""


@dataclass(frozen=True)
class Typed:
    """A line as it was written, and what of it cannot be read: {field: words}."""

    texts: Mapping[str, str]
    line: Line | None
    errors: Mapping[str, str]


def read(texts: Mapping[str, str], own: Collection[str]) -> Typed:
    """`own`: codes of the group's own dimensions."""
    errors: dict[str, str] = {}
    for name in ("legal_entity", "gl_account"):
        if not texts.get(name):
            errors[name] = "This field is needed."
    for name, text in texts.items():
        if len(text) > _LONGEST or "\x00" in text:
            errors[name] = f"A code has at most {_LONGEST} characters."
    on = _day(texts.get("posting_date", ""))
    if on is None:
        errors["posting_date"] = "Write a day as 2026-01-31."
    amount = _amount(texts.get("amount", ""))
    if amount is None and texts.get("amount"):
        errors["amount"] = "Write an amount as 1234.50."
    currency = texts.get("currency", "").upper()
    if currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        errors["currency"] = "Write a currency as EUR."
    if errors or on is None:
        return Typed(texts, None, errors)
    center, profit, project, tax, supplier = (texts.get(name) or None for name in NAMED[1:])
    values = {code: texts[code] for code in own if texts.get(code)}
    named = (texts["legal_entity"], center, profit, project, tax, supplier)
    line = Line(*named, on, texts["gl_account"], amount, currency or None, values)
    return Typed(texts, line, errors)


def _day(text: str) -> date | None:
    try:
        return parse_date(text.strip())
    except ValueError:
        return None


def _amount(text: str) -> Decimal | None:
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < 10**14 else None


def table(text: str, own: Collection[str], otherwise: Mapping[str, str]) -> list[Typed]:
    """A table with headings, as spreadsheets copy it or write it as CSV. `otherwise`: what holds where a line says nothing
    of its own (company, posting date). Raises Unreadable."""
    text = text.lstrip("\ufeff").strip()
    if not text:
        raise Unreadable("Paste a table, or choose a file: a line of headings, then a line for each booking.")
    rows = list(csv.reader(io.StringIO(text), delimiter=_delimiter(text.splitlines()[0])))
    headings = [" ".join(cell.split()).lower().replace(" ", "_") for cell in rows[0]]
    names = _names(headings, rows[0], own)
    lines = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    if not lines:
        raise Unreadable("There are headings and no line below them.")
    if len(lines) > MOST:
        raise Unreadable(f"These are {len(lines):,} lines; {MOST:,} are checked at once.")
    found = []
    for row in lines:
        said = {name: cell.strip() for name, cell in zip(names, row, strict=False) if name and cell.strip()}
        found.append(read({**otherwise, **said}, own))
    return found


def _delimiter(heading: str) -> str:
    return max("\t;,", key=heading.count)


def _names(headings: Sequence[str], written: Sequence[str], own: Collection[str]) -> list[str]:
    codes = {code.lower().replace(" ", "_"): code for code in own}
    names = []
    for heading, cell in zip(headings, written, strict=True):
        name = heading if heading in FIELDS else codes.get(heading.removeprefix("dimensions/"), "")
        if not name and heading:
            known = ", ".join((*FIELDS, *sorted(own)))
            raise Unreadable(f"There is no column “{cell.strip()}” in a coding. There is {known}.")
        if name and name in names:
            raise Unreadable(f"The column {name} is there twice.")
        names.append(name)
    if "gl_account" not in names:
        raise Unreadable("A column gl_account is needed: the first line holds the headings.")
    return names
