"""Owns what every sandbox shares: a loopback HTTP server over a `Store`, planned faults, and the control API.

A sandbox stands in for a platform that cannot be run here. It speaks the paths, sign-in, errors and limits
its vendor documents, and proves "as documented", no more. A platform subclasses `Sandbox`, names its routes
with `@route`, and shapes its errors in `error`.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from sync.sandbox_store import Cause, Row, Store
from sync.sandbox_wire import Server, make_server

logger = logging.getLogger(__name__)
CLIENT_ID, SECRET = "mdm", "mdm-sandbox-secret"


@dataclass
class Request:
    """One request as a route sees it; header names in lower case."""

    method: str
    target: str  # path and query as sent
    headers: Mapping[str, str]
    body: bytes = b""
    base_url: str = ""

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The last value of each parameter."""
        parsed = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[-1] for name, values in parsed.items()}

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")

    def json(self) -> Any:
        """The parsed body; Fail(400) when it is not JSON."""
        try:
            return json.loads(self.body or b"null")
        except ValueError:
            raise Fail(400, "The body is not JSON.") from None

    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}


@dataclass
class Response:
    status: int = 200
    body: Any = None  # bytes as they are, str as text, anything else as JSON, None for no body
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)).encode()


class Fail(Exception):
    """A refusal; the platform's `error` gives it its shape. `field` is the field it is about."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        field: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.field = status, message, code, field
        self.headers = headers or {}


Handler = Callable[..., Response]


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Mark a method as the answer to `METHOD path`; named groups of the pattern become its arguments."""

    def mark(handler: Handler) -> Handler:
        handler.__dict__.setdefault("routes", []).append((method, re.compile(f"^{pattern}$")))
        return handler

    return mark


class Sandbox:
    """The state and the routes of one platform; thread-safe: every request runs in one store transaction."""

    name: ClassVar[str]
    title: ClassVar[str]
    indexes: ClassVar[Mapping[str, Iterable[str]]] = {}  # type -> fields that are searched for
    refuse_field: ClassVar[str] = ""  # the field named by the planned fault `refuse`
    default_secret: ClassVar[str] = SECRET
    key_header: ClassVar[str] = "idempotency-key"  # where the platform looks for our key, or its log does
    kinds: ClassVar[tuple[str, ...]] = ()  # planned faults that only this platform knows
    # What the documents of the contract tests must say otherwise here, by type: such as a code in this platform's form.
    contract: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    speaks: ClassVar[bytes] = b""  # how a conversation starts that is no HTTP, and goes to `take`

    def __init__(self, state: str, seed: str = "", *, client_id: str = CLIENT_ID, secret: str = "") -> None:
        self.store = Store(state, indexes=self.indexes)
        self.seed_file, self.client_id, self.secret = seed, client_id, secret or self.default_secret
        self.tokens: dict[str, float] = {}
        self._routes = [
            (method, pattern, getattr(self, name))
            for name in dir(type(self))
            for method, pattern in getattr(getattr(type(self), name), "routes", ())
        ]
        if not any(True for _ in self._any_record()):
            self.plant()

    # What a platform adds

    @classmethod
    def address(cls, url: str) -> str:
        """Where the hub pushes to, from the address of the server; they differ when the platform speaks no HTTP."""
        return url

    def target_options(self) -> dict[str, Any]:
        """Options without which a target cannot speak to this very server, such as the fingerprint of its key."""
        return {}

    def take(self, connection: socket.socket) -> None:
        """A connection that began as `speaks` says, until its end."""
        raise NotImplementedError

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(type, key, raw fields) of every usable row of the extract."""
        raise NotImplementedError

    def error(self, fail: Fail) -> Response:
        """A refusal in the platform's own shape."""
        raise NotImplementedError

    def mutated(self, row: Row, field: str, value: Any) -> dict[str, Any]:
        """The raw fields after somebody changed one inside the platform (derived fields may follow)."""
        return {**row.fields, field: value}

    def is_read(self, request: Request) -> bool:
        """Whether a request changes nothing, by all that can be seen of it."""
        return request.method in ("GET", "HEAD")

    def forget_sessions(self) -> None:
        """Reset: sessions, rate buckets and the like start afresh; tokens stay good."""

    # What every platform gets

    def plant(self) -> None:
        with self.store.transaction():
            if self.seed_file:
                for type, key, fields in self.seed(Path(self.seed_file)):
                    self.store.put(type, key, fields, log=False)

    def answer(self, request: Request) -> Response:
        """The platform's answer, without faults."""
        allowed = False
        for method, pattern, handler in self._routes:
            if found := pattern.match(request.path):
                allowed = True
                if method == request.method:
                    return self._run(handler, request, found.groupdict())
        return self.error(Fail(405 if allowed else 404, f"No resource {request.method} {request.path}."))

    def issue_token(self, life: float = 3600.0) -> str:
        token = secrets.token_urlsafe(24)
        self.tokens[token] = time.monotonic() + life
        return token

    def has_token(self, request: Request) -> bool:
        scheme, _, token = request.header("authorization").partition(" ")
        return scheme.lower() == "bearer" and self.tokens.get(token.strip(), 0.0) > time.monotonic()

    def has_basic(self, request: Request) -> bool:
        return request.header("authorization") == basic_header(self.client_id, self.secret)

    def has_client(self, request: Request) -> bool:
        """Client credentials of a token request, in the header or in the form."""
        form = request.form()
        given = (form.get("client_id"), form.get("client_secret"))
        return self.has_basic(request) or given == (self.client_id, self.secret)

    def settled(self, request: Request) -> bool:
        """Whether the platform has taken this very request before and, by its own rules, cannot refuse it any more."""
        return False

    def next_fault(self, request: Request) -> str:
        """The kind of the first planned fault for this request, used up by one; "" when there is none."""
        line = f"{request.method} {unquote(request.target)}"
        for fault in self.store.faults():
            if matches(fault["match"], line) and self.store.take_fault(fault["id"]):
                return str(fault["kind"])
        return ""

    def _run(self, handler: Handler, request: Request, arguments: dict[str, str]) -> Response:
        cause = Cause(
            request.method,
            request.path,
            request.header(self.key_header),
            request.header("x-correlation-id"),
        )
        try:
            with self.store.transaction(cause):
                return handler(request, **arguments)
        except Fail as fail:
            return self.error(fail)
        except Exception:
            logger.exception("The %s sandbox failed at %s %s", self.name, request.method, request.path)
            return self.error(Fail(500, "The sandbox itself failed; see its log."))

    def _any_record(self) -> Iterator[Row]:
        yield from self.store._select("1 LIMIT 1", ())


