"""Scoring: levels become an exact sum of weights in log-odds, a probability and a band."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

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


class Contribution(NamedTuple):
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
        found: Values = self.table[_COLUMNS, levels]
        return found

    def values(self, levels: Levels) -> Values:
        total: Values = self.weights(levels).sum(axis=1) + self.base
        return total

    def flags(self, levels: Levels) -> Masks:
        """One mask per pair; its bits are FLAGS."""
        said = _said(levels)
        found = (
            said & _TAX_CONFLICT, said & _NUMBER_CONFLICT, said & _SHARED_ACCOUNT, _is_sibling(said), _is_other_name(said)
        )  # fmt: skip
        mask = np.zeros(len(levels), dtype=np.uint8)
        for bit, holds in enumerate(found):
            mask |= (holds != 0).astype(np.uint8) << np.uint8(bit)
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


# What the hard rules ask of a comparison. A bit each, so that one look at all levels answers all of them.
_ASKED: list[dict[str, tuple[str, ...]]] = []


def _asked(**wanted: tuple[str, ...]) -> np.uint32:
    """A bit that says: any of these features has one of these levels."""
    _ASKED.append(wanted)
    return np.uint32(1 << len(_ASKED) - 1)


_TAX_CONFLICT = _asked(tax=("conflict",))
_NUMBER_CONFLICT = _asked(number=("different", "different_bare"))
_SHARED_ACCOUNT = _asked(bank=("shared",))
_UNRELATED = _asked(rarity=("unknown", "common"), name=("unknown", "different"))
_APART = _asked(tax=("conflict",), number=("different",), region=("different",), country=("different",))
_CLOSE = _asked(domain=("same", "same_shared", "close"), name=("close", "very_close", "nearly_equal", "equal"))
_RELATIVE = _asked(pattern=("relative", "relative_strong"))
_NO_OTHER_WORDS = _asked(other_words=("none",))
_SAME_TAX = _asked(tax=("same", "same_unchecked"))
_SAME_ID = _asked(tax=("same", "same_unchecked"), identifier=("same",))
_NAMES_APART = _asked(name=("different", "faint", "weak"))
_STRANGE_WORDS = _asked(other_words=("usual", "rare"))
Said = npt.NDArray[np.uint32]


@cache
def _bits() -> Said:
    """By feature and level: the bits it answers."""
    found = np.zeros((len(FEATURES), max(map(len, LEVELS.values()))), dtype=np.uint32)
    for bit, wanted in enumerate(_ASKED):
        for feature, levels in wanted.items():
            for level in levels:
                found[FEATURES.index(feature), LEVELS[feature].index(level)] |= np.uint32(1 << bit)
    return found


_COLUMNS = np.arange(len(FEATURES))


def _said(levels: Levels) -> Said:
    found: Said = np.bitwise_or.reduce(_bits()[_COLUMNS, levels], axis=1)
    return found


def _is_sibling(said: Said) -> npt.NDArray[np.bool_]:
    """One group, another legal entity: names share a rare part, and something says "not the same"."""
    close_but_apart = said & (_APART | _CLOSE) == (_APART | _CLOSE)
    relative = said & (_RELATIVE | _NO_OTHER_WORDS | _SAME_TAX) == _RELATIVE
    found: npt.NDArray[np.bool_] = (said & _UNRELATED == 0) & (close_but_apart | relative)
    return found


def _is_other_name(said: Said) -> npt.NDArray[np.bool_]:
    """An identifier says it is one, the names say it is not: a takeover, a renaming, or a wrong number."""
    all_of = _SAME_ID | _NAMES_APART | _STRANGE_WORDS
    found: npt.NDArray[np.bool_] = said & all_of == all_of
    return found


def sixteenths(weight: float) -> float:
    return round(weight * 16) / 16
