"""Owns running raw statements, with work of this process done while the database is at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

Given = Sequence[Any] | Mapping[str, Any]
Rows = list[tuple[Any, ...]]


def rows(statement: str, given: Given = (), *, meanwhile: Callable[[], object] | None = None) -> Rows:
    """What the statement finds. `meanwhile`: as of `several`."""
    if meanwhile is not None:
        return next(several([(statement, given)], meanwhile=meanwhile))
    with connection.cursor() as cursor:
        cursor.execute(statement, given or None)
        return cursor.fetchall()


def run(statement: str, given: Given, *, meanwhile: Callable[[], object]) -> None:
    """One that finds nothing. `meanwhile`: as of `several`."""
    with _sending() as cursor:
        cursor.execute(statement, given or None)
        meanwhile()


def several(asked: Sequence[tuple[str, Given]], *, meanwhile: Callable[[], object]) -> Iterator[Rows]:
    """What each statement finds, in their order: the database is at the next while whoever asks looks at the rows of one.
    `meanwhile`: done before the first rows are waited for. Neither may ask the database anything else."""
    with _sending() as cursor:
        cursor.execute(asked[0][0], asked[0][1] or None)
        meanwhile()
        for statement, given in asked[1:]:
            found = cursor.fetchall()
            cursor.execute(statement, given or None)
            yield found
        yield cursor.fetchall()


@contextmanager
def _sending() -> Iterator[Any]:
    """A cursor for which executing a statement is sending it. Errors that come late are Django's, as all others are."""
    with connection.cursor() as cursor, connection.wrap_database_errors, connection.connection.pipeline():
        yield cursor
