"""The tests' databases: one template per state of the migrations, one clone of it per pytest process.

`default` is the application's login and `owner` the owner's, both on the clone, exactly as in production.
Services live under var/test; with DATABASE_URL and REDIS_URL set, those are used (the owner needs CREATEDB).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from mdm import embedded
from mdm.embedded import processes

ROOT = Path(__file__).resolve().parent.parent
VAR = (ROOT / os.environ.get("MDM_TEST_VAR", "var/test")).absolute()
_TEMPLATE, _CLONE = "mdm_template_", "mdm_test_"
_held: list[IO[str]] = []  # open files whose locks this process keeps until it ends


def point_environment() -> None:
    """Start the services unless they run; the three URLs then name what belongs to this process alone."""
    if os.environ.get("MDM_TEST_PROCESS") == str(os.getpid()):
        return
    os.environ["MDM_TEST_PROCESS"] = str(os.getpid())
    os.environ["MDM_ENV"] = "test"
    # An xdist worker inherits what its controller set: go back to what was given from outside.
    given = os.environ.setdefault("MDM_TEST_GIVEN", ",".join(sorted(embedded.given())))
    for name in ("DATABASE_URL", "DATABASE_APP_URL", "REDIS_URL"):
        if name not in given.split(","):
            os.environ.pop(name, None)
    VAR.mkdir(parents=True, exist_ok=True)
    _join_users()
    os.environ.update(embedded.start(VAR, say=_say, durable=False, owner_creates_databases=True))
    for name in ("DATABASE_URL", "DATABASE_APP_URL"):
        os.environ[name] = _with_path(os.environ[name], clone_name())
    os.environ["REDIS_URL"] = _with_path(os.environ["REDIS_URL"], str(_free_redis_number()))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # pytest's own closing line stays the last on stdout


def leave_services() -> None:
    """At the end of a run: stop PostgreSQL and Redis, unless another run is using them."""
    while _held:
        _held.pop().close()
    with (VAR / "users.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        embedded.stop(VAR)


def _join_users() -> None:
    """Whoever holds this lock shared is using the services; it waits while somebody is stopping them."""
    file = (VAR / "users.lock").open("a")
    fcntl.flock(file, fcntl.LOCK_SH)
    _held.append(file)


def clone_name() -> str:
    """Named by pid, so that a later run can sweep the databases of a killed one."""
    return f"{_CLONE}{os.getpid()}"


def create_clone() -> None:
    """Make this process's database from the template; the first process to come builds the template."""
    with locked("template.lock"), _connect("postgres") as connection:
        _sweep(connection)
        template = _TEMPLATE + _fingerprint()
        if template not in _databases(connection):
            _build(connection, template)
        connection.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", clone_name()))
        connection.execute(_sql("CREATE DATABASE {} TEMPLATE {}", clone_name(), template))


def drop_clone() -> None:
    """What still has a connection that the owner may not end (autovacuum, a thread of a test) is left: the next run sweeps."""
    with _connect("postgres") as connection:
        for _again in range(5):
            try:
                connection.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", clone_name()))
                return
            except psycopg.errors.InsufficientPrivilege:
                time.sleep(0.2)


def connect_as_owner() -> psycopg.Connection:
    """A connection of the owner to this process's clone, outside Django."""
    return _connect(clone_name())


def _build(connection: psycopg.Connection, template: str) -> None:
    """By the commands an operator uses, in a database beside, renamed when whole."""
    building = _TEMPLATE + "building"
    connection.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", building))
    connection.execute(_sql("CREATE DATABASE {}", building))
    environment = dict(os.environ)
    for name in ("DATABASE_URL", "DATABASE_APP_URL"):
        environment[name] = _with_path(environment[name], building)
    environment["DJANGO_SETTINGS_MODULE"] = "mdm.settings"
    # Checks belong to `make lint`; here they would only tell what some other file has not got yet.
    for command in (["migrate", "--database", "owner", "--skip-checks", "--verbosity", "0"], ["provision_role"]):
        done = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"manage.py {command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    connection.execute(_sql("ALTER DATABASE {} RENAME TO {}", building, template))


def _fingerprint() -> str:
    """Of everything that makes the template: migrations, the SQL they take from elsewhere, the grants."""
    digest = hashlib.sha256()
    for package in ("mdm", "dimensions", "suppliers", "sync"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.parent.name == "migrations" or re.search(r"provision|guards|grants|seed", path.name):
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _sweep(connection: psycopg.Connection) -> None:
    """Clones of processes that no longer live, and templates of other fingerprints nobody is cloning."""
    current = _TEMPLATE + _fingerprint()
    local = "DATABASE_URL" not in os.environ["MDM_TEST_GIVEN"]  # elsewhere, a pid says nothing
    for name in _databases(connection):
        owner = name.removeprefix(_CLONE)
        dead = local and name.startswith(_CLONE) and owner.isdigit() and not processes.alive(int(owner))
        if dead or (name.startswith(_TEMPLATE) and name != current):
            try:
                connection.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))
            except psycopg.errors.ObjectInUse:
                pass  # somebody is connected as another role: the next run will try again


def _databases(connection: psycopg.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}


def _connect(database: str) -> psycopg.Connection:
    return psycopg.connect(_with_path(os.environ["DATABASE_URL"], database), autocommit=True)


def _with_path(url: str, path: str) -> str:
    return urlsplit(url)._replace(path=f"/{path}").geturl()


def _sql(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*(sql.Identifier(name) for name in names))  # type: ignore[arg-type]


@contextmanager
def locked(name: str) -> Iterator[None]:
    with (VAR / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _free_redis_number() -> int:
    """A logical database of Redis no other test process uses; the lock is kept until this one ends."""
    for number in range(1, 64):
        file = (VAR / f"redis-{number}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        _held.append(file)
        return number
    raise RuntimeError("More than 63 test processes at once.")
