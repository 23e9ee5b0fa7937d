"""Owns the processes of a fault run: two Celery workers, dispatcher, web, sandboxes, PostgreSQL and Redis, each to be killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from mdm.demo.child import Child
from mdm.embedded import account, processes, state
from mdm.embedded.postgres import Cluster
from mdm.embedded.redis_server import RedisServer
from tests.bench.ground import Ground
from tests.faults import platforms
from tests.fixtures_processes import answers
from tests.ports import free_port
from tests.sync.world import Side

WORKERS = 2
STARTING_S = 1.0  # of processor time: so much a process of the hub needs at least before it does anything


class House:
    """Started whole; whatever is killed is started again at once, as any supervisor would."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.killed: Counter[str] = Counter()
        self._groups: set[int] = set()  # of everything ever started here: pool processes outlive a killed worker
        self._servers()
        self.port = free_port()
        bind = ["--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread", "--threads", "4"]
        self.web = ground.child(
            "web", "-m", "gunicorn", "mdm.wsgi:application", *bind, "--config", "python:mdm.serving",
            "--graceful-timeout", "2", "--no-control-socket",
        )  # fmt: skip
        self.dispatcher = ground.child("dispatcher", "manage.py", "dispatcher")
        self.workers = [self._worker(number) for number in range(WORKERS)]
        self.sandboxes = {name: self._sandbox(name) for name in platforms.with_sandbox()}

    @property
    def hub(self) -> list[Child]:
        return [self.web, self.dispatcher, *self.workers]

    def open_sandboxes(self) -> None:
        """Before the hub starts: targets are set up with what the sandboxes say of themselves."""
        for child, _ in self.sandboxes.values():
            self._start(child)
        for child, url in self.sandboxes.values():
            _wait(lambda url=url: answers(f"{url}/_control/faults"), child)  # type: ignore[misc]

    def start(self) -> None:
        for child in self.hub:
            self._start(child)
        _wait(lambda: answers(f"http://127.0.0.1:{self.port}/healthz"), self.web)

    def stop(self) -> None:
        for child in [*self.hub, *(child for child, _ in self.sandboxes.values())]:
            child.signal(signal.SIGTERM)
        for child in [*self.hub, *(child for child, _ in self.sandboxes.values())]:
            child.end(grace=5)
        for group in self._groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass

    def side(self, name: str) -> Side:
        return Side(f"{self.sandboxes[name][1]}/_control")

    # What can happen to it

    def kill(self, kind: str, chance: random.Random) -> None:
        """kill -9 of a main process, or of one process of a worker's pool. One that is still starting is spared: on a busy
        machine nobody would ever come up."""
        if kind == "pool child":
            if children := _children(chance.choice(self.workers).pid):
                self.killed[kind] += 1
                _kill(chance.choice(children))
            return
        child = {"web": self.web, "dispatcher": self.dispatcher}.get(kind) or chance.choice(self.workers)
        if child.pid and child.exit_code() is None:
            if sum(map(_used_s, [child.pid, *_children(child.pid)])) < STARTING_S:
                return
            self.killed[kind] += 1
            _kill(child.pid)
        while child.exit_code() is None:
            time.sleep(0.01)
        self._start(child)

    def crash_postgres(self) -> None:
        """`pg_ctl -m immediate`: sessions cut off, no checkpoint, recovery at the next start."""
        self.killed["PostgreSQL"] += 1
        running = self.cluster.running()
        assert running
        os.kill(running[0], signal.SIGQUIT)
        processes.wait_until_gone(running[0], 30)
        port = self.cluster.start()
        assert port == running[1], "PostgreSQL came back at another port"

    def flush_redis(self) -> None:
        import redis

        self.killed["FLUSHALL"] += 1
        with redis.Redis.from_url(self.ground.environment["REDIS_URL"]) as client:
            client.flushall()

    def stop_redis(self) -> None:
        self.killed["Redis stopped"] += 1
        self.redis.stop()

    def start_redis(self) -> None:
        self.redis.start()

    # Inside

    def _servers(self) -> None:
        var = self.ground.var
        home, secrets = account.find_home(var, print), state.load_secrets(var)
        self.cluster = Cluster(var, home, secrets, lambda _: None, durable=True, attached=True)
        self.redis = RedisServer(var, home, secrets["redis_password"], print, attached=True)

    def _worker(self, number: int) -> Child:
        return self.ground.child(
            f"worker-{number}", "-m", "celery", "--app", "mdm", "worker", "--concurrency", "2", "--loglevel", "WARNING",
            "--without-gossip", "--without-mingle", "--without-heartbeat", "--hostname", f"storm-{number}@%h",
        )  # fmt: skip

    def _sandbox(self, name: str) -> tuple[Child, str]:
        folder = self.ground.var / "sandboxes" / name
        shutil.rmtree(folder, ignore_errors=True)
        port = free_port()
        child = self.ground.child(
            f"sandbox-{name}", "-m", f"sync.connectors.{name}.sandbox", "--port", str(port),
            "--state", str(folder / "state.sqlite3"),
        )  # fmt: skip
        return child, f"http://127.0.0.1:{port}"

    def _start(self, child: Child) -> None:
        child.start()
        assert child.pid
        self._groups.add(child.pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _used_s(pid: int) -> float:
    """Processor time of a process and of its children that ended; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _children(parent: int | None) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _wait(condition: object, child: Child, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if child.exit_code() is not None or time.monotonic() > ends:
            sys.exit(f"{child.name} is not up; the end of {child.log}:\n{child.tail(30)}")
        time.sleep(0.1)
