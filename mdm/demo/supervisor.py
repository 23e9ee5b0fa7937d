"""Runs the demo: starts everything in order, starts again what dies, and ends all of it whatever happens."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import IO, Any

from mdm import embedded
from mdm.demo import card, lineup
from mdm.demo.child import Child
from mdm.demo.console import LogWatch, say
from mdm.demo.leftovers import Leftovers
from mdm.embedded import processes, state
from mdm.embedded.missing import Missing

GRACE = 8.0  # seconds to end what is under way
_LOOK_EVERY = 0.3  # seconds
_READY_WITHIN = 180.0
_LONGEST_PAUSE = 30.0
_SETTLED_AFTER = 60.0  # a process that ran this long starts again at once


class Stopped(BaseException):
    """Somebody asked us to stop; raised by the signal handler wherever we are."""


class Supervisor:
    def __init__(self, var: Path, port: int) -> None:
        self.var, self.port = var.absolute(), port
        self.base_url = f"http://127.0.0.1:{port}"
        self.children: list[Child] = []
        self._services: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._lock: IO[str] | None = None
        self._leftovers = Leftovers(self.var / "children.json")

    def run(self) -> int:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._ask_to_stop)
        try:
            self._claim()
            self._start()
            self._watch()
        except Stopped:
            say("stopping …")
        except Missing as problem:
            say(str(problem))
            return 1
        finally:
            self._stop()
        return 0

    def _ask_to_stop(self, signum: int, frame: Any) -> None:
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, self._insist)  # the first is an order to tidy up, the next to hurry
        raise Stopped

    def _insist(self, signum: int, frame: Any) -> None:
        for child in self.children:
            child.signal(signal.SIGKILL)

    def _claim(self) -> None:
        """One supervisor per checkout; the kernel frees the lock when it dies."""
        state.make_folder(self.var, 0o755)
        lock = (self.var / "demo.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Missing(
                f"The demo of this checkout already runs (process and address: {lock.read().strip()})."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()} {self.base_url}")
        lock.flush()
        self._lock = lock
        self._leftovers.sweep(say)
        if not state.is_free(self.port):
            raise Missing(f"Port {self.port} is taken by another program; try PORT={self.port + 1} make demo")

    def _start(self) -> None:
        began = time.monotonic()
        say("PostgreSQL and Redis …")
        self._services = embedded.start(self.var, say=say, attached=True)
        environment = self._environment(self._services)
        urls = lineup.sandbox_urls(self.var)
        environment |= {f"MDM_SANDBOX_{name.upper()}_URL": url for name, url in urls.items()}
        self._launch(lineup.sandboxes(self.var, urls, environment))
        self._prepare(environment)
        say("web, worker, beat and dispatcher …")
        self._launch(lineup.hub(self.var, self.port, environment))
        self._wait_until_ready()
        content = card.write_demo_json(self.var, self.base_url, urls)
        say(card.render(content, self.var))
        say(f"ready after {time.monotonic() - began:.0f} s")

    def _environment(self, services: dict[str, str]) -> dict[str, str]:
        given = dict(os.environ) | services
        given.setdefault("MDM_ENV", "demo")
        # Browsers share cookies between ports: two demos would log each other out.
        given.setdefault("MDM_SESSION_COOKIE", f"mdm_session_{self.port}")
        return given | {
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "mdm.settings",
        }

    def _launch(self, children: list[Child]) -> None:
        for child in children:
            child.start()
            self.children.append(child)
        self._leftovers.record(self.children)

    def _prepare(self, environment: dict[str, str]) -> None:
        """In the foreground, its progress on our terminal; ended with us, whatever ends us."""
        process = subprocess.Popen(
            lineup.PREPARATION,
            cwd=lineup.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=processes.die_with_parent(signal.SIGKILL),
        )
        try:
            if code := process.wait():
                raise Missing(f"The demo cannot start: its preparation has failed (exit code {code}), see above.")
        finally:
            if process.poll() is None:
                processes.end(process.pid, grace=5)

    def _wait_until_ready(self) -> None:
        web = next(child for child in self.children if child.name == "web")
        deadline = time.monotonic() + _READY_WITHIN
        while not self._is_ready():
            self._restart_dead()
            if time.monotonic() > deadline or self._failures.get("web", 0) > 3:
                raise Missing(f"The hub does not become ready; the end of {web.log}:\n{web.tail()}")
            time.sleep(_LOOK_EVERY)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _watch(self) -> None:
        watches = [LogWatch(child.name, child.log) for child in self.children]
        watches.append(LogWatch("postgres", self.var / "log" / "postgres.log"))
        while True:
            self._revive_services()
            self._restart_dead()
            for watch in watches:
                watch.look()
            time.sleep(_LOOK_EVERY)

    def _revive_services(self) -> None:
        """PostgreSQL recovers and keeps its port; the processes of the hub find it again by themselves."""
        if embedded.is_running(self.var):
            return
        say("PostgreSQL or Redis has ended; starting it again")
        if embedded.start(self.var, say=say, attached=True) != self._services:
            raise Missing("Another program has taken the port meanwhile: start the demo again.")

    def _restart_dead(self) -> None:
        """With a pause that doubles while a process keeps dying."""
        now = time.monotonic()
        for child in self.children:
            code = child.exit_code()
            if code is None:
                continue
            if child.name not in self._due:
                lived = now - child.started_at
                failures = 1 if lived > _SETTLED_AFTER else self._failures.get(child.name, 0) + 1
                pause = min(2.0 ** (failures - 1), _LONGEST_PAUSE)
                self._failures[child.name], self._due[child.name] = failures, now + pause
                say(f"{child.name} ended (exit code {code}), starts again in {pause:.0f} s: {child.log}")
            elif now >= self._due[child.name]:
                del self._due[child.name]
                child.kill()  # what it may have left behind
                child.start()
                self._leftovers.record(self.children)

    def _stop(self) -> None:
        """Those that take work first, the database last."""
        if self._lock is None:
            return
        for child in self.children:
            child.signal(signal.SIGTERM)
        for child in self.children:
            child.end(grace=GRACE)
        embedded.stop(self.var)
        self._leftovers.forget()
        say("stopped; nothing is running any more")
