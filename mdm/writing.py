"""The first wall: golden rows can only be written while `services.records` says so for one change request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection

from mdm.errors import OutsideWritePath

_change: ContextVar[int | None] = ContextVar("change_being_applied", default=None)


@contextmanager
def applying(change_id: int) -> Iterator[None]:
    """Open both walls for one change request; needs a transaction, because the database forgets at its end."""
    if not connection.in_atomic_block:
        raise OutsideWritePath("Golden records are only written inside a transaction.")
    token = _change.set(change_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('mdm.change_id', %s, true)", [str(change_id)])
    try:
        yield
    finally:
        _change.reset(token)
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('mdm.change_id', '', true)")


def require(what: str) -> None:
    if _change.get() is None:
        raise OutsideWritePath(f"{what} is golden data: propose a change request (mdm.services.changes.propose).")
