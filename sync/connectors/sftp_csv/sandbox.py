"""Owns the sandbox of managed file transfer: a real SFTP server on the port of the control API, and the receiver behind it.

The receiver takes a file name once, checks its checksum, keeps the record, moves the file to `archive` and answers.
Its state is the SQLite file of every sandbox; the files lie beside it, in `<state>.files`.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import asyncssh

from sync.connectors.sftp_csv import table
from sync.connectors.sftp_csv.receipt import ACK, NAK
from sync.connectors.sftp_csv.sandbox_server import Files, Session
from sync.sandbox import Fail, Response, Sandbox, main
from sync.sandbox_store import Cause

_NAME = re.compile(r"^(?P<type>[a-z_]+)_[^_]+\.csv$")
_GUARDED = re.compile("'+[=+\\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]")
_TAKEN = "taken"  # the type under which file names are remembered
UNACKNOWLEDGED = "unacknowledged"  # planned: the file is taken, and no answer written


class SftpCsvSandbox(Sandbox):
    """`authorized` are public keys that may sign in besides the password."""

    name: ClassVar[str] = "sftp_csv"
    title: ClassVar[str] = "Managed file transfer"
    refuse_field: ClassVar[str] = "legal_name"
    kinds: ClassVar[tuple[str, ...]] = (UNACKNOWLEDGED,)
    speaks: ClassVar[bytes] = b"SSH-"

    def __init__(self, state: str, seed: str = "", **credentials: str) -> None:
        super().__init__(state, seed, **credentials)
        self.folder = Path(f"{state}.files")
        self.inbox, self.archive = self.folder / "inbox", self.folder / "archive"
        for folder in (self.inbox, self.archive):
            folder.mkdir(parents=True, exist_ok=True)
        self.host_key = _host_key(self.folder / "host_key")
        self.authorized: list[asyncssh.SSHKey] = []
        for left in sorted(self.inbox.glob("*.csv")):  # put in place just before it was killed
            self.receive(left.name)

    @classmethod
    def address(cls, url: str) -> str:
        return f"sftp://{url.removeprefix('http://')}/inbox"

    def target_options(self) -> dict[str, Any]:
        return {"host_key": self.host_key.get_fingerprint("sha256")}

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """A receiver starts out knowing nothing."""
        return iter(())

    def error(self, fail: Fail) -> Response:
        """Only the control API speaks HTTP."""
        return Response(fail.status, {"error": fail.message})

    def forget_sessions(self) -> None:
        for folder in (self.inbox, self.archive):
            for file in folder.iterdir():
                file.unlink()

    def take(self, connection: socket.socket) -> None:
        asyncio.run(self._serve(connection.dup()))

    async def _serve(self, connection: socket.socket) -> None:
        try:
            served = await asyncssh.run_server(
                connection,
                config=None,
                server_factory=lambda: Session(self),
                server_host_keys=[self.host_key],
                sftp_factory=lambda channel: Files(channel, self),
                allow_scp=False,
            )
            await served.wait_closed()
        except (asyncssh.Error, OSError):
            pass  # refused, or gone: the client knows why

    # The receiver

    def receive(self, name: str, planned: str = "") -> None:
        """One file from the inbox: taken once, answered each time."""
        found, content = _NAME.match(name), (self.inbox / name).read_bytes()
        problem = self._problem(name, content) if found else ",,name,The name is none of the agreed ones.\n"
        if planned == "refuse":
            problem = f"2,{self.refuse_field},invalid,Planned fault: the value of {self.refuse_field} is not allowed.\n"
        if found and not problem:
            self._keep(found["type"], name, content)
        shutil.move(self.inbox / name, self.archive / name)
        if planned != UNACKNOWLEDGED:
            (self.inbox / f"{name}{NAK if problem else ACK}").write_text(problem, "utf-8")

    def _problem(self, name: str, content: bytes) -> str:
        checksum = self.inbox / f"{name}.sha256"
        stated = checksum.read_text("ascii").split() if checksum.exists() else []
        if stated != [hashlib.sha256(content).hexdigest(), name]:
            return ",,checksum,The checksum does not fit the file.\n"
        return ""

    def _keep(self, type: str, name: str, content: bytes) -> None:
        (row,) = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
        values = {column: _plain(value) for column, value in row.items()}
        head = {column: values.pop(column) for column in table.HEAD}
        cause = Cause("PUT", f"/inbox/{name}", head["delivery"], head["correlation_id"])
        with self.store.transaction(cause):
            if self.store.get(_TAKEN, name):
                return
            self.store.put(_TAKEN, name, {}, log=False)
            known = self.store.get(type, head["key"])
            if head["action"] == "block" and known:
                values = {**known.fields, "status": values["status"]}
            self.store.put(type, head["key"], {**values, "version": head["version"]})


def _plain(value: str) -> str:
    return value[1:] if _GUARDED.match(value) else value


def _host_key(file: Path) -> asyncssh.SSHKey:
    """The same for the life of the state, so that its fingerprint stays true."""
    if not file.exists():
        file.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        file.chmod(0o600)
    return asyncssh.read_private_key(file)


if __name__ == "__main__":
    sys.exit(main(SftpCsvSandbox))
