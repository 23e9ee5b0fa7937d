"""Owns when a request may be made: the hard deadline of every read and write, leave to begin a write at all, and
how many writes of a push were done.

The HTTP library's time-outs count per read; a target that drips one byte at a time would hold a request for
ever, and a request that outlives its lease could be applied after somebody else took over.
"""

from __future__ import annotations

import functools
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from sync import hosts

_clock = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything this thread reads or writes inside ends `seconds` from now."""
    _clock.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _clock.deadline = None


class Writes:
    """How many writes of one push the target answered as done."""

    done = 0


@contextmanager
def asking(leave: Callable[[], None]) -> Iterator[Writes]:
    """Inside, `leave` is called before every write of this thread; it raises when the right to write is gone. The
    writes that were done meanwhile are counted."""
    _clock.leave, _clock.writes = leave, Writes()
    try:
        yield _clock.writes
    finally:
        _clock.leave = _clock.writes = None


def ask_leave() -> None:
    """Call it inside the deadline of the write: a process frozen after it finds the deadline passed."""
    if leave := getattr(_clock, "leave", None):
        leave()


def count_write(number: int = 1) -> None:
    """A write was answered as done; -1 takes that back, when its body says otherwise."""
    if writes := getattr(_clock, "writes", None):
        writes.done += number


def make_transport(ca_file: str | None = None, private: Collection[str] | None = None) -> httpx.HTTPTransport:
    """`private`: what is allowed besides public addresses, see `sync.hosts`."""
    transport = httpx.HTTPTransport(verify=_context(ca_file), trust_env=False)
    # The library takes no network backend of ours through its constructor; its pool is replaced instead.
    transport._pool = httpcore.ConnectionPool(
        ssl_context=_context(ca_file),
        max_connections=10,
        keepalive_expiry=5.0,
        network_backend=_DeadlineBackend(private),
    )
    return transport


@functools.lru_cache(maxsize=8)
def _context(ca_file: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


class _DeadlineStream(httpcore.NetworkStream):
    """A socket that knows the deadline of the request it serves."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _DeadlineStream(self._stream.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _DeadlineBackend(httpcore.SyncBackend):
    def __init__(self, private: Collection[str] | None) -> None:
        self._private = private

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        last: Exception | None = None
        for address in self._addresses(host, port):
            kwargs["timeout"] = _left(kwargs.get("timeout"), httpcore.ConnectTimeout)
            try:
                return _DeadlineStream(super().connect_tcp(address, port, *args, **kwargs))
            except httpcore.ConnectError as error:
                last = error
        raise last or httpcore.ConnectError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            return hosts.addresses(host, port, self._private)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    deadline = getattr(_clock, "deadline", None)
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise error("the deadline of the request has passed")
    return left if timeout is None else min(timeout, left)
