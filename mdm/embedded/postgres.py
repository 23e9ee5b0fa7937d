"""One PostgreSQL cluster under var/: made, started, given roles and database, stopped."""

from __future__ import annotations

import locale
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from mdm.embedded import processes, state
from mdm.embedded.account import Home
from mdm.embedded.binaries import postgres_folder
from mdm.embedded.missing import Missing

SUPERUSER, OWNER, APP, DATABASE = "mdm_superuser", "mdm_owner", "mdm_app", "mdm"
_LONGEST_SOCKET_FOLDER = 80  # a socket's whole path may have 107 bytes
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    # The log must not repeat what is in the rows: no failing statement, no DETAIL line.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
_STILL_DYING = ("shared memory block", "lock file")  # of a killed server: gone within a second or two
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Cluster:
    var: Path
    home: Home
    passwords: dict[str, str]
    say: Callable[[str], None]
    durable: bool = True
    attached: bool = False
    owner_creates_databases: bool = False

    @property
    def data(self) -> Path:
        return self.home.path / "data"

    @property
    def log(self) -> Path:
        return self.var / "log" / "postgres.log"

    def start(self) -> int:
        """Start unless it runs already; returns its port."""
        while running := self.running():  # a server just killed still shows for a moment
            if self._answers(running[1]):
                return running[1]
            time.sleep(0.1)
        self._forget_stranger()
        programs = postgres_folder(self.home, self.data)
        if not self.data.exists():
            self._initialise(programs)
        for _ in range(3):  # somebody may take the port between our look and the bind
            port = state.port_for(self.var, "postgres")
            if self._launch(programs, port):
                self._provide(port)
                return port
        raise Missing(f"PostgreSQL does not start; the last lines of {self.log}:\n{self._tail()}")

    def running(self) -> tuple[int, int] | None:
        """(pid, port) of our server. Only looks: others may be starting it at this moment."""
        noted = self._noted()
        return noted if noted and processes.alive(noted[0]) and self._is_ours(noted[0]) else None

    def stop(self) -> bool:
        """`fast`: sessions are ended, everything committed is kept."""
        running = self.running()
        if running:
            processes.end(running[0], first=signal.SIGINT, grace=30)
        return bool(running)

    def connect(self, port: int, database: str = DATABASE) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=SUPERUSER,
            password=self.passwords["superuser_password"],
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def _initialise(self, programs: Path) -> None:
        """Into a folder beside, renamed when whole: a kill in between leaves nothing half made."""
        fresh, password = self.home.path / "data.new", self.home.path / "superuser"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(self.passwords["superuser_password"])
        for path in (fresh, password):
            self.home.account.give(path)
        self.say("making the database (a few seconds)")
        command = [str(programs / "initdb"), "-D", str(fresh), "-U", SUPERUSER, f"--pwfile={password}"]
        command += [
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            f"--locale={_utf8_locale()}",
            "--data-checksums",
        ]
        if not self.durable:
            command.append("--no-sync")
        done = subprocess.run(
            command, cwd=self.home.path, env=_bare_environment(), capture_output=True, text=True, check=False,
            **self.home.account.switch(),
        )  # fmt: skip
        password.unlink()
        if done.returncode:
            raise Missing(f"PostgreSQL could not make its data folder:\n{done.stdout[-500:]}{done.stderr[-1500:]}")
        fresh.rename(self.data)

    def _launch(self, programs: Path, port: int) -> bool:
        settings = _SETTINGS | ({} if self.durable else _NOT_DURABLE)
        settings |= {"port": str(port), "unix_socket_directories": f'"{self._socket_folder()}"'}
        command = [str(programs / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        for attempt in range(20):
            server = self._spawn(command)
            if self._accepts(server, port):
                return True
            if not any(words in self._tail() for words in _STILL_DYING):
                return False
            time.sleep(0.3 + attempt / 10)
            if attempt >= 5:
                self._forget_dead_server()
        return False

    def _noted(self) -> tuple[int, int] | None:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return int(lines[0]), int(lines[3])
        except (OSError, IndexError, ValueError):
            return None

    def _is_ours(self, pid: int) -> bool:
        command = processes.command_line(pid)
        return "postgres" in command and str(self.data) in command

    def _forget_stranger(self) -> None:
        """After a kill the pid may have been given to another program; PostgreSQL would take that for its server."""
        noted = self._noted()
        if noted and processes.command_line(noted[0]) and not self._is_ours(noted[0]):
            (self.data / "postmaster.pid").unlink()

    def _forget_dead_server(self) -> None:
        """Where nobody collects ended processes (some containers), a killed server keeps its pid for ever."""
        noted = self._noted()
        if noted and not processes.alive(noted[0]):
            (self.data / "postmaster.pid").unlink()

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.home.path, env=_bare_environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
                start_new_session=True,
                preexec_fn=processes.die_with_parent(signal.SIGINT) if self.attached else None,
                **self.home.account.switch(),
            )  # fmt: skip

    def _accepts(self, server: subprocess.Popen[bytes], port: int) -> bool:
        """Wait while it starts or recovers; False when it ended."""
        told = time.monotonic()
        while server.poll() is None:
            if self._answers(port):
                return True
            if time.monotonic() - told > 5:
                told = time.monotonic()
                self.say("the database is recovering what was under way when it was killed")
            time.sleep(0.05)
        return False

    def _answers(self, port: int) -> bool:
        try:
            self.connect(port, "postgres").close()
        except psycopg.OperationalError as problem:
            if "password authentication failed" not in str(problem):
                return False
            self.stop()
            raise Missing(f"{self.var / state.SECRETS} is not the one this database was made with.") from None
        return True

    def _provide(self, port: int) -> None:
        """The two logins and the database; safe to repeat."""
        can = "CREATEDB" if self.owner_creates_databases else "NOCREATEDB"
        with self.connect(port, "postgres") as connection:
            for role, password, right in (
                (OWNER, "owner_password", can),
                (APP, "app_password", "NOCREATEDB"),
            ):
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
                statement = "ALTER ROLE {} " if known else "CREATE ROLE {} "
                statement += f"LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION {right} PASSWORD {{}}"
                connection.execute(
                    sql.SQL(statement).format(sql.Identifier(role), sql.Literal(self.passwords[password]))
                )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
            connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
            connection.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {APP}")

    def _socket_folder(self) -> Path:
        folder = self.home.path / "run"
        if len(os.fsencode(folder)) > _LONGEST_SOCKET_FOLDER:
            remembered = state.read(self.var / "pg" / "sockets.json")
            folder = Path(remembered.get("path", "/nowhere"))
            if not folder.is_dir() or folder.is_symlink():
                folder = Path(tempfile.mkdtemp(prefix="mdm-run-", dir="/tmp"))
                state.write(self.var / "pg" / "sockets.json", {"path": str(folder)})
        state.make_folder(folder, 0o700)
        self.home.account.give(folder)
        return folder

    def _tail(self) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        except OSError:
            return ""


def _bare_environment() -> dict[str, str]:
    """Nothing of the caller's: PG… variables would change what the programs do."""
    return {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LC_MESSAGES": "C"}


def _utf8_locale() -> str:
    """Upper and lower case of every letter, and the same order of names on every machine where possible."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "en_US.UTF-8"):
            try:
                locale.setlocale(locale.LC_CTYPE, name)
                return name
            except locale.Error:
                continue
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
