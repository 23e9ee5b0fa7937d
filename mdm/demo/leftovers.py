"""Processes of a demo that was killed: remembered while they run, ended at the next start."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from mdm.demo.child import Child
from mdm.embedded import processes, state


class Leftovers:
    """On Linux the kernel ends them with their supervisor already; this is for everything else."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, children: list[Child]) -> None:
        state.write(self.path, {str(child.pid): " ".join(child.command) for child in children if child.pid})

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def sweep(self, say: Callable[[str], None]) -> None:
        for text, command in state.read(self.path).items():
            pid = int(text)
            # The same command, not only the same number: pids are given out again.
            if not processes.alive(pid) or processes.command_line(pid) != command:
                continue
            say(f"ending process {pid}, left behind by a demo that was killed")
            try:
                os.killpg(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            processes.wait_until_gone(pid, 5)
        self.forget()
