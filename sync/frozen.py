"""Owns what a process that freezes may hold up: locks it holds in a transaction are taken from it by the database.

A stopped container, a moved virtual machine or a machine that lost its power keeps its sessions for hours; a lock of
claiming or dispatching in one of them would hold up everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error, connection

IDLE_S = 15  # between two statements of one transaction; the longest of sync takes milliseconds


@contextmanager
def losing_locks() -> Iterator[None]:
    """Inside, a transaction of this thread in which nothing is said for so long is ended by the database."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_S}s'")
    try:
        yield
    finally:
        try:
            with connection.cursor() as cursor:
                cursor.execute("RESET idle_in_transaction_session_timeout")
        except Error:
            pass  # the session is gone, and its setting with it