def basic_header(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def matches(match: str, line: str) -> bool:
    """A planned fault's `match` is a part of "METHOD path" or a regular expression found in it."""
    if match in line:
        return True
    try:
        return re.search(match, line) is not None
    except re.error:
        return False


@dataclass
class Running:
    """A sandbox being served in this process."""

    sandbox: Sandbox
    server: Server
    thread: threading.Thread

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def control(self) -> str:
        return f"{self.url}/_control"

    def stop(self) -> None:
        self.server.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=5)
        self.sandbox.store.close()


@contextmanager
def serving(sandbox: Sandbox, port: int = 0, *, latency_ms: int = 0) -> Iterator[Running]:
    """Serve on loopback in a thread until the block ends; port 0 takes a free one."""
    server = make_server(sandbox, port, latency_ms)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    running = Running(sandbox, server, thread)
    try:
        yield running
    finally:
        running.stop()


def main(kind: type[Sandbox], argv: list[str] | None = None) -> int:
    """The command line of every sandbox."""
    parser = argparse.ArgumentParser(prog=f"python -m sync.connectors.{kind.name}.sandbox")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", required=True, help="SQLite file that keeps everything")
    parser.add_argument("--seed", default="", help="extract to start from when the state is empty")
    parser.add_argument("--latency-ms", type=int, default=0, help="added to every answer")
    parser.add_argument("--client-id", default=CLIENT_ID)
    parser.add_argument("--secret", default=kind.default_secret)
    given = parser.parse_args(argv)
    sandbox = opened(kind, given.state, given.seed, client_id=given.client_id, secret=given.secret)
    with serving(sandbox, given.port, latency_ms=given.latency_ms) as running:
        print(f"{kind.title} sandbox: {running.url} (control: {running.control})", flush=True)
        until_told()
    return 0


def opened(kind: type[Sandbox], state: str, seed: str = "", **values: str) -> Sandbox:
    Path(state).parent.mkdir(parents=True, exist_ok=True)
    return kind(state, seed, **values)


def until_told() -> None:
    """Wait for SIGTERM or Ctrl-C."""
    done = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: done.set())
    done.wait()
