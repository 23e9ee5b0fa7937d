"""Deliveries per second through worker and dispatcher, against a bare HTTP loop at the same sandbox.

The sandbox answers every request in 100 ms and 16 requests are in flight, so nobody gets beyond 160 requests a second.
The loop makes, per record, the very requests a delivery makes (read, write, read back), and nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.bench import ground
from tests.bench.figures import Figure, goal
from tests.bench.ground import Ground
from tests.bench.pushing import (
    IN_FLIGHT,
    Hub,
    Platform,
    company,
    pause,
    seal,
    supplier,
    target_at,
    wait_until,
)  # fmt: skip
from tests.ports import free_port

LATENCIES_MS = (100, 20, 0)  # the first is what the goal is about
FEW = 4  # requests in flight at most of each process: so few that no process, nor the machine, is the limit
GROWN = 600  # records of those figures
SHARE, TIMES_THE_ANSWERS = 0.7, 3  # what is wanted: of the loop's rate, and of the target's own time when idle
IDLE_RECORDS = 40


def measure(here: Ground, deliveries: int, *, rate: bool = True, growth: bool = True) -> list[Figure]:
    platform = Platform(here, free_port())
    hub = Hub(here)
    try:
        company()
        platform.start(latency_ms=0)
        uids = _suppliers(platform.url, deliveries)
        hub.start(processes=2)
        _wait_for(len(uids), "created")  # the platform now holds every record under a key of its own
        hub.end()
        figures = []
        for latency in LATENCIES_MS if rate else ():
            pushed = _pushed_at(platform, hub, uids, latency, processes=2)
            figures.append(_beside_the_loop(platform, uids, latency, pushed))
        if growth:
            some = uids[:GROWN]
            held = {"threads": FEW, "dispatcher": 1}
            by = {n: _pushed_at(platform, hub, some, LATENCIES_MS[0], processes=n, **held) for n in (1, 2, 4)}
            figures += [_grown(some, by, count) for count in (2, 4)]
        if rate:
            figures.append(_idle(platform, hub, uids))
    finally:
        hub.end()
        platform.process.end(grace=5)
    return figures


@dataclass(frozen=True)
class Pushed:
    per_s: float
    requests_per_s: float
    requests_each: float


def _beside_the_loop(platform: Platform, uids: list[str], latency: int, pushed: Pushed) -> Figure:
    loop = platform.loop(uids)
    ratio = pushed.per_s / loop.records_per_s
    goals = [goal("of the loop", ratio, SHARE)] if latency == LATENCIES_MS[0] else []
    allows = f"; {IN_FLIGHT} in flight at {latency} ms allow {IN_FLIGHT / (latency / 1000):.0f}" if latency else ""
    return Figure(
        name=f"deliver-concur-{999 - latency:03}",
        title=f"Delivery of {len(uids):,} changed suppliers to Concur's sandbox, which answers in {latency} ms",
        unit="deliveries/s",
        value=pushed.per_s,
        limit=loop.records_per_s,
        limit_is=f"a bare HTTP loop that makes the same requests per record at the same sandbox, with {IN_FLIGHT} in flight",
        notes=[
            *goals,
            f"a delivery makes {pushed.requests_each:.1f} requests here: it reads, writes what differs, and reads back",
            f"the hub makes {pushed.requests_per_s:.0f} requests/s, the loop {loop.requests_per_s:.0f}{allows}",
            "from the first attempt to the last outcome, by a Celery worker of two processes and the dispatcher; every"
            " delivery is verified, with attempt, exchanges and outcome on record",
        ],
    )


def _grown(uids: list[str], pushed: dict[int, Pushed], count: int) -> Figure:
    one, words = pushed[1], {2: "two", 4: "four"}[count]
    most = IN_FLIGHT * 1000 / LATENCIES_MS[0]
    return Figure(
        name=f"deliver-grown-{count}",
        title=f"Delivery by {words} worker processes instead of one, each with {FEW} requests in flight",
        unit="deliveries/s", value=pushed[count].per_s, limit=one.per_s, limit_is="one worker process, in the same run",
        notes=[
            f"{len(uids):,} changed suppliers at Concur's sandbox, which answers in {LATENCIES_MS[0]} ms; so few in flight"
            " (MDM_PUSH_THREADS) that neither a process nor the machine is the limit (by itself one process fills the target);"
            " the dispatcher helps with one request at a time",
            f"{pushed[count].requests_per_s:.0f} requests/s, one process {one.requests_per_s:.0f}; the target's limit of"
            f" {IN_FLIGHT} in flight allows {most:.0f}",
        ],
    )  # fmt: skip


def _idle(platform: Platform, hub: Hub, uids: list[str]) -> Figure:
    """One approved change at a time, nothing else to do: from the commit of the approval to the record of its arrival."""
    latency = LATENCIES_MS[0]
    platform.restart(latency_ms=latency)
    hub.start(processes=2)
    waited: list[float] = []
    hops: list[float] = []
    for uid in uids[:IDLE_RECORDS]:
        ground.change(*_toggled([uid]), action="update")
        approved = time.monotonic()
        wait_until(lambda uid=uid: _arrived(uid), "the change arrives", every=0.005)
        waited.append(time.monotonic() - approved)
        hops.append(_hop())
    hub.end()
    requests = _pushed().requests_each
    p95 = sorted(waited)[round(len(waited) * 0.95) - 1]
    hop = sorted(hops)[round(len(hops) * 0.95) - 1]
    limit = TIMES_THE_ANSWERS * requests * latency / 1000 + hop
    answers = f"{TIMES_THE_ANSWERS} times the target's own answers ({requests:.1f} of {latency} ms)"
    return Figure(
        name="deliver-idle", title="From approval to posted when idle, p95", unit="s", value=p95, limit=limit,
        limit_is=f"{answers} and one hop through the queue",
        notes=[
            goal("of that", p95 / limit, 1, most=True),
            f"{len(waited)} changes one after the other, median"
            f" {sorted(waited)[len(waited) // 2]:.2f} s; a hop is a ping of the worker, there and back: p95 {hop * 1000:.0f} ms",
        ],
    )  # fmt: skip


def _arrived(uid: str) -> bool:
    from sync.models import Delivery

    newest = Delivery.objects.filter(record=uid).order_by("-seq").values_list("state", flat=True).first()
    events_left = _unsent_events()
    return newest == "posted" and not events_left


def _unsent_events() -> bool:
    from django.db.models import Max

    from mdm.models import Event
    from sync.models import DispatchCursor

    if Event.objects.filter(seq=None).exists():
        return True
    last = Event.objects.aggregate(last=Max("seq"))["last"] or 0
    return not DispatchCursor.objects.filter(seq__gte=last).exists()


def _hop() -> float:
    """Through Redis to a worker and back by its answer to a ping: what any doorbell costs at least."""
    from mdm.celery import app

    began = time.monotonic()
    app.control.ping(timeout=5, limit=1)
    return time.monotonic() - began


def _pushed_at(
    platform: Platform,
    hub: Hub,
    uids: list[str],
    latency: int,
    *,
    processes: int,
    threads: int = IN_FLIGHT,
    dispatcher: int = IN_FLIGHT,
) -> Pushed:
    from sync.models import AttemptResult

    platform.restart(latency_ms=latency)
    pause(True)
    before = AttemptResult.objects.count()
    _change(uids)
    wait_until(lambda: _queued() == len(uids), "deliveries are queued")
    hub.start(processes=processes, threads=threads, dispatcher=dispatcher)
    pause(False)
    wait_until(lambda: _queued() == 0 and not _under_way(), "all have arrived")
    hub.end()
    return _pushed(before)


# --- the hub --------------------------------------------------------------------------------------------------------


def _suppliers(base_url: str, count: int) -> list[str]:
    """A target for records of this bench only, and as many of them."""
    from mdm import registry
    from mdm.services import events
    from sync.services import dispatch

    events.seal()
    dispatch.dispatch_all()  # nobody is subscribed yet: what was imported goes nowhere
    target_at(base_url)
    ground.change(*(supplier(number) for number in range(count)))
    model = registry.get("supplier").model
    return [str(uid) for uid in model._default_manager.filter(group="bench").values_list("uid", flat=True)]


def _change(uids: list[str]) -> None:
    ground.change(*_toggled(uids), action="update")
    seal()


def _toggled(uids: list[str]) -> list[dict[str, object]]:
    """Other payment terms than they have."""
    from mdm import registry

    rows = registry.get("supplier").model._default_manager.filter(uid__in=uids).values_list("uid", "payment_terms")
    return [{"uid": str(uid), "payment_terms": "NET30" if terms == "NET60" else "NET60"} for uid, terms in rows]


def _queued() -> int:
    return _count("pending")


def _under_way() -> bool:
    from sync.models import Delivery

    return Delivery.objects.filter(state__in=("in_flight", "unknown", "retrying")).exists()


def _count(state: str, effect: str | None = None) -> int:
    from sync.models import Delivery

    rows = Delivery.objects.filter(state=state)
    return rows.filter(effect=effect).count() if effect else rows.count()


def _wait_for(count: int, effect: str) -> None:
    def done() -> bool:
        for state in DEAD:
            if _count(state):
                raise SystemExit(f"A delivery was {state}: {_words(state)}")
        return _count("posted", effect) >= count

    from sync.models.states import DEAD

    wait_until(done, f"{count} suppliers are {effect}")


def _words(state: str) -> str:
    from sync.models import Delivery

    return str(Delivery.objects.filter(state=state).values_list("error_text", flat=True)[0])


def _pushed(before: int = 0) -> Pushed:
    """From the evidence itself: attempts after the first `before` results, first start to last end."""
    from sync.models import AttemptResult

    rows = AttemptResult.objects.order_by("pk").values_list("attempt__started_at", "finished_at", "exchanges")[before:]
    began, ended = min(start for start, _, _ in rows), max(end for _, end, _ in rows)
    seconds = (ended - began).total_seconds()
    said = sum(len(exchanges) for _, _, exchanges in rows)
    return Pushed(len(rows) / seconds, said / seconds, said / len(rows))
