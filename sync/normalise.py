"""Owns when two values are the same thing written differently: the normalisers `compare:` may name.

Empty forms are always equal: null, "", blanks, an empty list.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_ODATA_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d+)?\)/$")
_FOREVER = {"9999-12-31", "0000-00-00", "0001-01-01"}
_MASK = re.compile(r"[*•…xX#]{2,}|…")


def same(ours: Any, theirs: Any, names: Iterable[str] = ()) -> bool:
    """Are these two the same, after every named normaliser?"""
    names = tuple(names)
    if "masked" in names and is_masked(theirs):
        return _same_masked(_text(ours), _text(theirs))
    return canonical(ours, names) == canonical(theirs, names)


def canonical(value: Any, names: Iterable[str] = ()) -> Any:
    """The form in which values are compared; "" for everything that means nothing."""
    if is_empty(value):
        return ""
    for name in names:
        if name != "masked":
            value = NORMALISERS[name](value)
    if is_empty(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    return unicodedata.normalize("NFC", _text(value)).strip()


def is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value in ([], (), {})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _leading_zeros(value: Any) -> str:
    text = _text(value).strip()
    return (text.lstrip("0") or "0") if text.isdigit() else text


def _spaces(value: Any) -> str:
    return " ".join(_text(value).split())


def _squeeze(value: Any) -> str:
    return "".join(_text(value).split())


def _case(value: Any) -> str:
    return _text(value).casefold()


def _alphanumeric(value: Any) -> str:
    return re.sub(r"[^0-9A-Z]", "", _text(value).upper())


def _date(value: Any) -> str:
    """The day, from an ISO date or time stamp, `/Date(ms)/` or a date; "" for dates that mean for ever."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = _text(value).strip()
    if found := _ODATA_DATE.match(text):
        seconds = int(found[1]) / 1000
        try:
            text = datetime.fromtimestamp(seconds, UTC).date().isoformat()
        except (OverflowError, ValueError, OSError):
            return ""
    day = text[:10].replace("/", "-")
    return "" if day in _FOREVER else day


def _decimal(value: Any) -> str:
    """`10`, `10.0` and `"10.000"` are one number."""
    try:
        number = Decimal(_text(value).strip())
    except InvalidOperation:
        return _text(value)
    return format(number.normalize(), "f") if number.is_finite() else _text(value)


def _bool(value: Any) -> str:
    text = _text(value).strip().lower()
    return "true" if text in {"true", "x", "1", "yes", "y"} else ""


def _phone(value: Any) -> str:
    text = re.sub(r"[^\d+]", "", _text(value))
    return "+" + text[2:] if text.startswith("00") else text


def _url(value: Any) -> str:
    return re.sub(r"^https?://", "", _text(value).strip().lower()).rstrip("/")


def _punctuation(value: Any) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", _text(value)).split())


def _unordered(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, (list, tuple)) else value


def is_masked(value: Any) -> bool:
    """Only part of it is shown: `****3000`, `DE89…3000`."""
    return isinstance(value, str) and bool(_MASK.search(value))


def _same_masked(ours: str, theirs: str) -> bool:
    """A platform that shows `****3000` holds ours when everything it shows fits."""
    plain, parts = _alphanumeric(ours), _MASK.split(theirs)
    first, last = _alphanumeric(parts[0]), _alphanumeric(parts[-1])
    return bool(first or last) and plain.startswith(first) and plain.endswith(last)


NORMALISERS: dict[str, Callable[[Any], Any]] = {
    "leading_zeros": _leading_zeros,
    "spaces": _spaces,
    "squeeze": _squeeze,
    "name_parts": _squeeze,  # wherever a name was cut into parts
    "case": _case,
    "iban": _alphanumeric,
    "identifier": _alphanumeric,  # tax numbers, with or without dots and dashes
    "date": _date,
    "decimal": _decimal,
    "bool": _bool,
    "phone": _phone,
    "url": _url,
    "punctuation": _punctuation,
    "unordered": _unordered,
    "empty_is_null": lambda value: value,  # always so; may be named to say it
    "masked": lambda value: value,  # handled in `same`
}
