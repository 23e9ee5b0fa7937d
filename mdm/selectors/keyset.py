"""Keyset paging for lists people browse: a page costs the same wherever it is, nothing is counted, nothing shifts.

A cursor holds the values of the row at the edge of a page, sealed, because a list may be sorted by something its
address should not tell.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Q, QuerySet

from mdm import crypto


class BadCursor(ValueError):
    """This cursor is none of this list and ordering: start again without it."""


@dataclass(frozen=True)
class Slice:
    """One page; `next` and `previous` are cursors, "" at the ends."""

    rows: list[Any]
    next: str = ""
    previous: str = ""


def cut(
    rows: QuerySet[Any],
    *,
    order: Sequence[str] = (),
    size: int,
    cursor: str = "",
    falling: bool = False,
    key: str = "pk",
    strict: bool = False,
) -> Slice:
    """The page the cursor points at, ordered by `order` and then by `key`, which is unique (`falling`: newest first).

    A cursor of another list starts afresh, or raises BadCursor where the caller is `strict`.
    """
    names = (*order, f"-{key}" if falling or (order and order[0].startswith("-")) else key)
    values, back = _decode(cursor, names) if cursor else (None, False)
    if cursor and values is None and strict:
        raise BadCursor
    found = rows if values is None else _beyond(rows, names, values, back)
    page = list(found.order_by(*(_flip(name) if back else name for name in names))[: size + 1])
    more = len(page) > size
    page = page[:size]
    if back:
        page.reverse()
    has_next, has_previous = (True, more) if back else (more, values is not None)
    return Slice(
        page,
        _encode(names, page[-1], back=False) if has_next and page else "",
        _encode(names, page[0], back=True) if has_previous and page else "",
    )


def _flip(name: str) -> str:
    return name.removeprefix("-") if name.startswith("-") else f"-{name}"


def _encode(names: Sequence[str], row: Any, *, back: bool) -> str:
    plain = [name.lstrip("-") for name in names]
    values = [row[name] if isinstance(row, dict) else getattr(row, name) for name in plain]
    # Times with all their digits: Django's encoder keeps milliseconds only, and rows would come twice.
    values = [value.isoformat() if hasattr(value, "isoformat") else value for value in values]
    raw = json.dumps([names, values, back], default=str, separators=(",", ":"))
    return base64.urlsafe_b64encode(crypto.seal_bytes(raw.encode())).decode().rstrip("=")


def _decode(text: str, names: Sequence[str]) -> tuple[list[Any] | None, bool]:
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        order, values, back = json.loads(crypto.open_bytes(sealed))
    except (ValueError, TypeError, InvalidTag, crypto.UnknownKey):
        return None, False
    return (values, bool(back)) if tuple(order) == tuple(names) else (None, False)


def _beyond(rows: QuerySet[Any], names: Sequence[str], values: Sequence[Any], back: bool) -> QuerySet[Any]:
    """Rows strictly after the cursor. PostgreSQL sorts NULL as the largest value, and so do we."""
    condition, equal = Q(pk__in=[]), Q()
    for name, value in zip(names, values, strict=True):
        column, falling = name.lstrip("-"), name.startswith("-") != back
        if value is None:
            after = Q(**{f"{column}__isnull": False}) if falling else Q(pk__in=[])
        elif falling:
            after = Q(**{f"{column}__lt": value})
        else:
            after = Q(**{f"{column}__gt": value}) | (
                Q(**{f"{column}__isnull": True}) if _null(rows, column) else Q(pk__in=[])
            )
        condition |= equal & after
        equal &= Q(**{f"{column}__isnull": True}) if value is None else Q(**{column: value})
    return rows.filter(condition, _bound(rows, names[0], values[0], back))


def _bound(rows: QuerySet[Any], name: str, value: Any, back: bool) -> Q:
    """Says of the first column alone what the whole condition implies: only then is its index walked from there."""
    column = name.lstrip("-")
    if value is None or _null(rows, column):
        return Q()
    return Q(**{f"{column}__lte" if name.startswith("-") != back else f"{column}__gte": value})


def _null(rows: QuerySet[Any], column: str) -> bool:
    """Whether the column may be empty; keys never are, and an annotation may."""
    if column == "pk":
        return False
    try:
        return bool(getattr(rows.model._meta.get_field(column), "null", True))
    except FieldDoesNotExist:
        return True
