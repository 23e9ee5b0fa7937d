"""Runs the real Tryton ERP for tests: installed in var/tryton-venv, its databases beside the hub's, one per test process.

Nothing of Tryton is imported: it is a process of its own, spoken to over HTTP. A template database is made once (about
a minute) and cloned per session. What is needed is installed; what is missing fails, it is never skipped.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from mdm.demo.child import Child
from mdm.embedded import processes, state
from mdm.embedded.postgres import SUPERUSER
from sync.connectors.tryton.wire import Api
from sync.protocol import Config
from sync.sandbox import CLIENT_ID, SECRET
from tests import database
from tests.fixtures_processes import answers, new_child, wait_for
from tests.ports import free_port

PROGRAMS = database.ROOT / "var" / "tryton-venv" / "bin"
MODULES = ("party", "bank", "company", "account_invoice", "analytic_account")
ROLE, TEMPLATE, CLONE = "tryton", "tryton_template_", "tryton_test_"
GROUPS = ("Party Administration", "Bank Administration", "Company Administration", "Accounting Administration")
GROUPS += ("Analytic Administration",)
COUNTRIES = {
    "AT": "Austria",
    "DE": "Germany",
    "ES": "Spain",
    "FR": "France",
    "GB": "United Kingdom",
    "US": "United States",
}
CURRENCIES = {"EUR": "Euro", "GBP": "Pound Sterling", "USD": "US Dollar"}
TERMS = {"Net 14 days": 14, "Net 45 days": 45, "Net 90 days": 90}  # beside those the module brings along


@contextmanager
def running() -> Iterator[Tryton]:
    """A trytond on a fresh clone, until the block ends."""
    _install()
    with _connect() as connection:
        template = _template(connection)
        name = f"{CLONE}{os.getpid()}"
        _drop(connection, name)
        connection.execute(_sql("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, template, ROLE))
        try:
            with _served(name) as tryton:
                yield tryton
        finally:
            _drop(connection, name)


class Tryton:
    """One database of a trytond that answers at `url`."""

    def __init__(self, url: str, name: str, process: Child) -> None:
        self.url, self.name, self.process = url, name, process

    def api(self, login: str = CLIENT_ID) -> Api:
        return Api(Config(self.url, login, SECRET, timeout=60, options={"database": self.name}))

    @contextmanager
    def sql(self) -> Iterator[psycopg.Connection]:
        with _connect(self.name) as connection:
            yield connection

    def forget_parties(self) -> None:
        """Back to no party at all; cheaper than another clone."""
        with self.sql() as connection:
            for table in (
                "analytic_account_account",
                "company_company",
                "bank_account",
                "party_party",
                "res_user_login_attempt",
            ):
                connection.execute(_sql("DELETE FROM {}", table))


def _install() -> None:
    with _locked("tryton-install.lock"):
        done = subprocess.run(
            ["requirements/install", "tryton"], cwd=database.ROOT, capture_output=True, text=True, check=False
        )
    if done.returncode:
        pytest.fail(f"Tryton cannot be installed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")


def _template(connection: psycopg.Connection) -> str:
    """Built beside and renamed when whole; named by what it is made from."""
    made_from = (database.ROOT / "requirements" / "tryton.txt").read_bytes()
    made_from += repr((MODULES, GROUPS, COUNTRIES, CURRENCIES, TERMS, CLIENT_ID, SECRET)).encode()
    name, building = TEMPLATE + hashlib.sha256(made_from).hexdigest()[:16], TEMPLATE + "building"
    with _locked("tryton-template.lock"):
        _sweep(connection, name)
        if name not in _databases(connection):
            _drop(connection, building)
            connection.execute(_sql("CREATE DATABASE {} OWNER {}", building, ROLE))
            _admin(building, "--all", "--email", "admin@nordhaven.example")
            _admin(building, "--update", *MODULES, "--activate-dependencies")
            with _served(building) as tryton:
                _furnish(tryton.api("admin"))
            connection.execute(_sql("ALTER DATABASE {} RENAME TO {}", building, name))
    return name


def _furnish(api: Api) -> None:
    """What an implementation team sets up: reference data, and a user for the hub that is no administrator."""
    for code, name in COUNTRIES.items():
        api.create("country.country", {"code": code, "name": name})
    for code, name in CURRENCIES.items():
        api.create("currency.currency", {"code": code, "name": name, "symbol": code})
    for name, days in TERMS.items():
        delta = {"days": days, "months": 0, "weeks": 0}
        line = {"type": "remainder", "relativedeltas": [["create", [delta]]]}
        api.create("account.invoice.payment_term", {"name": name, "lines": [["create", [line]]]})
    groups = [item["id"] for item in api.search_read("res.group", [["name", "in", list(GROUPS)]], ["name"])]
    assert len(groups) == len(GROUPS)
    user = {"name": "Master Data Hub", "login": CLIENT_ID, "password": SECRET, "groups": [["add", groups]]}
    api.create("res.user", user)


def _admin(name: str, *arguments: str) -> None:
    secret = _folder() / "password"
    secret.write_text(SECRET)
    configuration = _configuration(0)
    command = [str(PROGRAMS / "trytond-admin"), "-c", str(configuration), "-d", name, *arguments]
    environment = {**os.environ, "TRYTONPASSFILE": str(secret)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    configuration.unlink()
    if done.returncode:
        pytest.fail(f"trytond-admin {' '.join(arguments)} failed:\n{done.stdout[-1000:]}{done.stderr[-4000:]}")


@contextmanager
def _served(name: str) -> Iterator[Tryton]:
    port = free_port()
    configuration = _configuration(port)
    command = [str(PROGRAMS / "trytond"), "-c", str(configuration), "-d", name]
    child = new_child(f"trytond-{port}", command)
    child.start()
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/"), child)
        yield Tryton(f"http://127.0.0.1:{port}", name, child)
    finally:
        child.end(grace=5)
        configuration.unlink()


def _configuration(port: int) -> Path:
    """Readable by us alone: it holds the password of Tryton's database role."""
    file = _folder() / f"trytond-{os.getpid()}-{port}.conf"
    host, password = _server()
    text = f"[database]\nuri = postgresql://{ROLE}:{password}@{host}/\n[web]\nlisten = 127.0.0.1:{port}\n"
    file.touch(mode=0o600)
    file.write_text(text)
    return file


