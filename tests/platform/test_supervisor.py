"""The supervisor of the demo, run for real with small servers: Ctrl-C, kill -9, a dying process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mdm import embedded
from mdm.demo import lineup
from mdm.demo.leftovers import Leftovers
from mdm.embedded import processes, state
from tests import database
from tests.ports import free_port


class SmallDemo:
    """One run of tests/platform/small_demo.py in a terminal of its own."""

    def __init__(self, var: Path, port: int) -> None:
        self.var, self.port, self.output = var, port, var.parent / "console.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> SmallDemo:
        environment = {name: value for name, value in os.environ.items() if name not in embedded.given()}
        command = [sys.executable, "-m", "tests.platform.small_demo", str(self.var), str(self.port)]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=database.ROOT,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self

    def said(self) -> str:
        return self.output.read_text()

    def until(self, condition: Callable[[], object], seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def until_ready(self) -> SmallDemo:
        self.until(lambda: "ready after" in self.said())
        return self

    def pids(self) -> dict[str, int]:
        """Of the web server and the stubborn process."""
        commands = state.read(self.var / "children.json")
        return {("web" if "http.server" in command else "stubborn"): int(pid) for pid, command in commands.items()}

    def all_pids(self) -> list[int]:
        postmaster = int((self.var / "pg" / "data" / "postmaster.pid").read_text().split()[0])
        return [*self.pids().values(), postmaster, state.read(self.var / "pg" / "redis.json")["pid"]]

    def end(self, signum: int) -> int:
        assert self.process
        os.kill(self.process.pid, signum)
        return self.process.wait(30)


@pytest.fixture
def demo() -> Iterator[SmallDemo]:
    yield from _small_demo()


@pytest.fixture(scope="module")
def running() -> Iterator[SmallDemo]:
    """One demo for the tests that only look at it."""
    for small in _small_demo():
        users = [{"username": "ada", "password": "pw", "role": "steward"}]
        state.make_folder(small.var, 0o755)
        (small.var / "demo_users.json").write_text(json.dumps({"users": users, "tokens": {"steward": "t"}}))
        yield small.start().until_ready()


def _small_demo() -> Iterator[SmallDemo]:
    outer = Path(tempfile.mkdtemp(prefix="mdm-demo-"))
    outer.chmod(0o711)
    small = SmallDemo(outer / "var", free_port())
    yield small
    if small.process and small.process.poll() is None:
        small.end(signal.SIGKILL)
    Leftovers(small.var / "children.json").sweep(lambda text: None)
    embedded.reset(small.var)
    shutil.rmtree(outer)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_everything(demo, signum):
    demo.start().until_ready()
    pids = demo.all_pids()
    assert demo.end(signum) == 0
    assert [pid for pid in pids if processes.alive(pid)] == []
    assert "nothing is running any more" in demo.said()
    assert "Traceback" not in demo.said()


def test_a_killed_supervisor_leaves_no_process_and_starts_again(demo):
    demo.start().until_ready()
    pids = demo.all_pids()
    demo.end(signal.SIGKILL)
    # The stubborn one ignores SIGTERM: the next start sweeps it.
    demo.until(lambda: [pid for pid in pids if processes.alive(pid)] in ([], [demo.pids()["stubborn"]]))
    demo.output.unlink()
    demo.start().until_ready()
    assert not set(pids) & set(demo.all_pids())
    assert [pid for pid in pids if processes.alive(pid)] == []


def test_what_dies_is_started_again(demo):
    demo.start().until_ready()
    first = demo.pids()["web"]
    os.kill(first, signal.SIGKILL)
    demo.until(lambda: demo.pids()["web"] != first and _answers(demo.port))
    assert re.search(r"web ended \(exit code -9\), starts again in 1 s: .*web\.log", demo.said())


def test_a_killed_database_and_redis_are_started_again(demo):
    demo.start().until_ready()
    killed = set(demo.all_pids()[-2:])
    for pid in killed:
        os.kill(pid, signal.SIGKILL)

    def revived() -> bool:
        try:
            return embedded.is_running(demo.var) and not killed & set(demo.all_pids())
        except OSError:  # a pid file is being replaced at this moment
            return False

    demo.until(revived)
    assert "PostgreSQL or Redis has ended; starting it again" in demo.said()


def test_only_lines_that_matter_reach_the_console(running):
    urllib.request.urlopen(f"http://127.0.0.1:{running.port}/seen").close()
    running.until(lambda: "web | 2026-01-01 10:00:00,000 E small a line that matters /seen" in running.said())


def test_what_programs_need_is_written_for_the_owner_only(running):
    path = running.var / "demo.json"
    content = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert content["base_url"] == f"http://127.0.0.1:{running.port}"
    assert content["users"] == [{"username": "ada", "password": "pw", "role": "steward"}]
    assert content["tokens"] == {"steward": "t"}
    assert set(content["sandboxes"]) == set(lineup.names()) > {"s4hana", "coupa", "netsuite"}
    for sandbox in content["sandboxes"].values():
        assert sandbox["control"] == sandbox["url"] + "/_control"
    assert "steward  ada    pw" in running.said()


def test_a_taken_port_is_said_in_words(demo):

    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", demo.port))
        squatter.listen()
        demo.start()
        assert demo.process.wait(30) == 1
    assert f"Port {demo.port} is taken by another program; try PORT={demo.port + 1} make demo" in demo.said()
    assert not (demo.var / "pg").exists()


def test_a_second_demo_of_the_same_checkout_is_refused(running):
    second = SmallDemo(running.var, free_port()).start()
    assert second.process.wait(30) == 1
    first = f"{running.process.pid} http://127.0.0.1:{running.port}"
    assert f"already runs (process and address: {first})" in running.said()
    assert _answers(running.port)


def test_a_failing_step_ends_the_start(demo, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in embedded.given()}
    script = "import sys; from pathlib import Path; from mdm.demo import lineup, supervisor\n"
    script += "lineup.sandboxes = lambda *a: []; lineup.PREPARATION = [sys.executable, '-c', 'sys.exit(3)']\n"
    script += "sys.exit(supervisor.Supervisor(Path(sys.argv[1]), int(sys.argv[2])).run())"
    done = subprocess.run(
        [sys.executable, "-c", script, str(demo.var), str(demo.port)],
        cwd=database.ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "its preparation has failed (exit code 1), see above" in done.stdout
    assert "supervisor.py" not in done.stdout + done.stderr  # no traceback of ours on top of the step's own


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
    except OSError:
        return False
    return True
