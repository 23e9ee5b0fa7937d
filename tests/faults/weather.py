"""Owns what goes wrong during a fault run, and when: drawn from a seed, so that a run can be made again."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.house import House
from tests.sync.sandboxes import WRITES
from tests.sync.world import Side

# How a target goes wrong at a write, and how often beside the others. `slow` is applied long after we gave up.
AT_A_WRITE = {
    "500": 3, "429": 1, "503": 1, "timeout_before": 3, "timeout_after": 3, "slow:900": 3, "reset_before": 2,
    "reset_after": 3, "garbage": 2, "redirect": 2, "half_applied": 3, "half_applied:429": 2,
    "half_applied:refuse": 1, "refuse": 1,
}  # fmt: skip
AT_ANY = {
    "500": 2,
    "429": 1,
    "reset_before": 2,
    "reset_after": 1,
    "garbage": 1,
    "redirect": 1,
    "slow:900": 1,
    "unauthorised": 1,
}
SLOWEST_S = 0.9  # what `slow` and the time-out make of the longest that a request may still be applied
PLANNED = 2  # faults waiting at one target at a time
SPARED = (
    0.8  # of the faults for a target whose breaker is open: it is asked so rarely that it would never be well again
)


@dataclass(frozen=True)
class Climate:
    """Seconds between two of a kind on the average; a share of the run's length for what comes a fixed number of times."""

    worker: float
    pool_child: float
    dispatcher: float
    web: float
    flush: float
    at_a_target: float
    redis_away_s: float
    redis_away_at: tuple[float, ...]
    postgres_at: tuple[float, ...]


LONG = Climate(
    worker=20, pool_child=3, dispatcher=20, web=20, flush=45, at_a_target=0.8, redis_away_s=60,
    redis_away_at=(0.25, 0.7), postgres_at=(0.1, 0.3, 0.5, 0.65, 0.85),
)  # fmt: skip
SHORT = Climate(
    worker=20, pool_child=3, dispatcher=20, web=25, flush=20, at_a_target=0.8, redis_away_s=10,
    redis_away_at=(0.5,), postgres_at=(0.25, 0.8),
)  # fmt: skip


class Weather:
    """`tick(progress)` lets happen what is due; `progress` goes from 0 to 1."""

    def __init__(self, seed: int, climate: Climate, house: House, sides: dict[str, Side]) -> None:
        self.chance = random.Random(f"weather {seed}")
        self.climate, self.house, self.sides = climate, house, sides
        self.target_faults: Counter[str] = Counter()
        self.standing_still: set[str] = set()  # targets whose breaker is open, as last seen
        now = time.monotonic()
        self._repeating: list[tuple[float, Callable[[], None]]] = [
            (climate.worker, lambda: house.kill("worker", self.chance)),
            (climate.pool_child, lambda: house.kill("pool child", self.chance)),
            (climate.dispatcher, lambda: house.kill("dispatcher", self.chance)),
            (climate.web, lambda: house.kill("web", self.chance)),
            (climate.flush, self._flush),
            *((climate.at_a_target, lambda name=name: self._at(name)) for name in sides),  # type: ignore[misc]
        ]
        self._due = [now + self._pause(mean) for mean, _ in self._repeating]
        self._postgres, self._redis = list(climate.postgres_at), list(climate.redis_away_at)
        self._redis_back_at = 0.0

    def tick(self, progress: float) -> None:
        for number, (mean, happen) in enumerate(self._repeating):
            if time.monotonic() >= self._due[number]:
                happen()
                self._due[number] = time.monotonic() + self._pause(mean)
        if self._postgres and progress >= self._postgres[0]:
            self._postgres.pop(0)
            self.house.crash_postgres()
        if self._redis and progress >= self._redis[0]:
            self._redis.pop(0)
            self.house.stop_redis()
            self._redis_back_at = time.monotonic() + self.climate.redis_away_s
        if self._redis_back_at and time.monotonic() >= self._redis_back_at:
            self._redis_back_at = 0.0
            self.house.start_redis()

    @property
    def over(self) -> bool:
        """Everything that was to come once has come, and Redis is back."""
        return not (self._postgres or self._redis or self._redis_back_at)

    @property
    def redis_is_away(self) -> bool:
        return bool(self._redis_back_at)

    def clear_up(self) -> None:
        for side in self.sides.values():
            side.forgive()

    def _flush(self) -> None:
        if not self.redis_is_away:
            self.house.flush_redis()

    def _at(self, name: str) -> None:
        side = self.sides[name]
        if side.faults() >= PLANNED or (name in self.standing_still and self.chance.random() < SPARED):
            return
        kinds, match = (AT_A_WRITE, WRITES) if self.chance.random() < 0.75 else (AT_ANY, "")
        kind = self.chance.choices(list(kinds), list(kinds.values()))[0]
        side.fault(kind, match)
        self.target_faults[kind] += 1

    def _pause(self, mean: float) -> float:
        return self.chance.expovariate(1 / mean)
