"""Owns the SFTP side of the sandbox: who may sign in, the folder that is shown, and planned faults on the wire."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import asyncssh

from sync.sandbox import Request
from sync.sandbox_wire import HANG_S

if TYPE_CHECKING:
    from sync.connectors.sftp_csv.sandbox import SftpCsvSandbox

_NO_PACKET = b"\x00\x00\x00\x01\xff"  # of a type that does not exist


class Session(asyncssh.SSHServer):
    """A password, or one of the authorized keys."""

    def __init__(self, sandbox: SftpCsvSandbox) -> None:
        self._sandbox = sandbox

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        expected = f"{self._sandbox.client_id}\0{self._sandbox.secret}"
        return secrets.compare_digest(f"{username}\0{password}".encode(), expected.encode())

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = [one.public_data for one in self._sandbox.authorized]
        return username == self._sandbox.client_id and key.public_data in known


class Files(asyncssh.SFTPServer):
    """The folder. A file is delivered in the moment it gets a name that ends in .csv."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], sandbox: SftpCsvSandbox) -> None:
        super().__init__(channel, chroot=str(sandbox.folder).encode())
        self._sandbox = sandbox

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        path = PurePosixPath(newpath.decode())
        if path.suffix != ".csv":
            super().posix_rename(oldpath, newpath)
            return
        fault = self._sandbox.next_fault(Request("PUT", str(path), {}))
        await self._before(fault)
        super().posix_rename(oldpath, newpath)
        self._sandbox.receive(path.name, fault)
        await self._after(fault)

    async def _before(self, fault: str) -> None:
        """What goes wrong while nothing has happened yet."""
        if fault.startswith("slow:"):
            await asyncio.sleep(int(fault[5:]) / 1000)
        elif fault == "500" or fault.startswith("status:"):
            raise asyncssh.SFTPFailure("Planned fault: internal error.")
        elif fault == "unauthorised":
            raise asyncssh.SFTPPermissionDenied("Planned fault: not allowed.")
        elif fault in ("429", "503"):
            self.connection.disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, "Planned fault: too many sessions.")
            raise asyncssh.SFTPConnectionLost("disconnected")
        elif fault == "timeout_before":
            await self._hang()
        elif fault == "reset_before":
            self._reset()

    async def _after(self, fault: str) -> None:
        if fault == "timeout_after":
            await self._hang()
        elif fault == "reset_after":
            self._reset()
        elif fault == "garbage":
            self.channel.write(_NO_PACKET)

    async def _hang(self) -> None:
        """Say nothing until the client leaves."""
        ends = asyncio.get_running_loop().time() + HANG_S
        while not self.connection.is_closed() and asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(0.05)
        raise asyncssh.SFTPConnectionLost("the client left")

    def _reset(self) -> None:
        self.connection.abort()
        raise asyncssh.SFTPConnectionLost("reset")
