"""The embedded PostgreSQL and Redis, started for real in folders of their own and killed on purpose."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from mdm import embedded
from mdm.embedded import processes, state
from mdm.embedded.account import Account
from mdm.embedded.missing import Missing
from tests import database


@pytest.fixture
def var(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh var/ with a blank in its path, no URLs given; what runs in it is ended afterwards.

    Not below pytest's own folder: that one is closed to the account the servers run under.
    """
    for name in ("DATABASE_URL", "DATABASE_APP_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    outer = Path(tempfile.mkdtemp(prefix="mdm-test-"))
    outer.chmod(0o711)
    yield outer / "a var"
    embedded.reset(outer / "a var")
    shutil.rmtree(outer)


def _quiet(text: str) -> None:
    pass


def _execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _server_pid(var: Path) -> int:
    home = Path(state.read(var / "pg" / "location.json").get("path", var / "pg"))
    return int((home / "data" / "postmaster.pid").read_text().split()[0])


def _kill_everything(var: Path) -> None:
    postmaster = _server_pid(var)
    sessions = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True, check=False)
    secrets, ports = state.read(var / state.SECRETS), state.read(var / state.PORTS)
    redis_pid = redis.Redis(port=ports["redis"], password=secrets["redis_password"]).info("server")["process_id"]
    for pid in (postmaster, redis_pid, *map(int, sessions.stdout.split())):
        os.kill(pid, signal.SIGKILL)
    processes.wait_until_gone(postmaster, 5)


@pytest.mark.database
def test_start_is_complete_and_repeatable(var):
    first = embedded.start(var, say=_quiet)
    pid = _server_pid(var)
    assert embedded.start(var, say=_quiet) == first
    assert _server_pid(var) == pid
    assert _execute(first["DATABASE_APP_URL"], "SELECT current_user::text, current_setting('fsync')") == [
        ("mdm_app", "on")
    ]
    assert redis.Redis.from_url(first["REDIS_URL"]).ping()
    assert {"MDM_SECRET_KEY", "MDM_MASTER_KEYS", "MDM_INDEX_KEY", "MDM_VAR_DIR"} <= set(first)


@pytest.mark.database
def test_killed_servers_keep_what_was_committed(var):
    urls = embedded.start(var, say=_quiet)
    _execute(urls["DATABASE_URL"], "CREATE TABLE kept AS SELECT generate_series(1, 5000) AS number")
    for _ in range(2):
        _execute(urls["DATABASE_URL"], "INSERT INTO kept VALUES (0)")
        _kill_everything(var)
        assert embedded.start(var, say=_quiet) == urls  # same ports, same passwords
    assert _execute(urls["DATABASE_URL"], "SELECT count(*) FROM kept") == [(5002,)]


@pytest.mark.database
def test_a_pid_file_that_names_a_stranger_is_no_obstacle(var):
    urls = embedded.start(var, say=_quiet)
    pid_file = next((var / "pg").glob("data/postmaster.pid"))
    content = pid_file.read_text().splitlines()
    embedded.stop(var)
    pid_file.write_text("\n".join([str(os.getpid()), *content[1:]]) + "\n")
    assert embedded.start(var, say=_quiet) == urls
    assert _server_pid(var) != os.getpid()


def test_secrets_are_for_their_owner_only(var):
    urls = embedded.start(var, say=_quiet)
    assert stat.S_IMODE((var / "secrets.json").stat().st_mode) == 0o600
    secrets = state.read(var / "secrets.json")
    assert secrets["DATABASE_URL"] == urls["DATABASE_URL"]  # mdm.settings reads it there
    for name in ("data", "run"):
        assert stat.S_IMODE((var / "pg" / name).stat().st_mode) == 0o700
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    logs = "".join(path.read_text() for path in (var / "log").iterdir())
    for name in ("superuser_password", "owner_password", "app_password", "redis_password"):
        assert secrets[name] not in listed + logs


