"""Record GET and list requests per second over HTTP, against a bare view that answers the same bytes."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass

from mdm.demo.child import Child
from tests.bench import ground
from tests.bench.figures import Figure
from tests.bench.ground import Ground
from tests.ports import free_port

_RECORDS, _PAGES = 40, 8
_ROUNDS = 3


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    paths: list[str]


@dataclass(frozen=True)
class Round:
    requests_per_s: float
    p50_ms: float
    p95_ms: float


def measure(here: Ground, tokens: list[str], seconds: float) -> list[Figure]:
    port = free_port()
    server = start(here, port)
    try:
        cases = [
            Case("read-record", "GET of one supplier", _records()),
            Case("read-list", "List of 100 suppliers", _pages(port, tokens[0])),
        ]
        return [figure(case, port, tokens, seconds) for case in cases]
    finally:
        server.end(grace=5)


def start(here: Ground, port: int, processes: int = 2) -> Child:
    """As the demo starts it: two processes of four threads."""
    server = here.child(
        "web", "-m", "gunicorn", "mdm.wsgi:application", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
        "--preload", "--workers", str(processes), "--threads", "4", "--no-control-socket", "--config", "python:mdm.serving",
    )  # fmt: skip
    server.start()
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
            return server
        except OSError:
            if server.exit_code() is not None or time.monotonic() > deadline:
                raise SystemExit(f"The web server did not start:\n{server.tail(30)}") from None
        time.sleep(0.1)


def _records() -> list[str]:
    from mdm import registry

    model = registry.get("supplier").model
    uids = model._default_manager.order_by("uid").values_list("uid", flat=True)[:_RECORDS]
    return [f"/api/v1/suppliers/{uid}/" for uid in uids]


def _pages(port: int, token: str) -> list[str]:
    """The first pages of the list, as a client that follows `next` asks for them."""
    pages = ["/api/v1/suppliers/"]
    while len(pages) < _PAGES:
        following = json.loads(_get(port, pages[-1], token))["next"]
        if not following:
            break
        pages.append(following.partition(f":{port}")[2])
    return pages


def figure(case: Case, port: int, tokens: list[str], seconds: float) -> Figure:
    bare, size = _bare_paths(case, port, tokens[0])
    for paths in (case.paths, bare):  # both warm, before any clock runs
        _load(port, paths, tokens, 0.7)
    ours: list[Round] = []
    limits: list[Round] = []
    for _ in range(_ROUNDS):  # in turns, so that a noisy moment of the machine meets both
        limits.append(_load(port, bare, tokens, seconds))
        ours.append(_load(port, case.paths, tokens, seconds))
    mine, limit = _middle(ours), _middle(limits)
    return Figure(
        name=case.name,
        title=case.title,
        unit="requests/s",
        value=mine.requests_per_s,
        limit=limit.requests_per_s,
        limit_is="a bare view with the same server, middleware and token look-up that returns the same bytes from memory",
        notes=[
            f"{len(tokens)} keep-alive connections from a second process, {len(case.paths)} different addresses,"
            f" {size:,.0f} bytes an answer; gunicorn, 2 processes of 4 threads, on the same machine as client and database",
            f"median of {_ROUNDS} rounds of {seconds:g} s, in turns with the limit",
            f"waiting time p50 {mine.p50_ms} ms, p95 {mine.p95_ms} ms (limit: p50 {limit.p50_ms} ms, p95 {limit.p95_ms} ms)",
        ],
    )


def _bare_paths(case: Case, port: int, token: str) -> tuple[list[str], float]:
    """The answers as files for the bare view, and the proof that it returns the very same bytes."""
    folder = ground.VAR / "bodies"
    folder.mkdir(exist_ok=True)
    paths, sizes = [], []
    for number, path in enumerate(case.paths):
        name = f"{case.name}-{number}"
        body = _get(port, path, token)
        (folder / name).write_bytes(body)
        paths.append(f"/api/bench/{name}/")
        sizes.append(len(body))
        if _get(port, paths[-1], token) != body:
            raise SystemExit("The bare view does not answer the same bytes.")
    return paths, statistics.mean(sizes)


def _get(port: int, path: str, token: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=socket.getdefaulttimeout() or 30) as answer:
        return bytes(answer.read())


def _load(port: int, paths: list[str], tokens: list[str], seconds: float) -> Round:
    asked = {"port": port, "paths": paths, "tokens": tokens, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"], cwd=ground.ROOT, input=json.dumps(asked), capture_output=True,
        text=True, check=False, timeout=seconds + 60,
    )  # fmt: skip
    said = json.loads(done.stdout or "{}")
    if "requests" not in said:
        raise SystemExit(f"The load stopped: {said.get('wrong') or done.stderr[-500:]}")
    return Round(said["requests"] / said["seconds"], said["p50_ms"], said["p95_ms"])


def _middle(rounds: list[Round]) -> Round:
    return sorted(rounds, key=lambda one: one.requests_per_s)[len(rounds) // 2]
