"""Owns serving several sandboxes by one process, each at a port of its own, as the demo does.

`python -m sync.sandboxes --state FOLDER NAME=PORT[=EXTRACT] …`; each keeps its state in `FOLDER/NAME.sqlite3`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from sync.sandbox import Sandbox, opened, serving, until_told


class Served(NamedTuple):
    name: str  # of the folder in sync/connectors
    port: int
    seed: str  # extract to start from when the state is empty, "" for none

    @classmethod
    def read(cls, text: str) -> Served:
        name, port, *seed = text.split("=", 2)
        return cls(name, int(port), seed[0] if seed else "")

    def written(self) -> str:
        return "=".join((self.name, str(self.port), self.seed) if self.seed else (self.name, str(self.port)))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sync.sandboxes", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of the SQLite files that keep everything")
    parser.add_argument("served", nargs="+", type=Served.read, metavar="NAME=PORT[=EXTRACT]")
    given = parser.parse_args(argv)
    with ExitStack() as stack:
        for one in given.served:
            sandbox = opened(sandbox_class(one.name), str(given.state / f"{one.name}.sqlite3"), one.seed)
            running = stack.enter_context(serving(sandbox, one.port))
            print(f"{sandbox.title} sandbox: {running.url} (control: {running.control})", flush=True)
        until_told()
    return 0


def sandbox_class(name: str) -> type[Sandbox]:
    """The sandbox of a connector's folder. ModuleNotFoundError when it has none."""
    module = importlib.import_module(f"sync.connectors.{name}.sandbox")
    kinds = (kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Sandbox))
    found: type[Sandbox] = next(kind for kind in kinds if kind is not Sandbox)
    return found


if __name__ == "__main__":
    sys.exit(main())
