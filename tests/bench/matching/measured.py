"""One command, run to its end: what it printed, and the most memory it and its children held at one moment."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdm.embedded import processes
from tests.bench import ground

PEERS = ground.ROOT / "var" / "peers" / "bin" / "python"
_PATIENCE_S = 3600
_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Ran:
    said: dict[str, Any]  # the last line of its output
    peak_mib: float  # memory shared by several of its processes counts once


def run(*command: str, environment: dict[str, str] | None = None) -> Ran:
    process = subprocess.Popen(
        command, cwd=ground.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=processes.die_with_parent(15),
    )  # fmt: skip
    peak = [0.0]
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, over))
    watcher.start()
    try:
        said, complained = process.communicate(timeout=_PATIENCE_S)
    finally:
        over.set()
        watcher.join()
        if process.poll() is None:
            process.kill()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed ({process.returncode}):\n{complained[-2000:]}")
    return Ran(json.loads(said.strip().splitlines()[-1]) if said.strip() else {}, peak[0])


def own(module: str, *arguments: str, environment: dict[str, str] | None = None) -> Ran:
    return run(sys.executable, "-m", f"tests.bench.matching.{module}", *arguments, environment=environment)


def peer(script: str, *arguments: str) -> Ran:
    if not PEERS.exists():
        raise SystemExit("The other engines are not installed: requirements/install bench")
    return run(str(PEERS), f"tests/bench/matching/peers/{script}.py", *arguments)


def _watch(pid: int, peak: list[float], over: threading.Event) -> None:
    while not over.wait(_LOOK_S):
        peak[0] = max(peak[0], sum(map(_held_mib, _family(pid))))


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _held_mib(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has just ended
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Pss:")), 0.0)
