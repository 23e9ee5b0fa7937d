"""Scoring: levels become an exact sum of weights in log-odds, a probability and a band."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mdm.matching.config import NUMBER_CONFLICT, SHARED_BANK, SIBLING, TAX_ID_CONFLICT, MatchConfig
from mdm.matching.levels import FEATURES, INDEX, LEVELS

Band = Literal["link", "review", "none"]


@dataclass(frozen=True, slots=True)
class Contribution:
    feature: str
    left: str
    right: str
    weight: float  # nats: +0.7 doubles the odds that the two are one
    note: str


@dataclass(frozen=True, slots=True)
class Score:
    """value == base + Σ weights of the explanation, exactly: weights are sixteenths, which add exactly."""

    value: float
    probability: float
    band: Band
    base: float
    explanation: tuple[Contribution, ...]
    flags: tuple[str, ...]


class Scorer:
    """A weight table in array form."""

    def __init__(self, config: MatchConfig) -> None:
        self.config = config
        self.base = sixteenths(config.base)
        self.table: npt.NDArray[np.float64] = np.zeros((len(FEATURES), max(map(len, LEVELS.values()))))
        for feature, weights in config.weights.items():
            for level, weight in weights.items():
                self.table[FEATURES.index(feature), INDEX[feature][level]] = sixteenths(weight)
        if SHARED_BANK not in config.rules:
            row = self.table[FEATURES.index("bank")]
            row[INDEX["bank"]["shared"]] = row[INDEX["bank"]["same"]]
        self.rows = [list(map(float, row)) for row in self.table]

    def weights(self, levels: tuple[int, ...]) -> list[float]:
        return [row[level] for row, level in zip(self.rows, levels, strict=True)]

    def values(self, levels: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
        """Scores of many comparisons at once: one row of levels each."""
        total: npt.NDArray[np.float64] = self.table[np.arange(len(FEATURES)), levels].sum(axis=1) + self.base
        return total

    def flags(self, levels: tuple[int, ...]) -> tuple[str, ...]:
        level = {feature: LEVELS[feature][i] for feature, i in zip(FEATURES, levels, strict=True) if i}
        found = []
        if level.get("tax") == "conflict":
            found.append(TAX_ID_CONFLICT)
        if level.get("number") == "different":
            found.append(NUMBER_CONFLICT)
        if level.get("bank") == "shared":
            found.append(SHARED_BANK)
        if _is_sibling(level):
            found.append(SIBLING)
        return tuple(found)

    def band(self, value: float, flags: tuple[str, ...], confirmed: bool = False) -> Band:
        limits = self.config.thresholds
        link = limits.confirmed_link if confirmed else limits.link
        review = limits.confirmed_review if confirmed else limits.review
        if value < review:
            return "none"
        vetoes = self.config.rules & {TAX_ID_CONFLICT, NUMBER_CONFLICT, SIBLING}
        if value < link or not vetoes.isdisjoint(flags):
            return "review"
        return "link"


def _is_sibling(level: dict[str, str]) -> bool:
    """One group, another legal entity: names share a rare part, and something says "not the same"."""
    related = level.get("rarity") not in (None, "common") and level.get("name") not in (None, "different")
    if not related:
        return False
    apart = (
        level.get("tax") == "conflict"
        or level.get("number") == "different"
        or level.get("region") == "different"
        or level.get("country") == "different"
    )
    close = level.get("domain") in ("same", "same_shared", "close") or level.get("name") in (
        "close", "very_close", "nearly_equal", "equal",
    )  # fmt: skip
    words_apart = level.get("pattern") in ("relative", "relative_strong") and level.get("other_words") != "none"
    return (apart and close) or (words_apart and level.get("tax") not in ("same", "same_unchecked"))


def sixteenths(weight: float) -> float:
    return round(weight * 16) / 16


def probability(value: float) -> float:
    if value < -700:
        return 0.0
    return 1.0 / (1.0 + math.exp(-value))
