"""First loads per second in requests of several, against the same records of the same target one by one, in one run.

Both ways through worker and dispatcher at a sandbox that answers every request in 100 ms, with 16 requests in flight.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection

from tests.bench import ground
from tests.bench.delivering import LATENCIES_MS
from tests.bench.figures import Figure
from tests.bench.ground import Ground
from tests.bench.pushing import IN_FLIGHT, Hub, Platform, company, pause, seal, supplier, target_at, wait_until
from tests.ports import free_port

PLATFORMS = {  # all but the first answer one question about several records
    "concur": ("Concur", "looked for and read back one by one either way: Concur has no search for several"),
    "dynamics365": ("Dynamics 365", "looked for, made and read back several at a time"),
    "s4hana": ("SAP S/4HANA", "looked for, made and read back several at a time"),
    "tryton": (
        "Tryton",
        "looked for and read back several at a time. The sandbox goes through all its parties for a search, which slows"
        " down one by one: the requests tell more than the seconds",
    ),
}


def measure(here: Ground, records: int) -> Iterator[Figure]:
    from sync import platforms

    latency = LATENCIES_MS[0]
    company()
    for name, (title, how) in PLATFORMS.items():
        platform, hub = Platform(here, free_port(), name), Hub(here)
        try:
            platform.start(latency_ms=latency)
            with counting(platform.port) as door:
                target_at(door.url, name)
                singly, requests_singly = _loaded(hub, door, name, records, together=False)
                together, requests_together = _loaded(hub, door, name, records, together=True)
        finally:
            hub.end()
            platform.process.end(grace=5)
        kind = platforms.bulk(name)
        assert kind is not None
        yield Figure(
            name=f"load-{name}",
            title=f"First load of {records:,} suppliers into {title}'s sandbox, which answers in {latency} ms",
            unit="suppliers/s",
            value=records / together,
            limit=records / singly,
            limit_is="as many new suppliers to the same target one by one, in the same run",
            notes=[
                "more than 100 % is what requests of several gain",
                f"together {requests_together / records:.2f} requests a supplier, {kind.bulk_size} of them at most in one;"
                f" one by one {requests_singly / records:.2f}; {how}",
                f"{IN_FLIGHT} requests in flight, by a worker of two processes, from the start of the queue to the last"
                " outcome; every supplier is verified, each with attempt, its own part of the exchange and outcome; load"
                f" of the machine at the end {os.getloadavg()[0]:.1f}",
            ],
        )


def _loaded(hub: Hub, door: Door, code: str, records: int, *, together: bool) -> tuple[float, int]:
    """(seconds from the start of the queue to the last outcome, requests made for it)"""
    from sync.models import Delivery, Subscription, Target
    from sync.services import job_work, jobs
    from tests.people import actor

    group = f"{code}-{'together' if together else 'singly'}"
    Subscription.objects.exclude(target__code=code).update(active=False)
    Subscription.objects.filter(target__code=code).update(filter={"group": group}, from_seq=10**9 if together else 0)
    pause(True, code)
    ground.change(*({**supplier(number), "legal_name": f"{group.title()} {number:05} GmbH", "group": group}
                    for number in range(records)))  # fmt: skip
    seal()
    if together:
        job = jobs.ask_for_records(Target.objects.get(code=code), by=actor("asks", "operator"))
        while job.state == "building":
            job_work.step(job.pk)
            job.refresh_from_db()
        if job.state == "waiting":
            jobs.approve(job, by=actor("approves", "operator"), content_hash=job.content_hash)
    wait_until(lambda: Delivery.objects.filter(state="pending").count() == records, "everything is queued")
    hub.start(processes=2)
    before, began = door.requests, _now()
    pause(False, code)
    wait_until(lambda: not Delivery.objects.filter(state__in=("pending", "in_flight", "unknown", "retrying")).exists(),
               "all have arrived")  # fmt: skip
    hub.end()
    ended = Delivery.objects.filter(posted_at__gt=began).order_by("-posted_at").values_list("posted_at", flat=True)
    if len(ended) != records:
        raise SystemExit(f"{len(ended)} of {records} suppliers arrived.")
    return (ended[0] - began).total_seconds(), door.requests - before


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


class Door:
    """Before the sandbox: counts the requests that pass, by the header each has once, and none within it; copies bytes."""

    def __init__(self, behind: int) -> None:
        self.behind, self.requests = behind, 0
        self.server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def open(self) -> None:
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.behind))
            for one, other, counts in ((near, far, True), (far, near, False)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._copy, args=(one, other, counts), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket, counts: bool) -> None:
        try:
            while piece := one.recv(65536):
                self.requests += piece.lower().count(b"\r\nhost: ") if counts else 0
                other.sendall(piece)
        except OSError:
            pass
        finally:
            other.close()


@contextmanager
def counting(port: int) -> Iterator[Any]:
    door = Door(port)
    threading.Thread(target=door.open, daemon=True).start()
    try:
        yield door
    finally:
        door.server.close()
