"""Owns processes that are to die: one that has Django loaded forks them, so that a death costs no start of a program.

`python -m tests.faults.victims` reads a crash point a line, lets a child of its own work the queues until it is struck
there, and says on stdout how that child ended: `died 9`, `stopped`, or `ended 0` when it never got there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import django

from mdm.embedded import processes
from tests import database

PATIENCE_S = 30.0


@dataclass
class Victims:
    """The test's end of the pipe."""

    process: subprocess.Popen[str]

    def run(self, where: str) -> str:
        """Let one work until it is struck at `point[:signal]`; how it ended."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(where + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def go_on(self) -> str:
        """Wake the one that was stopped; how it ended then."""
        return self.run("")


@contextmanager
def victims(environment: dict[str, str]) -> Iterator[Victims]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.victims"], cwd=database.ROOT, env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Victims(process)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.faults.settings"
    django.setup()
    from sync.services import deliver, rounds  # noqa: F401 - loaded before the fork

    die_with_parent = processes.die_with_parent(signal.SIGKILL)
    frozen = 0
    for line in sys.stdin:
        where = line.strip()
        if where:
            frozen = os.fork()
            if not frozen:
                if die_with_parent:
                    die_with_parent()
                _work(where)
        else:
            os.kill(frozen, signal.SIGCONT)
        print(_end_of(frozen), flush=True)


def _work(where: str) -> None:
    """In the child: what a dispatcher without workers does, until nothing is under way. Never returns."""
    from sync import crash_points, tasks
    from sync.models import Delivery
    from sync.models.states import OPEN
    from sync.services import rounds

    code = 1
    try:
        crash_points.arm(where)
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            rounds.dispatch_round()
            rounds.ring_round()
            rounds.own_round(tasks.process_id(), everything=True)
            if not Delivery.objects.filter(state__in=OPEN).exists():
                code = 0
                break
            time.sleep(0.02)
    finally:
        os._exit(code)


def _end_of(pid: int) -> str:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return "stopped"
    return f"died {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"ended {os.WEXITSTATUS(status)}"


if __name__ == "__main__":
    main()
