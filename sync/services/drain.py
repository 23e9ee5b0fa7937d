"""Owns working a target's queue: as many threads as its concurrency and this process admit, while the budget lasts."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence

from django.conf import settings
from django.db import connection

from sync import platforms
from sync.crash_points import reach
from sync.frozen import losing_locks
from sync.models import Delivery, Target
from sync.payloads import Renderer, renderer
from sync.services import lanes
from sync.services.bulk import deliver_several
from sync.services.claims import PROCESS, Claim, LeaseKeeper, claim
from sync.services.deliver import deliver

_VALUES_KEPT_S = 2.0  # how long value maps are not read again
_HIRED_EVERY_S, _NONE_FOR_S = 0.02, 0.5
_BUSY = 0.8  # of a core: Python has no more to give, and whatever process is rung next finds the rest


def drain(target_id: int, *, budget_s: float = 20, process: uuid.UUID = PROCESS) -> Counter[str]:
    """Claim and send until nothing is ready or the budget is over; how many deliveries ended in which state."""
    target = Target.objects.select_related("system").get(pk=target_id)
    run = _Run(target, process, budget_s)
    with LeaseKeeper(target, longest=target.timeout_s * 10) as keeper:
        run.keeper = keeper
        run.work()
        run.wait_for_hands()
    if run.failure is not None:
        raise run.failure
    return run.states


def drain_all(*, budget_s: float = 20, process: uuid.UUID = PROCESS) -> Counter[str]:
    """Every target with work, one after the other: what a process without Celery does, and what tests do."""
    states: Counter[str] = Counter()
    for target in lanes.targets_with_work():
        states += drain(target.pk, budget_s=budget_s, process=process)
    return states


class _Run:
    """What the threads of one drain share."""

    keeper: LeaseKeeper

    def __init__(self, target: Target, process: uuid.UUID, budget_s: float) -> None:
        self.target, self.process = target, process
        self.bulk = platforms.bulk(target.connector)
        self.ends = time.monotonic() + budget_s
        self.states: Counter[str] = Counter()
        self.failure: Exception | None = None
        self._renderers: dict[str, tuple[float, Renderer]] = {}
        self._lock = threading.Lock()
        self._hands, self._most_hands = 1, min(target.concurrency, settings.PUSH_THREADS)
        self._hired: list[threading.Thread] = []
        self._looked_at, self._used = time.monotonic(), time.process_time()
        self._hire_from = 0.0

    def wait_for_hands(self) -> None:
        """Only a thread that works hires another, so after the last one nobody comes."""
        while thread := self._next_hand():
            thread.join()

    def _next_hand(self) -> threading.Thread | None:
        with self._lock:
            return self._hired.pop() if self._hired else None

    def _hire(self) -> None:
        """A claim found work, so there may be more: one thread more, unless the last one came for nothing just now or
        this process is busy. A thread costs a connection to the database."""
        with self._lock:
            now, used = time.monotonic(), time.process_time()
            if now < max(self._hire_from, self._looked_at + _HIRED_EVERY_S) or self._hands >= self._most_hands:
                return
            busy = (used - self._used) / (now - self._looked_at)
            self._looked_at, self._used = now, used
            if busy > _BUSY:
                return
            name = f"push-{self.target.code}-{self._hands}"
            thread = threading.Thread(target=self._lend_a_hand, name=name, daemon=True)
            thread.start()
            self._hired.append(thread)
            self._hands += 1

    def _lend_a_hand(self) -> None:
        try:
            self.work()
        except Exception as error:  # told by the thread that started us
            self.failure = error
        finally:
            connection.close()
            with self._lock:
                self._hands -= 1
                self._hire_from = time.monotonic() + _NONE_FOR_S

    def work(self) -> None:
        with losing_locks():
            self._work()

    def _work(self) -> None:
        while time.monotonic() < self.ends and self.failure is None:
            held = claim(self.target, uuid.uuid4(), self.bulk)
            if not held:
                return
            reach("claimed")
            self._hire()
            self._deliver(held)

    def _deliver(self, held: Sequence[Claim]) -> None:
        for one in held:
            self.keeper.add(one)
        try:
            if len(held) == 1:
                states = [deliver(held[0], self.process, self.renderer)]
            else:
                states = deliver_several(held, self.process, self.renderer)
        finally:
            for one in held:
                self.keeper.remove(one)
        with self._lock:
            self.states.update(states)

    def renderer(self, delivery: Delivery) -> Renderer:
        with self._lock:
            at, known = self._renderers.get(delivery.type, (0.0, None))
        if known is None or time.monotonic() - at > _VALUES_KEPT_S:
            known = renderer(delivery.target, delivery.type)
            with self._lock:
                self._renderers[delivery.type] = (time.monotonic(), known)
        return known
