"""The client of the HTTP bench, a process of its own: a bounded number of connections, kept open, lean on its CPU.

`python -m tests.bench.load` reads {port, paths, tokens, seconds} as JSON and prints {requests, seconds, p50_ms, p95_ms}.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\nTransfer-Encoding: chunked", re.IGNORECASE)


@dataclass
class Connection:
    """One keep-alive connection asking for one path after the other; bytes are prepared before the clock runs."""

    port: int
    requests: Sequence[bytes]
    start: int
    took: list[float] = field(default_factory=list)
    wrong: str = ""

    def run(self, until: float) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                number = self.start
                while (began := time.monotonic()) < until:
                    link.sendall(self.requests[number % len(self.requests)])
                    head = receive(link)
                    if not head.startswith(b"HTTP/1.1 200"):
                        self.wrong = head[:200].decode("latin-1")
                        return
                    self.took.append(time.monotonic() - began)
                    number += 1
        except OSError as error:
            self.wrong = f"{type(error).__name__}: {error}"


def receive(link: socket.socket) -> bytes:
    """One whole answer; its head."""
    got = b""
    while (end := got.find(b"\r\n\r\n")) < 0:
        got += _more(link)
    length = _LENGTH.search(got[: end + 2])
    if length is None or _CHUNKED.search(got[: end + 2]):
        raise OSError("the answer has no Content-Length")
    missing = int(length[1]) - (len(got) - end - 4)
    while missing > 0:
        missing -= len(_more(link))
    return got[:end]


def _more(link: socket.socket) -> bytes:
    piece = link.recv(262_144)
    if not piece:
        raise OSError("the server closed the connection")
    return piece


def prepared(path: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def main() -> int:
    asked = json.load(sys.stdin)
    connections = [
        Connection(asked["port"], [prepared(path, token) for path in asked["paths"]], 7 * number)
        for number, token in enumerate(asked["tokens"])
    ]
    began = time.monotonic()
    threads = [threading.Thread(target=one.run, args=[began + asked["seconds"]]) for one in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lasted = time.monotonic() - began
    took = sorted(seconds for one in connections for seconds in one.took)
    if wrong := next((one.wrong for one in connections if one.wrong), ""):
        print(json.dumps({"wrong": wrong}))
        return 1
    at = {f"p{part}_ms": round(took[len(took) * part // 100] * 1000, 1) for part in (50, 95)}
    print(json.dumps({"requests": len(took), "seconds": lasted, **at}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
