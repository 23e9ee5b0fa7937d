"""Owns what benches of deliveries stand on: a sandbox as a process, the hub's worker and dispatcher, records for them only."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from mdm.demo.child import Child
from tests.bench import ground
from tests.bench.ground import Ground
from tests.bench.load import receive

IN_FLIGHT = 16
COMPANY = "NH10"
_VENDORS = "/api/v3.1/invoice/vendors"
_PATIENCE_S = 1800


class Hub:
    """Worker processes and a dispatcher, as a machine of the hub runs them."""

    def __init__(self, here: Ground) -> None:
        self.here = here
        self.running: list[Child] = []

    def start(self, *, processes: int, threads: int = IN_FLIGHT, dispatcher: int = IN_FLIGHT) -> None:
        """`threads`: requests in flight of each worker process; `dispatcher`: its own, with which it takes what is overdue."""
        worker = ("-m", "celery", "--app", "mdm", "worker", "--concurrency", str(processes), "--loglevel", "WARNING")
        self.running = [
            self.here.child("worker", *worker, MDM_PUSH_THREADS=str(threads)),
            self.here.child("dispatcher", "manage.py", "dispatcher", MDM_PUSH_THREADS=str(dispatcher)),
        ]
        for child in self.running:
            child.start()
        wait_until(_worker_answers, "the worker answers")

    def end(self) -> None:
        for child in self.running:
            child.end(grace=10)
        self.running = []


def _worker_answers() -> bool:
    from mdm.celery import app

    return bool(app.control.ping(timeout=1))


@dataclass(frozen=True)
class Loop:
    records_per_s: float
    requests_per_s: float


class Platform:
    """A sandbox without a rate limit, such as Concur's: without latency to fill it, then at 100 ms an answer."""

    def __init__(self, here: Ground, port: int, connector: str = "concur") -> None:
        self.here, self.port, self.url, self.connector = here, port, f"http://127.0.0.1:{port}", connector
        self.state = ground.VAR / f"{connector}.sqlite3"
        for file in ground.VAR.glob(f"{connector}.sqlite3*"):
            file.unlink()
        self.process: Child = self._child(0)

    def _child(self, latency_ms: int) -> Child:
        return self.here.child(
            self.connector, "-m", f"sync.connectors.{self.connector}.sandbox", "--port", str(self.port),
            "--state", str(self.state), "--latency-ms", str(latency_ms),
        )  # fmt: skip

    def start(self, *, latency_ms: int) -> None:
        self.process = self._child(latency_ms)
        self.process.start()
        wait_until(self._answers, "the sandbox answers")

    def restart(self, *, latency_ms: int) -> None:
        self.process.end(grace=5)
        self.start(latency_ms=latency_ms)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/_control/effects?after=1000000", timeout=5).close()
        except OSError:
            return False
        return True

    def loop(self, uids: list[str]) -> Loop:
        """What the deliveries did, without a hub: 16 threads, one connection each, nothing kept."""
        token = self._token()
        work = iter([_requests(row, token) for row in self._held()])
        made: list[int] = []
        lock = threading.Lock()

        def run() -> None:
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    with lock:
                        requests = next(work, None)
                    if requests is None:
                        return
                    for request in requests:
                        link.sendall(request)
                        if not receive(link).startswith(b"HTTP/1.1 200"):
                            raise SystemExit("The bare loop was refused.")
                    made.append(len(requests))

        threads = [threading.Thread(target=run) for _ in range(IN_FLIGHT)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - began
        if len(made) != len(uids):
            raise SystemExit(f"The bare loop made {len(made)} of {len(uids)} records.")
        return Loop(len(made) / seconds, sum(made) / seconds)

    def _held(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/_control/records?type=supplier", timeout=30) as answer:
            return list(json.load(answer)["records"])

    def _token(self) -> str:
        from sync.sandbox import CLIENT_ID, SECRET

        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{self.url}/oauth2/v0/token", data=data, timeout=30) as answer:
            return str(json.load(answer)["access_token"])


def _requests(row: dict[str, Any], token: str) -> list[bytes]:
    """Read one vendor, write it with another field, read it back; as Concur's connector asks."""
    fields = {name: value for name, value in row["fields"].items() if isinstance(value, str | int) and "[" not in name}
    changed = {
        **fields,
        "PaymentTerms": 45 if str(fields.get("PaymentTerms")) != "45" else 14,
    }  # never what the hub sends
    made_there = ("Country", "ID", "URI")
    body = {"Vendor": [{name: value for name, value in changed.items() if name not in made_there}]}
    keys = {"vendorCode": fields["VendorCode"], "addressCode": fields["AddressCode"]}
    one = f"{_VENDORS}?{urllib.parse.urlencode({'limit': '100', 'searchType': 'exact', **keys})}"
    read = _request("GET", one, token)
    return [read, _request("PUT", _VENDORS, token, json.dumps(body).encode()), read]


def _request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
    )
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def target_at(base_url: str, connector: str = "concur") -> None:
    from mdm.models import System
    from sync.models import Subscription, Target
    from sync.sandbox import CLIENT_ID, SECRET

    if Target.objects.filter(code=connector).update(base_url=base_url):
        return
    system = System.objects.create(code=connector, title=connector.title(), mark=connector[:2].upper(), rank=60)
    target = Target(
        code=connector, title=system.title, connector=connector, system=system, base_url=base_url, client_id=CLIENT_ID,
        concurrency=IN_FLIGHT, rate_per_s=10_000, burst=10_000,
    )  # fmt: skip
    target.set_secret(SECRET)
    target.save()
    Subscription.objects.create(target=target, type="supplier", filter={"group": "bench"})


def supplier(number: int) -> dict[str, object]:
    address = {"kind": "registered", "lines": [f"Ringstrasse {number}"], "city": "Kassel", "postal_code": "34117"}
    contact = {"role": "accounts_receivable", "name": "Invoices", "email": f"ar{number}@throughput.example"}
    return {
        "legal_name": f"Durchsatz {number:05} GmbH", "country": "DE", "group": "bench", "payment_terms": "NET30",
        "addresses": [{**address, "country": "DE"}], "contacts": [contact], "extensions": [{"legal_entity": COMPANY}],
    }  # fmt: skip


def company() -> None:
    """The legal entity that every supplier here has an extension for: some platforms take none without one."""
    from dimensions.models import LegalEntity

    if not LegalEntity.objects.filter(code=COMPANY).exists():
        ground.change({"code": COMPANY, "name": "Durchsatz", "country": "DE", "currency": "EUR"}, type="legal_entity")


def seal() -> None:
    from mdm.services import events
    from sync.services import dispatch

    while events.seal():
        pass
    dispatch.dispatch_all()


def pause(paused: bool, code: str = "concur") -> None:
    from mdm.types import Actor
    from sync.models import Target
    from sync.services import targets

    target, by = Target.objects.get(code=code), Actor.system("bench")
    if paused:
        targets.pause(target, reason="The clock does not run yet.", by=by)
    else:
        targets.resume(target, by=by)


def wait_until(condition: Any, what: str, every: float = 0.2) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Waited {_PATIENCE_S} s in vain until {what}.")
        time.sleep(every)
