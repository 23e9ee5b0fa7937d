"""Models: weights in nats of log-odds (+0.7 doubles the odds), thresholds and calibration, as data with a version."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mdm.matching.levels import INDEX

COMPANY = "company"  # a record is a legal entity: names and ids decide
PLACE = "place"  # a record is a site (a shop, a school, a plant): the address decides
KINDS = (COMPANY, PLACE)
_FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Score (log-odds) from which a pair is looked at by a person, and from which it is linked unasked.

    The confirmed ones hold once a person has confirmed something about either record.
    """

    review: float = 0.0
    link: float = 3.0
    confirmed_review: float = 1.0
    confirmed_link: float = 6.0

    def __post_init__(self) -> None:
        if self.link < self.review or self.confirmed_link < self.confirmed_review:
            raise ValueError("a link threshold lies below its review threshold")


@dataclass(frozen=True, slots=True)
class Model:
    """What a comparison's levels are worth. `calibration`: rising points (score, log-odds); none: the score itself."""

    version: str
    kind: str
    base: float
    weights: Mapping[str, Mapping[str, float]]
    thresholds: Thresholds = field(default_factory=Thresholds)
    calibration: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        for feature, row in self.weights.items():
            for level in row:
                if level not in INDEX.get(feature, {}):
                    raise ValueError(f"a model weighs {feature}: {level}, which no comparison finds")

    def log_odds(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Calibrated log-odds of scores; beyond the outermost points they go on one to one."""
        if not self.calibration:
            return values
        x, y = _curve(self.calibration)
        inside = np.interp(values, x, y)
        return inside + np.minimum(values - x[0], 0.0) + np.maximum(values - x[-1], 0.0)

    def probabilities(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(self.log_odds(values), -700, 700)))
        return found

    def probability(self, value: float) -> float:
        return float(self.probabilities(np.array([value]))[0])

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "calibration": [list(point) for point in self.calibration]}

    @staticmethod
    def of_json(data: Mapping[str, Any]) -> Model:
        """Raises ValueError when it is no model: unknown features, levels or keys, weights that are no numbers."""
        try:
            weights = {str(f): {str(k): float(v) for k, v in row.items()} for f, row in data["weights"].items()}
            points = tuple((float(x), float(y)) for x, y in data.get("calibration", ()))
            limits = Thresholds(**{name: float(value) for name, value in data.get("thresholds", {}).items()})
            model = Model(str(data["version"]), str(data["kind"]), float(data["base"]), weights, limits, points)
        except (KeyError, TypeError, AttributeError) as wrong:
            raise ValueError(f"this is no matching model: {wrong}") from wrong
        numbers = [model.base, *(v for row in weights.values() for v in row.values())]
        if model.kind not in KINDS or not all(math.isfinite(number) for number in numbers):
            raise ValueError("this is no matching model: unknown kind, or a weight that is no number")
        return model


@cache
def _curve(points: tuple[tuple[float, float], ...]) -> npt.NDArray[np.float64]:
    return np.ascontiguousarray(np.array(points).T)


@cache
def shipped(kind: str = COMPANY) -> Model:
    """The model of an empty system."""
    return Model.of_json(json.loads(shipped_file(kind).read_text(encoding="utf-8")))


def shipped_file(kind: str) -> Path:
    return _FOLDER / f"model_{kind}.json"
