"""`python -m tests.faults`: every crash point, then a storm over a whole hub; fails when something was lost or doubled."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import ground

VAR = Path(os.environ.get("MDM_FAULTS_VAR", ground.ROOT / "var" / "faults")).absolute()
SHORT_CELLS, SHORT_MINUTES = 16, 1.25


def main() -> int:
    chosen = _arguments()
    print(f"seed {chosen.seed}", flush=True)
    failed = []
    if "cells" in chosen.only and not _cells(chosen):
        failed.append("crash points")
    if "storm" in chosen.only and not _storm(chosen):
        failed.append("storm")
    print(f"FAILED: {', '.join(failed)} (seed {chosen.seed})" if failed else f"passed (seed {chosen.seed})", flush=True)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--pushes", type=int, default=20_000, help="deliveries to make under faults (default 20,000)")
    parser.add_argument("--minutes", type=float, default=33, help="end the storm then at the latest (default 33)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of everything drawn; printed")
    parser.add_argument("--cells", type=int, default=0, help="draw so many cells of the crash points (default: all)")
    parser.add_argument("--only", choices=("cells", "storm"), action="append", help="only this part")
    parser.add_argument("--short", action="store_true", help="a sample of both in four minutes; nothing is recorded")
    chosen = parser.parse_args()
    chosen.only = chosen.only or ["cells", "storm"]
    if chosen.short:
        chosen.minutes, chosen.cells = SHORT_MINUTES, chosen.cells or SHORT_CELLS
    return chosen


def _cells(chosen: argparse.Namespace) -> bool:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "MDM_FAULT_CELLS": str(chosen.cells),
        "MDM_FAULT_SEED": str(chosen.seed),
    }
    VAR.mkdir(parents=True, exist_ok=True)
    told = VAR / "cells.xml"
    command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "-m", "faults", "tests/faults", f"--junitxml={told}"]
    if chosen.short:
        command += ["-k", "test_a_process_dies_at_any_point"]
    passed = subprocess.run(command, cwd=ground.ROOT, env=environment, check=False).returncode == 0
    if not chosen.short and not chosen.cells:
        from tests.faults import crash_report

        crash_report.keep(told, at=_now(), machine=ground.machine(), command=_command())
    return passed


def _storm(chosen: argparse.Namespace) -> bool:
    for name in ("DATABASE_URL", "DATABASE_APP_URL", "REDIS_URL"):
        os.environ.pop(name, None)  # what is given from outside is not ours to kill
    here = ground.prepare(VAR, settings="tests.faults.settings", attached=True)
    try:
        import django

        django.setup()
        from tests.faults import report
        from tests.faults.storm import Storm

        storm = Storm(here, chosen.seed, pushes=chosen.pushes, minutes=chosen.minutes, short=chosen.short)
        result = storm.run()
    finally:
        ground.leave(VAR)
    print(result.told, flush=True)
    if result.trouble:
        print(result.trouble, flush=True)
    if not chosen.short:
        report.keep(result, at=_now(), machine=ground.machine(), command=_command())
    return result.clean


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _command() -> str:
    return f'make faults ARGS="{" ".join(sys.argv[1:])}"' if sys.argv[1:] else "make faults"


if __name__ == "__main__":
    sys.exit(main())
