"""Owns the points at which a fault run lets a process die as by kill -9, or freeze, to show that nothing rests on luck.

`CRASH_AT=<point>[:<signal>][@<file>]`, read by the settings of test runs only. With a file only the first process of
all that gets there is struck, so that the one started in its place goes on. Knows no Django: connectors end up here.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any

POINTS = (
    "sealed",  # events are numbered, nothing is made of them yet
    "dispatching",  # deliveries are written, their transaction is open
    "dispatched",  # deliveries are committed, nobody was told
    "ringing",  # about to ring for a worker
    "claiming",  # a lane is leased, the transaction is open
    "claimed",  # the lease is committed
    "prepared",  # the payload is rendered
    "looked",  # the target was asked whether it has the record
    "token",  # a token of its rate is taken
    "intended",  # the intent is committed, nothing was sent
    "sent",  # a write is on the wire, its answer is not
    "read_back",  # a doubt was looked into (at a target that cannot be read: it is to be told again), nothing is recorded
    "answered",  # the outcome is known, nothing is recorded
    "recording",  # the outcome is written, the transaction is open
    "recorded",  # the outcome is committed, the governors do not know it
)


@dataclass(frozen=True)
class Strike:
    """Where, with what, and the file that says it was done."""

    point: str
    signum: int
    file: str


_armed: Strike | None = None


def arm(where: str) -> None:
    """From now on this process is struck at that point; an empty text takes it back."""
    global _armed
    place, _, file = where.partition("@")
    point, _, name = place.partition(":")
    if point and point not in POINTS:
        raise ValueError(f"There is no crash point {point}; there are: {', '.join(POINTS)}.")
    _armed = Strike(point, signal.Signals[f"SIG{name or 'KILL'}"], file) if point else None


def armed() -> bool:
    return _armed is not None


def reach(point: str) -> None:
    """Called by the code under test where it is; does nothing in a process that was not armed."""
    if _armed is not None and _armed.point == point:
        _strike(_armed)


def on_wire(event: str, _: Any) -> None:
    """The HTTP library's own trace of a write: its last byte has left."""
    if event.endswith("send_request_body.complete"):
        reach("sent")


def _strike(strike: Strike) -> None:
    global _armed
    _armed = None  # one that is only frozen is not frozen again
    if strike.file:
        try:
            os.close(os.open(strike.file, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
    os.kill(os.getpid(), strike.signum)
