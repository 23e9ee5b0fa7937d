"""The steps between an empty database and a hub with data: migrate, grants, demo data, static files."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable

from mdm.demo.lineup import ROOT
from mdm.embedded import processes

Step = tuple[str, list[str]]
STEPS: list[Step] = [
    ("database schema", ["migrate", "--database", "owner", "--verbosity", "0"]),
    ("rights of the application's login", ["provision_role"]),
    ("static files", ["collectstatic", "--no-input", "--verbosity", "0"]),
    ("demo data", ["load_demo"]),
]


class StepFailed(RuntimeError):
    """Its output has told why; nothing more can be started."""


def prepare(environment: dict[str, str], say: Callable[[str], None]) -> None:
    """Every step may be repeated: what is done already costs a second."""
    for title, command in STEPS:
        began = time.monotonic()
        say(f"{title} …")
        if code := _run([sys.executable, "manage.py", *command], environment):
            raise StepFailed(f"{title}: `manage.py {' '.join(command)}` failed (exit code {code}), see above")
        say(f"{title} done in {time.monotonic() - began:.1f} s")


def _run(command: list[str], environment: dict[str, str]) -> int:
    """In the foreground, its progress on our terminal; ended with us, whatever ends us."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=processes.die_with_parent(signal.SIGKILL),
    )
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            processes.end(process.pid, grace=5)