def test_wrong_passwords_are_refused(var):
    urls = embedded.start(var, say=_quiet)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(urls["DATABASE_URL"].replace("mdm_owner:", "mdm_owner:x"))
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(urls["REDIS_URL"].replace("redis://:", "redis://:x")).ping()


def test_started_by_root_the_servers_are_not_root(var):
    embedded.start(var, say=_quiet)
    owner = os.stat(f"/proc/{_server_pid(var)}").st_uid if Path("/proc").exists() else os.geteuid() or 1
    assert owner != 0
    if os.geteuid() != 0:
        assert owner == os.geteuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as somebody else")
def test_a_closed_folder_is_not_opened_the_data_live_elsewhere(var, monkeypatch):
    """As in a checkout below root's home, where the programs in .venv are as closed as var/."""
    monkeypatch.setattr(Account, "executes", lambda self, path: "/var/tmp/" in str(path))
    closed = var.parent / "closed"
    closed.mkdir(mode=0o700)
    said: list[str] = []
    inner = closed / "var"
    try:
        urls = embedded.start(inner, say=said.append)
        home = Path(state.read(inner / "pg" / "location.json")["path"])
        assert home.parent == Path("/var/tmp") and stat.S_IMODE(home.stat().st_mode) == 0o700
        assert any(str(home) in line for line in said)
        assert processes.command_line(_server_pid(inner)).startswith(f"{home}/programs/")
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert _execute(urls["DATABASE_URL"], "SELECT 1") == [(1,)]
    finally:
        embedded.reset(inner)
    assert not home.exists()


def test_given_urls_are_used_and_not_stored(var, monkeypatch):
    given = {name: f"{name.lower()}://somewhere" for name in ("DATABASE_URL", "DATABASE_APP_URL", "REDIS_URL")}
    for name, url in given.items():
        monkeypatch.setenv(name, url)
    urls = embedded.start(var, say=_quiet)
    assert {name: urls[name] for name in given} == given
    assert not (var / "pg").exists()
    assert "somewhere" not in (var / "secrets.json").read_text()


def test_lost_secrets_are_said_in_words(var):
    embedded.start(var, say=_quiet)
    embedded.stop(var)
    (var / "secrets.json").unlink()
    with pytest.raises(Missing, match=r"secrets\.json is not the one"):
        embedded.start(var, say=_quiet)


def test_a_folder_of_programs_without_postgres_is_said_in_words(var, monkeypatch):
    monkeypatch.setenv("MDM_PG_BIN", "/nowhere")
    with pytest.raises(Missing, match="MDM_PG_BIN=/nowhere holds no `postgres`"):
        embedded.start(var, say=_quiet)


def test_a_taken_port_is_changed_and_the_new_one_kept(var):
    embedded.start(var, say=_quiet)
    embedded.stop(var)
    port = state.read(var / state.PORTS)["postgres"]
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        urls = embedded.start(var, say=_quiet)
        assert f":{port}/" not in urls["DATABASE_URL"]
    embedded.stop(var)
    assert embedded.start(var, say=_quiet) == urls


def test_attached_servers_end_when_their_starter_is_killed(var):
    script = "import sys, time; from pathlib import Path; from mdm import embedded\n"
    script += "embedded.start(Path(sys.argv[1]), attached=True); print('up', flush=True); time.sleep(600)"
    starter = subprocess.Popen(
        [sys.executable, "-c", script, str(var)], cwd=database.ROOT, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout
    while "up" not in (line := starter.stdout.readline()):
        assert line, "the starter ended"
    pid = _server_pid(var)
    starter.kill()
    starter.wait()
    assert processes.wait_until_gone(pid, 20)


def test_reset_leaves_nothing(var):
    embedded.start(var, say=_quiet)
    pid = _server_pid(var)
    began = time.monotonic()
    embedded.reset(var)
    assert not processes.alive(pid) and time.monotonic() - began < 15
    assert sorted(path.name for path in var.iterdir()) == ["log", "ports.json"]
