"""Owns running one raw statement, with work of this process done while the database is at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import connection


def rows(
    statement: str, given: Sequence[Any] | Mapping[str, Any] = (), *, meanwhile: Callable[[], object] | None = None
) -> list[tuple[Any, ...]]:
    """What the statement finds. `meanwhile`: done once the statement is sent, before its rows are waited for; without
    queries of its own, which would wait in turn."""
    with connection.cursor() as cursor:
        if meanwhile is None:
            cursor.execute(statement, given or None)
            return cursor.fetchall()
        with connection.connection.pipeline():  # in it a statement is only sent when it is executed
            cursor.execute(statement, given or None)
            meanwhile()
            return cursor.fetchall()