def _folder() -> Path:
    folder = database.VAR / "tryton"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _server() -> tuple[str, str]:
    """(host:port of the embedded PostgreSQL, the password of Tryton's role there)"""
    if "DATABASE_URL" in os.environ["MDM_TEST_GIVEN"].split(","):
        pytest.fail("The Tryton tests make a role and databases of their own: unset DATABASE_URL for them.")
    found = urlsplit(os.environ["DATABASE_URL"])
    secret = state.load_secrets(database.VAR)["superuser_password"]
    return f"{found.hostname}:{found.port}", hashlib.sha256(f"tryton {secret}".encode()).hexdigest()


def _connect(name: str = "postgres") -> psycopg.Connection:
    host, password = _server()
    secret = state.load_secrets(database.VAR)["superuser_password"]
    connection = psycopg.connect(f"postgresql://{SUPERUSER}:{secret}@{host}/{name}", autocommit=True)
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone()
    statement = ("ALTER" if known else "CREATE") + " ROLE {} LOGIN NOSUPERUSER NOCREATEDB PASSWORD {}"
    connection.execute(sql.SQL(statement).format(sql.Identifier(ROLE), sql.Literal(password)))
    return connection


def _sweep(connection: psycopg.Connection, current: str) -> None:
    """Clones of processes that no longer live, and templates of another making."""
    for name in _databases(connection):
        owner = re.fullmatch(rf"{CLONE}(\d+)", name)
        dead = owner and not processes.alive(int(owner[1]))
        if dead or (name.startswith(TEMPLATE) and name != current):
            _drop(connection, name)


def _databases(connection: psycopg.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))


def _sql(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*(sql.Identifier(name) for name in names))  # type: ignore[arg-type]


@contextmanager
def _locked(name: str) -> Iterator[None]:
    with (database.VAR / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
