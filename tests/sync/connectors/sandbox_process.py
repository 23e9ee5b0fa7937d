"""A sandbox in a process of its own, to be killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.ports import free_port


class Process:
    """A sandbox in a process of its own, on a port it is told."""

    def __init__(self, state: Path, seed: Path, name: str = "coupa") -> None:
        self.state, self.seed, self.name = state, seed, name

    def __enter__(self) -> tuple[str, subprocess.Popen[str]]:
        port = free_port()
        command = [sys.executable, "-m", f"sync.connectors.{self.name}.sandbox", "--port", str(port)]
        command += ["--state", str(self.state), "--seed", str(self.seed)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None and self.process.stdout.readline()
        return f"http://127.0.0.1:{port}", self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
