"""Command line of the local services: start, stop, status, env, reset."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from mdm import embedded


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mdm.embedded", description=__doc__)
    parser.add_argument("what", choices=["start", "stop", "status", "env", "reset"])
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("MDM_VAR_DIR", "var")))
    chosen = parser.parse_args()
    try:
        run(chosen.what, chosen.var)
    except embedded.Missing as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def run(what: str, var: Path) -> None:
    if what == "start":
        embedded.start(var)
    elif what == "stop":
        print("stopped" if embedded.stop(var) else "nothing was running")
    elif what == "reset":
        embedded.reset(var)
        print("the local database and Redis are gone")
    elif what == "env":
        for name, value in embedded.environment(var).items():
            print(f"export {name}={shlex.quote(value)}")
        return
    if what in ("start", "status"):
        for name, said in embedded.status(var).items():
            print(f"{name}: {said}")


if __name__ == "__main__":
    sys.exit(main())
