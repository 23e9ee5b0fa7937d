"""Owns a sandbox's HTTP: reads requests, carries out planned faults on the wire, and serves `/_control`."""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from sync.sandbox import Request, Response, Sandbox

HANG_S = 60.0  # how long a hanging request is held, unless the client leaves earlier
KINDS = ("500", "503", "429", "unauthorised", "refuse", "garbage", "slow:<ms>", "status:<number>") + (
    "timeout_before",
    "timeout_after",
    "reset_before",
    "reset_after",
    "redirect",
    "half_applied",
    "half_applied:<kind>",
)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], sandbox: Sandbox, latency_ms: int) -> None:
        self.sandbox, self.latency_ms = sandbox, latency_ms
        self.stopping = threading.Event()
        self.half_applied: dict[str, str] = {}  # idempotency key of a push -> how its next write is to fail
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        start = self.sandbox.speaks
        if start and request.recv(len(start), socket.MSG_PEEK | socket.MSG_WAITALL) == start:
            self.sandbox.take(request)
        else:
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave early are what faults are about; no noise on the console."""


def make_server(sandbox: Sandbox, port: int, latency_ms: int = 0) -> Server:
    return Server(("127.0.0.1", port), sandbox, latency_ms)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def handle_any(self) -> None:
        request = self._read()
        if request.path.startswith("/_control/"):
            self._send(control(self.server.sandbox, request))
            return
        if self.server.latency_ms:
            time.sleep(self.server.latency_ms / 1000)
        fault = self._second_half(request) or self.server.sandbox.next_fault(request)
        if fault.startswith("slow:"):
            time.sleep(int(fault[5:]) / 1000)
        self._answer(request, fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_MERGE = do_HEAD = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self, request: Request, fault: str) -> None:
        if fault == "refuse" and self.server.sandbox.settled(request):
            fault = ""
        if refusal := planned_refusal(self.server.sandbox, fault):
            self._send(refusal)
            return
        if fault == "timeout_before":
            self._hang()
            return
        if fault == "reset_before":
            self._reset()
            return
        response = self.server.sandbox.answer(request)
        if fault == "timeout_after":
            self._hang()
        elif fault == "reset_after":
            self._reset()
        elif fault.startswith("half_applied"):
            if push := request.header("idempotency-key"):
                self.server.half_applied[push] = fault.partition(":")[2] or "500"
            self._send(response)
        elif fault == "garbage":
            response.status, response.body = 200, b"<<< not what was agreed >>>"
            self._send(response)
        else:
            self._send(response)

    def _second_half(self, request: Request) -> str:
        """Of a write in several requests the first was let through: the next one of the same push fails."""
        if self.server.sandbox.is_read(request):
            return ""
        return self.server.half_applied.pop(request.header("idempotency-key"), "")

    def _read(self) -> Request:
        from sync.sandbox import Request

        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        base = f"http://{headers.get('host', '127.0.0.1')}"
        return Request(self.command, self.path, headers, self.rfile.read(length) if length else b"", base)

    def _send(self, response: Response) -> None:
        body = response.encoded()
        self.send_response(response.status)
        headers = dict(response.headers)
        if body:
            headers.setdefault("Content-Type", "application/json;charset=utf-8")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _hang(self) -> None:
        """Say nothing until the client leaves, the sandbox stops or the time is over; then close."""
        until = time.monotonic() + HANG_S
        while time.monotonic() < until and not self.server.stopping.is_set():
            ready, _, _ = select.select([self.connection], [], [], 0.1)
            if ready and not self.connection.recv(1, socket.MSG_PEEK):
                break
        self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.wfile = _Nowhere()  # type: ignore[assignment]


class _Nowhere:
    closed = True

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def planned_refusal(sandbox: Sandbox, fault: str) -> Response | None:
    """The faults that are a plain answer and apply nothing."""
    from sync.sandbox import Fail, Response

    if fault == "redirect":  # to where nothing of ours may ever go
        return Response(307, None, {"Location": "http://169.254.169.254/latest/meta-data"})
    wait = {"Retry-After": "1"}
    name = sandbox.refuse_field
    refusals = {
        "500": lambda: Fail(500, "Planned fault: internal error."),
        "503": lambda: Fail(503, "Planned fault: no work process is free.", headers=wait),
        "429": lambda: Fail(429, "Planned fault: too many requests.", headers=wait),
        "unauthorised": lambda: Fail(401, "Planned fault: not signed in."),
        "refuse": lambda: Fail(400, f"Planned fault: the value of {name} is not allowed.", field=name),
    }
    if fault.startswith("status:"):
        return sandbox.error(Fail(int(fault[7:]), "Planned fault."))
    return sandbox.error(refusals[fault]()) if fault in refusals else None


def control(sandbox: Sandbox, request: Request) -> Response:
    """`/_control`: for tests and demonstrations, no part of the platform."""
    from sync.sandbox import Response

    url = urlsplit(request.target)
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    name = unquote(url.path).removeprefix("/_control/").strip("/")
    try:
        given = json.loads(request.body or b"{}")
    except ValueError:
        return Response(400, {"error": "The body is not JSON."})
    answers = {
        ("GET", "records"): lambda: _records(sandbox, query),
        ("GET", "effects"): lambda: {"effects": sandbox.store.effects(int(query.get("after", 0)))},
        ("GET", "options"): lambda: {"options": sandbox.target_options()},
        ("GET", "faults"): lambda: {"faults": sandbox.store.faults()},
        ("DELETE", "faults"): lambda: _forgive(sandbox),
        ("POST", "mutate"): lambda: _mutate(sandbox, given),
        ("POST", "faults"): lambda: _plan(sandbox, given),
        ("POST", "reset"): lambda: _reset(sandbox),
    }
    answer = answers.get((request.method, name))
    if answer is None:
        return Response(
            404, {"error": f"No {request.method} {name}; there are: records, effects, options, faults, mutate."}
        )
    try:
        return Response(200, answer())
    except (KeyError, ValueError, TypeError) as error:
        return Response(400, {"error": f"{type(error).__name__}: {error}"})


def _records(sandbox: Sandbox, query: dict[str, str]) -> dict[str, Any]:
    rows = sandbox.store.page(query.get("type", "supplier"))
    found = [{"key": row.key, "fields": row.fields, "changed_at": row.changed_at, "etag": row.etag} for row in rows]
    return {"records": found}


def _mutate(sandbox: Sandbox, given: dict[str, Any]) -> dict[str, Any]:
    type = given.get("type", "supplier")
    with sandbox.store.transaction():
        row = sandbox.store.get(type, given["key"])
        if row is None:
            raise KeyError(f"no {type} {given['key']}")
        fields = sandbox.mutated(row, given["field"], given["value"])
        changed = sandbox.store.put(type, row.key, fields, log=False)  # not an effect of a push
    return {"key": row.key, "fields": changed.fields}


def _plan(sandbox: Sandbox, given: dict[str, Any]) -> dict[str, Any]:
    kind, count = str(given["kind"]), int(given.get("count", 1))
    if kind.removeprefix("half_applied:") not in (*KINDS, *sandbox.kinds) and not re.fullmatch(
        r"slow:\d+|(half_applied:)?status:[345]\d\d", kind
    ):
        raise ValueError(f"kind is one of {', '.join((*KINDS, *sandbox.kinds))}")
    sandbox.store.add_fault(str(given.get("match", "")), kind, count)
    return {"faults": sandbox.store.faults()}


def _forgive(sandbox: Sandbox) -> dict[str, Any]:
    sandbox.store.clear("fault")
    return {"faults": []}


def _reset(sandbox: Sandbox) -> dict[str, Any]:
    with sandbox.store.transaction():
        sandbox.store.clear()
        sandbox.plant()
    sandbox.forget_sessions()
    return {"reset": True}
