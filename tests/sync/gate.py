"""A gate before a sandbox: lets every request through and remembers when it came, by the machine's clock."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Gate(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behind: str) -> None:
        self.behind = urlsplit(behind)
        self.came: list[tuple[float, str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def between(self, start: float, end: float) -> list[tuple[str, str]]:
        return [(method, path) for at, method, path in list(self.came) if start <= at < end]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gate

    def handle_any(self) -> None:
        self.server.came.append((time.time(), self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        onward = http.client.HTTPConnection(self.server.behind.hostname or "", self.server.behind.port, timeout=20)
        onward.request(self.command, self.path, body or None, dict(self.headers))
        answer = onward.getresponse()
        said = answer.read()
        onward.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def before(url: str) -> Iterator[Gate]:
    gate = Gate(url)
    thread = threading.Thread(target=gate.serve_forever, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        gate.shutdown()
        gate.server_close()
        thread.join(timeout=5)
