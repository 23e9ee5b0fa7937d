"""`make demo-reset`: ends a running demo of this checkout and deletes what it made, and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg

from mdm import embedded
from mdm.embedded import processes
from mdm.embedded.missing import Missing

# ports.json stays: addresses a person has noted down remain true.
_FILES = ("demo.json", "demo_users.json", "beat-schedule", "children.json", "static.json")
_FOLDERS = ("sandboxes", "static", "log", "uploads")


def wipe(var: Path, say: Callable[[str], None]) -> None:
    if "DATABASE_URL" in embedded.given():
        _refuse_unless_empty(embedded.given()["DATABASE_URL"])
    _end_running(var, say)
    embedded.reset(var)
    for name in _FILES:
        for path in var.glob(f"{name}*"):
            path.unlink()
    for name in _FOLDERS:
        shutil.rmtree(var / name, ignore_errors=True)
    say("the demo's data is gone; starting afresh")


def _refuse_unless_empty(url: str) -> None:
    """A database of somebody's own is never emptied here; and with data in it, the keys in var/ that open it must stay."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            filled = connection.execute("SELECT to_regclass('django_migrations')").fetchone() != (None,)
    except psycopg.OperationalError as problem:
        raise Missing(f"The database of DATABASE_URL does not answer: {problem}") from None
    if filled:
        raise Missing(
            "DATABASE_URL names a database with a hub in it. It is yours, so it stays as it is, and so do the keys in var/ "
            "that open it. Make it empty (dropdb, createdb), then run make demo-reset again."
        )


def _end_running(var: Path, say: Callable[[str], None]) -> None:
    try:
        pid = int((var / "demo.lock").read_text().split()[0])
    except (OSError, IndexError, ValueError):
        return
    if not processes.alive(pid) or "mdm.demo" not in processes.command_line(pid) or pid == os.getpid():
        return
    say(f"stopping the demo that is running (process {pid})")
    os.kill(pid, signal.SIGTERM)
    if not processes.wait_until_gone(pid, 60):
        raise Missing(f"Process {pid} does not stop; end it, then try again.")
