"""Owns the conversation with an SFTP server: a checked host and host key, a file put there in one piece, its answer."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import hashlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import asyncssh

from sync import hosts
from sync.connectors.sftp_csv.receipt import ACK, LARGEST, NAK
from sync.errors import Ambiguous, NotSent, SyncError, Throttled, Unauthorised
from sync.protocol import Config, Exchange
from sync.redact import Redactor

PORT = 22
BUSY_S = 30.0  # how long to leave a server alone that has no session left
_MODE = 0o640
_FAREWELL_S = 0.5
asyncssh.set_log_level("WARNING")  # it tells of every channel of every delivery otherwise
Found = TypeVar("Found")
Answer = tuple[str, bytes]  # .ack or .nak, and what stands in it


class Server:
    """One server and folder. A connection lives as long as one delivery: nothing is kept that could go stale."""

    def __init__(self, config: Config) -> None:
        self._config = config
        parts = urlsplit(config.base_url)
        self.host, self.port = parts.hostname or "", parts.port or PORT
        self.folder = PurePosixPath(unquote(parts.path) or "/")
        self.answers = PurePosixPath(str(config.options.get("answers") or self.folder))
        self.redactor = Redactor()
        self._exchanges: list[Exchange] = []
        self._committing = False  # from here on the receiver may have the file

    def exchanges(self) -> tuple[Exchange, ...]:
        said, self._exchanges = tuple(self._exchanges), []
        return said

    def begin(self) -> None:
        self._exchanges.clear()
        self._committing = False

    def put(self, name: str, content: bytes, shown: str) -> Answer | None:
        """Write, then show the file under its name in one step; what the receiver has answered already."""

        async def work(sftp: asyncssh.SFTPClient) -> Answer | None:
            if (answer := await self._answer(sftp, name)) is not None:
                return answer
            checksum = f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()
            await self._write(sftp, self.folder / f"{name}.sha256", checksum)
            await self._write(sftp, self.folder / name, content, last=True)
            return await self._answer(sftp, name)

        return self._talk("PUT", self.folder / name, work, shown)

    def look(self, name: str) -> Answer | None:
        """What the receiver answered to a file that is surely there."""
        return self._talk("GET", self.answers / name, lambda sftp: self._answer(sftp, name), "")

    def probe(self) -> None:
        """Everything a delivery does, with a file that no receiver takes."""

        async def work(sftp: asyncssh.SFTPClient) -> None:
            await self._write(sftp, self.folder / ".mdm-check", b"")
            await sftp.stat(self.answers)
            with contextlib.suppress(asyncssh.SFTPError):  # it may not be allowed to delete, and needs not
                await sftp.remove(self.folder / ".mdm-check")

        self._talk("PUT", self.folder / ".mdm-check", work, "")

    async def _write(
        self, sftp: asyncssh.SFTPClient, path: PurePosixPath, content: bytes, *, last: bool = False
    ) -> None:
        part = path.with_name(path.name + ".part")
        async with sftp.open(part, "wb", attrs=asyncssh.SFTPAttrs(permissions=_MODE)) as file:
            await file.write(content)
        self._committing = last
        try:
            await sftp.posix_rename(part, path)
        except asyncssh.SFTPOpUnsupported:
            words = "The server cannot replace a file in one step (posix-rename@openssh.com)."
            raise Unauthorised(words) from None

    async def _answer(self, sftp: asyncssh.SFTPClient, name: str) -> Answer | None:
        for kind in (NAK, ACK):
            try:
                async with sftp.open(self.answers / f"{name}{kind}", "rb") as file:
                    return kind, await file.read(LARGEST)
            except asyncssh.SFTPNoSuchFile:
                continue
        return None

    # Connecting

    def _talk(
        self,
        method: str,
        path: PurePosixPath,
        work: Callable[[asyncssh.SFTPClient], Awaitable[Found]],
        shown: str,
    ) -> Found:
        started, note = time.monotonic(), ""
        try:
            found = _aside(self._session(self._socket(), work, started))
            note = _words_of(found)
            return found
        except SyncError as error:
            note = error.message
            raise
        except Exception as error:
            failure = self._failure(error)
            note = failure.message
            raise failure from None
        finally:
            url = f"sftp://{self.host}:{self.port}{path}"
            took = round((time.monotonic() - started) * 1000)
            note = self.redactor.body(note)
            self._exchanges.append(Exchange(method, url, None, took, self.redactor.body(shown), note))

    async def _session(
        self, sock: socket.socket, work: Callable[[asyncssh.SFTPClient], Awaitable[Found]], started: float
    ) -> Found:
        left = self._config.timeout - (time.monotonic() - started)
        async with asyncio.timeout(left), self._connected(sock, left) as sftp:
            return await work(sftp)

    @contextlib.asynccontextmanager
    async def _connected(self, sock: socket.socket, left: float) -> AsyncIterator[asyncssh.SFTPClient]:
        """No settings of the machine's user are read: no known hosts, no keys, no agent."""
        config, expected = self._config, str(self._config.options.get("host_key") or "").split()
        if not expected:
            words = "Set the option host_key: the fingerprint SHA256:… that the owner of the server gave you."
            sock.close()
            raise Unauthorised(words)
        seen = _Client(expected)
        key = _private_key(config)
        connection = await asyncssh.connect(
            sock=sock,
            client_factory=lambda: seen,
            config=None,
            known_hosts=([], [], []),
            server_host_key_algs="default",
            username=config.client_id,
            password=None if key else config.secret,
            client_keys=[key] if key else None,
            agent_path=None,
            gss_host=None,
            keepalive_interval=0,
        )
        # Not only the work ends then, but also the polite farewells on its way out.
        end = asyncio.get_running_loop().call_later(left, connection.abort)
        try:
            yield await connection.start_sftp_client()
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            # The channel ends first, then the connection says why.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(connection.wait_closed(), _FAREWELL_S)
            raise seen.lost or error from None
        finally:
            end.cancel()
            connection.abort()

    def _socket(self) -> socket.socket:
        config = self._config
        if not config.base_url.startswith("sftp://"):
            raise Unauthorised("The address of this target has to be sftp://host:port/folder.")
        return hosts.connect(self.host, self.port, min(config.timeout, 10.0), config.private_hosts)

    def _failure(self, error: Exception) -> SyncError:
        """The error of `sync.errors`: an answer is a no, silence is a doubt once the file was to be shown."""
        words = self.redactor.text(str(error) or type(error).__name__)
        match error:
            case asyncssh.HostKeyNotVerifiable():
                return Unauthorised(f"The server is not the one that host_key names: {words}.")
            case asyncssh.PermissionDenied() | asyncssh.KeyImportError() | asyncssh.KeyEncryptionError():
                return Unauthorised(f"Signing in failed: {words}.")
            case asyncssh.SFTPPermissionDenied():
                return Unauthorised(f"The server does not let {self._config.client_id} write there: {words}")
            case asyncssh.DisconnectError(code=asyncssh.DISC_TOO_MANY_CONNECTIONS):
                wait = float(self._config.options.get("busy_s") or BUSY_S)
                return Throttled(f"The server has too many sessions: {words}", retry_after=wait)
            case asyncssh.SFTPConnectionLost() | asyncssh.SFTPNoConnection() | asyncssh.SFTPBadMessage():
                return self._lost(words)
            case asyncssh.SFTPError():
                return NotSent(f"The server did not take the file: {words}")
            case TimeoutError():
                return self._lost(f"no answer within {self._config.timeout:g} s")
        return self._lost(words)

    def _lost(self, words: str) -> SyncError:
        if self._committing:
            return Ambiguous(f"The connection was lost while the file was put in place: {words}.")
        return NotSent(f"The server could not be reached: {words}.")


class _Client(asyncssh.SSHClient):
    """Knows one server by the fingerprint of its key, several during a change of keys."""

    def __init__(self, expected: list[str]) -> None:
        self._expected = expected
        self.lost: Exception | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        if key.get_fingerprint("sha256") in self._expected:
            return True
        raise asyncssh.HostKeyNotVerifiable(f"it shows {key.get_fingerprint('sha256')}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc


def _aside(work: Coroutine[Any, Any, Found]) -> Found:
    """The result of `work`, on a thread of its own: the caller's may run an event loop already, and two do not fit."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(contextvars.copy_context().run, asyncio.run, work).result()


def _private_key(config: Config) -> asyncssh.SSHKey | None:
    """The option private_key; the secret is its passphrase then."""
    text = str(config.options.get("private_key") or "")
    return asyncssh.import_private_key(text, config.secret or None) if text else None


def _words_of(found: Any) -> str:
    if not isinstance(found, tuple):
        return "in place, no answer yet"
    kind, content = found
    return "acknowledged" if kind == ACK else f"refused: {content.decode('utf-8', 'replace')}"
