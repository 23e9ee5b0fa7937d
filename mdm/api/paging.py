"""Cursor paging by keyset: a page costs the same wherever it is, and rows added meanwhile shift nothing.

A cursor is sealed (it holds values and internal ids), names its ordering, and is refused when it was tampered with.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cryptography.exceptions import InvalidTag
from django.db.models import Q, QuerySet
from rest_framework.request import Request

from mdm import crypto
from mdm.errors import CorrectInput
from mdm.types import Problem


class InvalidCursor(CorrectInput):
    """Start again without a cursor."""

    code = "invalid_cursor"


@dataclass(frozen=True)
class Cursor:
    order: tuple[str, ...]
    values: tuple[Any, ...]
    back: bool = False


@dataclass
class Slice:
    """One page of rows, with the addresses of its neighbours."""

    rows: list[Any]
    next: str | None
    previous: str | None
    count: int | None = None

    def as_json(self, results: list[Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"results": results, "next": self.next, "previous": self.previous}
        if self.count is not None:
            body["count"] = self.count
        return body


def encode(cursor: Cursor) -> str:
    values = [value.isoformat() if hasattr(value, "isoformat") else value for value in cursor.values]
    raw = json.dumps([cursor.order, values, cursor.back], default=str, separators=(",", ":"))
    return base64.urlsafe_b64encode(crypto.seal_bytes(raw.encode())).decode().rstrip("=")


def decode(text: str, order: Sequence[str]) -> Cursor:
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        names, values, back = json.loads(crypto.open_bytes(sealed))
        cursor = Cursor(tuple(names), tuple(values), bool(back))
    except (ValueError, TypeError, InvalidTag, crypto.UnknownKey):
        cursor = Cursor((), ())
    if cursor.order != tuple(order):
        problem = Problem("cursor", "invalid_cursor", "This cursor is not one of this list, or of this ordering.")
        raise InvalidCursor("This cursor leads nowhere: start again without it.", problems=[problem])
    return cursor


def cut(
    request: Request,
    rows: QuerySet[Any],
    *,
    order: Sequence[str],
    size: int,
    cursor: str | None,
    count: bool = False,
    key: str = "pk",
) -> Slice:
    """The page of `rows` the cursor points at, ordered by `order` and then by `key`, which must be unique."""
    names = (*(name for name in order if name.lstrip("-") != key), key if f"-{key}" not in order else f"-{key}")
    at = decode(cursor, names) if cursor else None
    total = rows.count() if count else None
    found = rows
    if at is not None:
        found = found.filter(_beyond(names, at.values, at.back))
    backwards = at is not None and at.back
    found = found.order_by(*(_flip(name) if backwards else name for name in names))
    page = list(found[: size + 1])
    more = len(page) > size
    page = page[:size]
    if backwards:
        page.reverse()
    has_next, has_previous = (True, more) if backwards else (more, at is not None)
    return Slice(
        page,
        _link(request, names, page[-1:], back=False) if has_next else None,
        _link(request, names, page[:1], back=True) if has_previous else None,
        total,
    )


def _flip(name: str) -> str:
    return name.removeprefix("-") if name.startswith("-") else f"-{name}"


def _beyond(names: Sequence[str], values: Sequence[Any], back: bool) -> Q:
    """Rows strictly after the cursor. PostgreSQL sorts NULL as the largest value, and so do we."""
    condition = Q(pk__in=[])
    equal = Q()
    for name, value in zip(names, values, strict=True):
        column, falling = name.lstrip("-"), name.startswith("-") != back
        after = Q(pk__in=[])
        if value is None:
            after = Q(**{f"{column}__isnull": False}) if falling else after
        elif falling:
            after = Q(**{f"{column}__lt": value})
        else:
            after = Q(**{f"{column}__gt": value}) | Q(**{f"{column}__isnull": True})
        condition |= equal & after
        equal &= Q(**{f"{column}__isnull": True}) if value is None else Q(**{column: value})
    return condition


def _link(request: Request, names: Sequence[str], edge: Sequence[Any], *, back: bool) -> str | None:
    if not edge:
        return None
    cursor = Cursor(tuple(names), tuple(_value(edge[0], name.lstrip("-")) for name in names), back)
    query = [(name, value) for name, value in request.query_params.lists() if name not in ("cursor", "count")]
    flat = [(name, value) for name, values in query for value in values]
    return str(request.build_absolute_uri(f"{request.path}?{urlencode([*flat, ('cursor', encode(cursor))])}"))


def _value(row: Any, name: str) -> Any:
    return row[name] if isinstance(row, dict) else getattr(row, name)

