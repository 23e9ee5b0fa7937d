"""Real processes in tests, on this process's clone: Celery worker, the hub over HTTP, the sandboxes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mdm.demo.child import Child
from tests import database
from tests.ports import free_port

WORKER = [
    sys.executable, "-m", "celery", "--app", "mdm", "worker", "--concurrency", "2", "--loglevel", "INFO",
    "--without-gossip", "--without-mingle", "--without-heartbeat",
]  # fmt: skip
BEAT = [sys.executable, "-m", "celery", "--app", "mdm", "beat", "--loglevel", "INFO", "--pidfile="]
DISPATCHER = [sys.executable, "manage.py", "dispatcher"]


def answers(url: str) -> bool:
    """True when something there speaks HTTP, whatever its answer."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def says_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], child: Child, seconds: float = 60) -> None:
    """Until the condition holds; fails with the end of the child's log when it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if child.exit_code() is not None or time.monotonic() > deadline:
            child.end(grace=2)
            pytest.fail(f"{child.name} is not up; the end of {child.log}:\n{child.tail(30)}")
        time.sleep(0.1)


def new_child(name: str, command: list[str], **environment: str) -> Child:
    """Not started yet; sees this process's databases and Redis, under the plain settings of the hub."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    inherited |= {"DJANGO_SETTINGS_MODULE": "mdm.settings", "PYTHONUNBUFFERED": "1"} | environment
    log = database.VAR / "log" / f"{os.getpid()}-{name}.log"
    return Child(name, command, environment=inherited, log=log, folder=database.ROOT)


@dataclass
class Hub:
    """The running hub, as `make demo` runs it; tests may end and start each of its processes."""

    base_url: str
    web: Child
    worker: Child
    beat: Child
    dispatcher: Child

    @property
    def children(self) -> list[Child]:
        return [self.web, self.worker, self.beat, self.dispatcher]

    def start(self) -> None:
        for child in self.children:
            child.start()
        wait_for(lambda: says_ready(self.base_url), self.web)

    def stop(self) -> None:
        """All at once, and politely: a worker that is killed leaves its messages to the next test's."""
        for child in self.children:
            child.signal(signal.SIGTERM)
        for child in self.children:
            child.end(grace=10)

    def restart(self, child: Child) -> None:
        """Start a process again that the test has killed."""
        child.kill()
        child.start()


@dataclass
class Sandbox:
    """A platform's sandbox. `url` is where the hub pushes, `control` the side door of tests and demo."""

    name: str
    url: str
    process: Child

    @property
    def control(self) -> str:
        return f"{self.url}/_control"

    def start(self) -> None:
        self.process.start()
        wait_for(lambda: answers(self.control + "/records?type=supplier"), self.process, seconds=30)

    def stop(self) -> None:
        """The target is down: connections are refused until start()."""
        self.process.end(grace=3)


@dataclass
class Sandboxes:
    """Call it with a platform's name: `sandbox("s4hana")`; `seed=` names an extract it starts out with."""

    folder: Path
    running: list[Sandbox] = field(default_factory=list)

    def __call__(self, name: str, *, seed: Path | None = None) -> Sandbox:
        port = free_port()
        state = self.folder / f"{name}-{len(self.running)}.sqlite3"
        command = [
            sys.executable,
            "-m",
            f"sync.connectors.{name}.sandbox",
            "--port",
            str(port),
            "--state",
            str(state),
        ]
        if seed:
            command += ["--seed", str(seed)]
        started = Sandbox(name, f"http://127.0.0.1:{port}", new_child(f"sandbox-{name}-{port}", command))
        self.running.append(started)
        started.start()
        return started


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandboxes]:
    """Starts sandboxes for one test: `sandbox("coupa", seed=path)`."""
    sandboxes = Sandboxes(tmp_path)
    yield sandboxes
    for started in sandboxes.running:
        started.process.kill()


@pytest.fixture(scope="module")
def module_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    """The same for all tests of one module."""
    sandboxes = Sandboxes(tmp_path_factory.mktemp("sandboxes"))
    yield sandboxes
    for started in sandboxes.running:
        started.process.kill()


def _worker_is_up(child: Child) -> bool:
    return " ready." in child.tail(100_000)  # behind it may stand what it found in its queue


@pytest.fixture
def celery_worker_process(transactional_db: None) -> Iterator[Child]:
    """A real worker of its own; the test may signal or kill it."""
    child = new_child("worker", [*WORKER, "--hostname", f"test-{os.getpid()}-{time.monotonic_ns()}@%h"])
    child.log.unlink(missing_ok=True)
    child.start()
    try:
        wait_for(lambda: _worker_is_up(child), child)
        yield child
    finally:
        child.end(grace=5)


@pytest.fixture(scope="module")
def hub_processes(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Started at the first test of a module that asks for `live_hub`, gone after its last.

    Never longer: a worker and a dispatcher left running would do the work that tests of other modules look at.
    """
    port = free_port()
    web = [
        sys.executable, "-m", "gunicorn", "mdm.wsgi:application", "--bind", f"127.0.0.1:{port}",
        "--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "3", "--config", "python:mdm.serving",
        "--no-control-socket",
    ]  # fmt: skip
    hub = Hub(
        f"http://127.0.0.1:{port}",
        new_child("web", web, PORT=str(port)),
        new_child("worker", [*WORKER, "--hostname", f"hub-{os.getpid()}@%h"]),
        new_child("beat", [*BEAT, "--schedule", str(tmp_path_factory.mktemp("beat") / "schedule")]),
        new_child("dispatcher", DISPATCHER),
    )
    try:
        hub.start()
        yield hub
    finally:
        hub.stop()


@pytest.fixture
def live_hub(transactional_db: None, hub_processes: Hub) -> Iterator[Hub]:
    """The hub over HTTP on an empty database; processes a test has killed are started again for the next."""
    yield hub_processes
    for child in hub_processes.children:
        if child.exit_code() is not None:
            child.start()
    wait_for(lambda: says_ready(hub_processes.base_url), hub_processes.web)


def run_manage(*arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """`manage.py …` as an operator runs it, on this process's clone; the caller judges the exit code."""
    child = new_child("manage", [])
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=database.ROOT, env=child.environment, timeout=seconds,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
