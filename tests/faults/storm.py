"""Owns one storm: a whole hub, traffic and bad weather until enough was pushed; then calm, an operator, and the judge."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from mdm.models import ChangeRequest, RecordVersion
from sync.models import Attempt, Target
from tests.bench.ground import Ground
from tests.faults import checker, operator, weather
from tests.faults.house import House
from tests.faults.traffic import Traffic

CALM_S = 60  # how long after the last fault everything must have ended
_TOLD_EVERY_S, _LOOKED_EVERY_S = 10.0, 1.0


@dataclass
class Result:
    """What was thrown at the hub and what came of it."""

    seed: int
    pushes: int = 0
    versions: int = 0
    seconds: float = 0
    calm_s: float = 0
    killed: Counter[str] = field(default_factory=Counter)
    target_faults: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0  # sends whose process died, or lost its lease, before it recorded an end
    released: int = 0  # poison that the operator let go on
    repeated: int = 0  # other dead letters that were sent again
    lost: int = 0
    doubled: int = 0
    reversed: int = 0
    stuck: int = 0
    told: str = ""
    trouble: str = ""

    @property
    def clean(self) -> bool:
        broken = self.lost or self.doubled or self.reversed or self.stuck or self.trouble
        return not broken and self.calm_s <= CALM_S and self.pushes > 0


class Storm:
    def __init__(self, here: Ground, seed: int, *, pushes: int, minutes: float, short: bool) -> None:
        self.result = Result(seed)
        self.pushes, self.seconds, self.short = pushes, minutes * 60, short
        self.house = House(here)

    def run(self) -> Result:
        """Until so many pushes or minutes; Ctrl-C brings the calm at once."""
        try:
            self._rise()
            try:
                self._rage()
            except KeyboardInterrupt:
                print("calm is brought about early", flush=True)
            self._calm()
        finally:
            self.house.stop()
        return self.result

    def _rise(self) -> None:
        urls = {name: url for name, (_, url) in self.house.sandboxes.items()}
        self.house.open_sandboxes()
        self.targets, token = operator.prepare(urls)
        self.house.start()
        self.sides = {name: self.house.side(name) for name in urls}
        climate = weather.SHORT if self.short else weather.LONG
        self.sky = weather.Weather(self.result.seed, climate, self.house, self.sides)
        address = f"http://127.0.0.1:{self.house.port}"
        self.traffic = Traffic(self.result.seed, address, token, targets=len(urls))

    def _rage(self) -> None:
        self.traffic.start()
        began = told = looked = time.monotonic()
        progress = 0.0
        while not self.traffic.trouble and (progress < 1 or not self.sky.over):
            if time.monotonic() - looked > _LOOKED_EVERY_S:
                looked = time.monotonic()
                self.sky.standing_still = operator.standing_still(self.sky.standing_still)
            self.sky.tick(progress)
            time.sleep(0.05)
            self.result.seconds = time.monotonic() - began
            if time.monotonic() - told > _TOLD_EVERY_S:
                told = time.monotonic()
                self.result.released += operator.release_poison()
                self.result.pushes = operator.posted(self.result.pushes)
                progress = max(self.result.pushes / self.pushes, self.result.seconds / self.seconds)
                self._say(progress)

    def _calm(self) -> None:
        """No more faults, no more versions: everything must end by itself; dead letters are an operator's work."""
        self.traffic.over.set()
        self.traffic.join(timeout=30)
        if self.sky.redis_is_away:
            self.house.start_redis()
        self.sky.clear_up()
        self.result.calm_s = operator.wait_for_rest(CALM_S + 30)
        print(f"calm: everything ended {self.result.calm_s:.1f} s after the last fault", flush=True)
        for _ in range(3):
            self.result.released += (released := operator.release_poison())
            self.result.repeated += (repeated := operator.repeat_dead_letters())
            if not released and not repeated:
                break
            operator.wait_for_rest(CALM_S)
        self._judge({target: self.sides[name] for name, target in self.targets.items()})

    def _judge(self, sides: dict[Target, object]) -> None:
        result, found = self.result, checker.check(sides)  # type: ignore[arg-type]
        known = ChangeRequest.objects.filter(uid__in=self.traffic.acknowledged, state="applied").count()
        if gone := len(self.traffic.acknowledged) - known:
            found.lost.append(f"{gone} change requests that the hub said it had applied")
        result.pushes = operator.posted(0)
        result.versions = RecordVersion.objects.filter(type=checker.TYPE).count()
        result.killed, result.target_faults = self.house.killed, self.sky.target_faults
        result.unfinished = Attempt.objects.filter(kind="send", result=None).count()
        result.lost, result.doubled = len(found.lost), len(found.doubled)
        result.reversed, result.stuck = len(found.reversed), len(found.stuck)
        result.told, result.trouble = found.told(), self.traffic.trouble

    def _say(self, progress: float) -> None:
        passed, result = self.result.seconds, self.result
        hits = ", ".join(f"{count} {kind}" for kind, count in sorted(self.house.killed.items()))
        faults = sum(self.sky.target_faults.values())
        print(
            f"{passed:6.0f} s {progress:4.0%}  {result.pushes:,} pushes, {result.pushes / passed:.1f}/s;"
            f" {faults} faults at targets, {hits}",
            flush=True,
        )
