"""`make demo-reset`: ends a running demo of this checkout and deletes what it made, and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from mdm import embedded
from mdm.embedded import processes
from mdm.embedded.missing import Missing

# ports.json stays: addresses a person has noted down remain true.
_FILES = ("demo.json", "demo_users.json", "beat-schedule", "children.json", "static.json")
_FOLDERS = ("sandboxes", "static", "log", "uploads")


def wipe(var: Path, say: Callable[[str], None]) -> None:
    _end_running(var, say)
    if "DATABASE_URL" in embedded.given():
        say("DATABASE_URL is set: that database is yours and stays as it is; empty it yourself.")
    embedded.reset(var)
    for name in _FILES:
        for path in var.glob(f"{name}*"):
            path.unlink()
    for name in _FOLDERS:
        shutil.rmtree(var / name, ignore_errors=True)
    say("the demo's data is gone; starting afresh")


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
