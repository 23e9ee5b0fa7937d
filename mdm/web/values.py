"""How canonical values read: empty, yes and no, lists, dates, and sealed numbers only ever as their mask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from mdm.crypto import is_sealed, mask

EMPTY = "empty"
MINUTE, HOUR, DAY = 60, 3600, 86400
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def is_empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def show(value: Any) -> str:
    """Plain words for any value of a canonical document; never more of a sealed number than its mask."""
    if is_sealed(value):
        return mask(value)
    if is_empty(value):
        return EMPTY
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{day(value)} {value:%H:%M}"
    if isinstance(value, date):
        return day(value)
    if isinstance(value, int | float | Decimal):
        return number(value)
    if isinstance(value, Mapping):
        told = {key: item for key, item in value.items() if key != "uid" and item is not False and not is_empty(item)}
        # Beside other values a bare “yes” says nothing, and what is not so need not be said.
        return ", ".join(str(key).replace("_", " ") if item is True else show(item) for key, item in told.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(show(item) for item in value)
    return day(date.fromisoformat(value)) if isinstance(value, str) and _is_day(value) else str(value)


def _is_day(text: str) -> bool:
    if not _ISO_DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def day(value: date | None) -> str:
    return f"{value.day} {value:%b %Y}" if value else ""


def number(value: int | float | Decimal | None) -> str:
    """1,204.5: thousands apart, no needless decimals."""
    if value is None:
        return ""
    if isinstance(value, float | Decimal):
        text = f"{value:,.2f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return f"{value:,}"


def age(seconds: float, short: bool = False) -> str:
    """Words for how long ago; "in 3 days" for what lies ahead."""
    ahead, size = seconds < 0, abs(seconds)
    if size < MINUTE:
        return "now" if short else "just now"
    for unit, word, brief in ((DAY, "day", "d"), (HOUR, "hour", "h"), (MINUTE, "min", "min")):
        if size >= unit:
            count = int(size // unit)
            words = f"{count} {brief}" if short else f"{count} {word}{'s' * (count > 1 and word != 'min')}"
            return words if short else f"in {words}" if ahead else f"{words} ago"
    return ""
