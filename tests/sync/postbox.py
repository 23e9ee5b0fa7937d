"""A mail server and a webhook receiver of the tests' own, on loopback: real protocols, and they keep what they get."""

from __future__ import annotations

import email
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class MailServer(socketserver.ThreadingTCPServer):
    """Enough of RFC 5321 to take mail; `refusals` is how many messages it turns away first."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.messages: list[tuple[list[str], Message]] = []
        self.refusals = 0
        super().__init__(("127.0.0.1", 0), _Mail)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Mail(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 postbox ready")
        to: list[str] = []
        while line := self.rfile.readline().decode("ascii", "replace").strip():
            verb = line[:4].upper()
            if verb in ("EHLO", "HELO", "RSET", "NOOP", "MAIL"):
                self._say("250 ok")
            elif verb == "RCPT":
                to.append(line.partition("<")[2].rpartition(">")[0])
                self._say("250 ok")
            elif verb == "DATA":
                self._take(to)
                to = []
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("502 not here")

    def _take(self, to: list[str]) -> None:
        if self.server.refusals:
            self.server.refusals -= 1
            self._say("451 too busy")
            return
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline().rstrip(b"\r\n")) != b".":
            lines.append(line[1:] if line.startswith(b"..") else line)
        self.server.messages.append((to, email.message_from_bytes(b"\n".join(lines))))
        self._say("250 kept")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Receiver(ThreadingHTTPServer):
    """`answers` are the statuses of the next calls, then 204; `says` makes the body of an answer from what was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.says: Callable[[bytes], bytes] = lambda sent: b""
        super().__init__(("127.0.0.1", 0), _Hook)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/alerts?of=hub"


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.calls.append(({k.lower(): v for k, v in self.headers.items()}, body))
        said = self.server.says(body)
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
