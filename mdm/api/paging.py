"""Pages of lists as the API shows them: whole addresses for `next` and `previous`, and a cursor that is none is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from rest_framework.request import Request

from mdm.errors import CorrectInput
from mdm.selectors import keyset
from mdm.types import Problem


class InvalidCursor(CorrectInput):
    """Start again without a cursor."""

    code = "invalid_cursor"


def cut(
    request: Request, rows: QuerySet[Any], query: Any, *, order: Sequence[str], key: str = "pk", falling: bool = False
) -> tuple[list[Any], dict[str, Any]]:
    """The rows of the page the query asks for, and what stands around them in the answer."""
    total = rows.count() if query.count else None
    try:
        page = keyset.cut(
            rows, order=order, size=query.page_size, cursor=query.cursor or "", falling=falling, key=key, strict=True
        )
    except keyset.BadCursor:
        problem = Problem("cursor", "invalid_cursor", "This cursor is not one of this list, or of this ordering.")
        raise InvalidCursor("This cursor leads nowhere: start again without it.", problems=[problem]) from None
    around: dict[str, Any] = {"next": _address(request, page.next), "previous": _address(request, page.previous)}
    if total is not None:
        around["count"] = total
    return page.rows, around


def _address(request: Request, cursor: str) -> str | None:
    if not cursor:
        return None
    kept = [(name, value) for name, value in request.query_params.items() if name not in ("cursor", "count")]
    return str(request.build_absolute_uri(f"{request.path}?{urlencode([*kept, ('cursor', cursor)])}"))
