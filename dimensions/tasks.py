"""Celery tasks of the dimensions. They carry ids only; the work and its state are in PostgreSQL."""

from __future__ import annotations

import contextlib

from celery import shared_task
from django.db import transaction

from dimensions.services import row_files


@shared_task(name="dimensions.tasks.work_file")
def work_file(pk: int) -> None:
    """Read or propose one file of mapping rows; a second start while another process works on it does nothing."""
    row_files.work(pk)


def ring(pk: int) -> None:
    """Wake a worker after commit; without a broker the next round finds the file by itself."""

    def call() -> None:
        with contextlib.suppress(Exception):
            work_file.delay(pk)

    transaction.on_commit(call, robust=True)


def ring_files() -> dict[str, int]:
    """Of a round: files that wait, or were left behind by a process that ended."""
    waiting = row_files.waiting()
    for pk in waiting:
        ring(pk)
    return {"mapping_files": len(waiting), "forgotten_files": row_files.forget()}
