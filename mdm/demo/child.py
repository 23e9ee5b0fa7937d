"""One process of the demo (or of a test): started into a log file, ended politely, never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mdm.embedded import processes

_LOG_LIMIT = 10_000_000  # bytes; beyond, the log of the time before is kept as .1 and a new one begun


class Child:
    """Runs in a session of its own, so that Ctrl-C in a terminal reaches only whoever supervises it."""

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path, folder: Path
    ) -> None:
        self.name, self.command, self.environment = name, list(command), dict(environment)
        self.log, self.folder = log, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """From the main thread only: the kernel ties the child's life to the thread that started it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=processes.die_with_parent(signal.SIGTERM),
            )
        self.started_at = time.monotonic()

    def exit_code(self) -> int | None:
        """None while it runs (or was never started)."""
        return self._process.poll() if self._process else None

    def signal(self, signum: int) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signum)

    def end(self, grace: float = 10.0) -> None:
        """SIGTERM, and after the grace time SIGKILL to it and to whatever it started."""
        if self._process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self) -> None:
        """kill -9 of the whole group: also worker processes whose parent is already gone."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # PermissionError: macOS, for a group of zombies
            pass
        self._process.wait()

    def tail(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""
