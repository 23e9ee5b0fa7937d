"""The hub looks through all its records: by one Celery worker process and by two, on this machine, in turns.

`python -m tests.bench.matching.looking FILE RECORDS` imports the first RECORDS of FILE; prints JSON. Everything is the
hub's own: parts in PostgreSQL, taken by whichever worker is free, pairs written into the queue.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench import ground
from tests.bench.matching.rest import imported

_ROUNDS = 2
_PATIENCE_S = 900


def main() -> int:
    file, records = Path(sys.argv[1]), int(sys.argv[2])
    here = ground.prepare()
    try:
        said = _measure(here, file, records)
    finally:
        ground.leave()
    print(json.dumps(said))
    return 0


def _measure(here: ground.Ground, file: Path, records: int) -> dict[str, Any]:
    import django

    django.setup()
    ground.populate()
    counts = imported(here, file, records)
    took: dict[int, float] = {}
    found: dict[str, int] = {}
    _look(here, 2)  # the first writes the pairs that loading did not, the others find them there
    for count in (1, 2) * _ROUNDS:
        seconds, found = _look(here, count)
        took[count] = min(seconds, took.get(count, seconds))
    return {"imported": counts, "one_s": took[1], "two_s": took[2], **found}


def _look(here: ground.Ground, count: int) -> tuple[float, dict[str, int]]:
    """Seconds of looking, workers already up."""
    from mdm import registry
    from mdm.celery import app
    from mdm.services import match_runs, match_work
    from mdm.tasks import match_parts
    from mdm.types import Actor

    workers = [
        here.child(
            f"looker{number}",
            "-m",
            "celery",
            "--app",
            "mdm",
            "worker",
            "--concurrency",
            "1",
            "--loglevel",
            "WARNING",
            "--hostname",
            f"looker{number}@%h",
        )  # fmt: skip
        for number in range(count)
    ]
    try:
        for worker in workers:
            worker.start()
        _until(lambda: len(app.control.ping(timeout=1)) == count)
        run = match_runs.start(kind=registry.get("supplier"), by=Actor.system("bench"))
        for job in match_work.waiting():  # what is rare is counted first, by one process
            match_work.run(job)
        began = time.monotonic()
        for _ in workers:
            match_parts.delay()
        _until(lambda: _ended(run.pk))
        seconds = time.monotonic() - began
    finally:
        for worker in workers:
            worker.end(grace=10)
    progress = match_runs.progress(run)
    return seconds, {"records": progress.done, "compared": progress.compared, "parts": progress.parts_done}


def _ended(pk: int) -> bool:
    from mdm.models import MatchRun

    return MatchRun.objects.filter(pk=pk).exclude(state="running").exists()


def _until(condition: Any) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("The workers did not come to an end.")
        time.sleep(0.05)


if __name__ == "__main__":
    raise SystemExit(main())
