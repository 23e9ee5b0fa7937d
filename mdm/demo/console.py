"""What the person at the terminal sees: short sentences, and of the logs only lines that matter."""

from __future__ import annotations

import re
from pathlib import Path

# Plain words of programs, and the hub's own log format with its one-letter level.
_MATTERS = re.compile(r"\b(ERROR|CRITICAL|FATAL|PANIC)\b|^Traceback|^\S+ \S+ [EC] ")
_MOST_PER_LOOK = 5


def say(text: str) -> None:
    print(text, flush=True)


class LogWatch:
    """Reads on in a log from where it ended at the start."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self._position = path.stat().st_size if path.exists() else 0

    def look(self) -> None:
        lines = [line for line in self._new_lines() if _MATTERS.search(line)]
        for line in lines[:_MOST_PER_LOOK]:
            say(f"{self.name:>10} | {line[:300]}")
        if len(lines) > _MOST_PER_LOOK:
            say(f"{self.name:>10} | … {len(lines) - _MOST_PER_LOOK} more in {self.path}")

    def _new_lines(self) -> list[str]:
        try:
            size = self.path.stat().st_size
        except OSError:
            return []
        if size < self._position:  # a new log was begun
            self._position = 0
        if size == self._position:
            return []
        with self.path.open("rb") as file:
            file.seek(self._position)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]  # the rest of a half-written line comes next time
        self._position += len(whole)
        return whole.decode(errors="replace").splitlines()
