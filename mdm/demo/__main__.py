"""`python -m mdm.demo`: run the demo; with --reset, throw its data away before."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mdm.demo import wiping
from mdm.demo.console import say
from mdm.demo.lineup import ROOT
from mdm.demo.supervisor import Supervisor
from mdm.embedded.missing import Missing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mdm.demo", description=__doc__)
    parser.add_argument("--reset", action="store_true", help="start afresh: everything entered so far is gone")
    chosen = parser.parse_args()
    var = Path(os.environ.get("MDM_VAR_DIR", ROOT / "var"))
    try:
        port = int(os.environ.get("PORT") or 8000)
        if not 0 < port < 65536:
            raise ValueError
    except ValueError:
        say(f"PORT={os.environ['PORT']} is no port number.")
        return 2
    try:
        if chosen.reset:
            wiping.wipe(var, say)
    except Missing as problem:
        say(str(problem))
        return 1
    return Supervisor(var, port).run()


if __name__ == "__main__":
    sys.exit(main())
