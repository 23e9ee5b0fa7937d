"""Scoring: levels become an exact sum of weights in log-odds, a probability and a band."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from mdm.matching.config import NUMBER_CONFLICT, OTHER_NAME, SHARED_BANK, SIBLING, TAX_ID_CONFLICT, MatchConfig
from mdm.matching.levels import FEATURES, INDEX, LEVELS
from mdm.matching.model import Model

Band = Literal["link", "review", "none"]
BANDS: tuple[Band, ...] = ("none", "review", "link")
FLAGS = (TAX_ID_CONFLICT, NUMBER_CONFLICT, SHARED_BANK, SIBLING, OTHER_NAME)  # bit k of a mask
VETOES = frozenset({TAX_ID_CONFLICT, NUMBER_CONFLICT, OTHER_NAME, SIBLING})
Levels = npt.NDArray[np.int8]
Masks = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


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

    def __init__(self, config: MatchConfig, model: Model) -> None:
        self.model = model
        self.base = sixteenths(model.base)
        self.table: Values = np.zeros((len(FEATURES), max(map(len, LEVELS.values()))))
        for feature, weights in model.weights.items():
            for level, weight in weights.items():
                self.table[FEATURES.index(feature), INDEX[feature][level]] = sixteenths(weight)
        if SHARED_BANK not in config.rules:
            row = self.table[FEATURES.index("bank")]
            row[INDEX["bank"]["shared"]] = row[INDEX["bank"]["same"]]
        self._vetoes = np.uint8(sum(1 << bit for bit, flag in enumerate(FLAGS) if flag in config.rules & VETOES))

    def weights(self, levels: Levels) -> Values:
        """Weight of each feature of each pair."""
        found: Values = self.table[np.arange(len(FEATURES)), levels]
        return found

    def values(self, levels: Levels) -> Values:
        total: Values = self.weights(levels).sum(axis=1) + self.base
        return total

    def flags(self, levels: Levels) -> Masks:
        """One mask per pair; its bits are FLAGS."""
        found = (
            _is(levels, "tax", "conflict"),
            _is(levels, "number", "different", "different_bare"),
            _is(levels, "bank", "shared"),
            _is_sibling(levels),
            _is_other_name(levels),
        )
        mask = np.zeros(len(levels), dtype=np.uint8)
        for bit, holds in enumerate(found):
            mask |= holds.astype(np.uint8) << np.uint8(bit)
        return mask

    def apart(self, flags: Masks) -> npt.NDArray[np.bool_]:
        """Pairs that hard rules say are two things, so that they never stand in one cluster."""
        apart = self._vetoes & np.uint8(~(1 << FLAGS.index(OTHER_NAME)) & 255)
        held: npt.NDArray[np.bool_] = (flags & apart) > 0
        return held

    def vetoed(self, flags: Masks) -> npt.NDArray[np.bool_]:
        """Pairs that hard rules keep from being linked unasked."""
        held: npt.NDArray[np.bool_] = (flags & self._vetoes) > 0
        return held

    def bands(self, values: Values, flags: Masks, confirmed: bool = False) -> npt.NDArray[np.int8]:
        """Index into BANDS per pair."""
        limits = self.model.thresholds
        link = limits.confirmed_link if confirmed else limits.link
        review = limits.confirmed_review if confirmed else limits.review
        band = (values >= review).astype(np.int8)
        band[(values >= link) & (values >= review) & ~self.vetoed(flags)] = 2
        return band

    def band(self, value: float, flags: tuple[str, ...], confirmed: bool = False) -> Band:
        return BANDS[self.bands(np.array([value]), np.array([mask_of(flags)], dtype=np.uint8), confirmed)[0]]


def mask_of(flags: tuple[str, ...]) -> int:
    return sum(1 << FLAGS.index(flag) for flag in flags)


def flags_of(mask: int) -> tuple[str, ...]:
    return tuple(flag for bit, flag in enumerate(FLAGS) if mask >> bit & 1)


def _is(levels: Levels, feature: str, *wanted: str) -> npt.NDArray[np.bool_]:
    column, among = _among(feature, wanted)
    found: npt.NDArray[np.bool_] = among[levels[:, column]]
    return found


@cache
def _among(feature: str, wanted: tuple[str, ...]) -> tuple[int, npt.NDArray[np.bool_]]:
    """Its column and, for each level, whether it is one of these. Looked up: a set operation per check is slow."""
    return FEATURES.index(feature), np.array([level in wanted for level in LEVELS[feature]])


def _is_sibling(levels: Levels) -> npt.NDArray[np.bool_]:
    """One group, another legal entity: names share a rare part, and something says "not the same"."""
    related = ~_is(levels, "rarity", "unknown", "common") & ~_is(levels, "name", "unknown", "different")
    apart = (
        _is(levels, "tax", "conflict")
        | _is(levels, "number", "different")
        | _is(levels, "region", "different")
        | _is(levels, "country", "different")
    )
    close = _is(levels, "domain", "same", "same_shared", "close") | _is(
        levels, "name", "close", "very_close", "nearly_equal", "equal"
    )
    words = _is(levels, "pattern", "relative", "relative_strong") & ~_is(levels, "other_words", "none")
    found: npt.NDArray[np.bool_] = related & ((apart & close) | (words & ~_is(levels, "tax", "same", "same_unchecked")))
    return found


def _is_other_name(levels: Levels) -> npt.NDArray[np.bool_]:
    """An identifier says it is one, the names say it is not: a takeover, a renaming, or a wrong number."""
    said = _is(levels, "tax", "same", "same_unchecked") | _is(levels, "identifier", "same")
    apart = _is(levels, "name", "different", "faint", "weak") & _is(levels, "other_words", "usual", "rare")
    found: npt.NDArray[np.bool_] = said & apart
    return found


def sixteenths(weight: float) -> float:
    return round(weight * 16) / 16
