"""Ports for servers that tests start: each test process has a range of its own, below those the system gives away itself.

A port that was free a moment ago is then still free when its server begins to listen: no client of anybody's and no
other test process can have been given it meanwhile.
"""

from __future__ import annotations

import itertools
import os
import re
import socket

FIRST, EACH, RANGES = 10_500, 1_000, 20  # the system's own begin at 32768
_own = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or os.getpid() % (RANGES - 8) + 8)
_numbers = itertools.cycle(range(FIRST + _own % RANGES * EACH, FIRST + (_own % RANGES + 1) * EACH))


def free_port() -> int:
    for port in itertools.islice(_numbers, EACH):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"None of the {EACH} ports of this test process is free.")
