"""Text of a cell to a value of the field's type, the ways people and platforms write it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

TRUE = frozenset(("x", "yes", "y", "true", "1", "ja", "j", "oui", "o", "si", "sí", "sim", "on", "wahr", "t"))
FALSE = frozenset(("", "-", "no", "n", "false", "0", "nein", "non", "nao", "não", "off", "falsch", "f"))
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_NO_DAY = frozenset(("00000000", "0000-00-00", "00.00.0000"))
_GROUPED = re.compile(r"-?\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d+)?")


class BadValue(ValueError):
    """The text is not of the field's type; `code` and the message go into the problem."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def to_boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise BadValue("invalid_boolean", "is neither yes nor no (X, yes, true, 1 or empty, no, false, 0).")


def to_integer(text: str) -> int:
    number = to_decimal(text, "invalid_integer")
    if number != number.to_integral_value() or abs(number) > 10**15:
        raise BadValue("invalid_integer", "is not a whole number.")
    return int(number)


def to_decimal(text: str, code: str = "invalid_number") -> Decimal:
    """`1234.5`, `1234,5`, `1 234,5`. A separator that could mean thousands or decimals is not guessed at."""
    plain = text.strip().removesuffix("%").strip()
    if _GROUPED.fullmatch(plain):
        plain = re.sub("[ \u00a0\u202f'’]", "", plain)
    if "," in plain and "." in plain:
        raise BadValue(code, "is not a plain number: leave out the separators of thousands.")
    try:
        number = Decimal(plain.replace(",", "."))
    except InvalidOperation:
        raise BadValue(code, "is not a number.") from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise BadValue(code, "is not a number.")
    return number


def to_day(text: str) -> str | None:
    """ISO text of a day written 2026-01-31, 20260131 or 31.01.2026; the platforms' zero days are no day."""
    word = text.strip()
    if word in _NO_DAY:
        return None
    if match := (_ISO.fullmatch(word) or _COMPACT.fullmatch(word)):
        parts = match.group(1), match.group(2), match.group(3)
    elif match := _DOTTED.fullmatch(word):
        parts = match.group(3), match.group(2), match.group(1)
    else:
        raise BadValue("invalid_date", "is not a day such as 2026-01-31 or 31.01.2026.")
    try:
        return date(*map(int, parts)).isoformat()
    except ValueError:
        raise BadValue("invalid_date", "is a day no calendar has.") from None


CASTS: dict[type[Any], Callable[[str], Any]] = {
    bool: to_boolean,
    int: to_integer,
    Decimal: lambda text: str(to_decimal(text)),
    date: to_day,
}
