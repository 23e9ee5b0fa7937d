"""Simulated stewards: which pairs they are asked about, and their answers, which are the truth."""

from __future__ import annotations

import numpy as np

from tests.bench.matching.judge import Bools, Floats, Ints

_NEAREST = 2 / 3  # of the questions go where the model is least sure, the others across the band that people see
_BAND = 4.0  # log-odds: between 2 and 98 in a hundred


def asked(log_odds: Floats, count: int) -> Ints:
    """Rows of the pairs to ask about, by their calibrated log-odds; the same every time."""
    chance = np.random.default_rng(2026).permutation(len(log_odds))
    nearest = chance[np.argsort(np.abs(log_odds[chance]), kind="stable")][: round(count * _NEAREST)]
    inside = np.setdiff1d(np.nonzero(np.abs(log_odds) <= _BAND)[0], nearest)
    inside = inside[np.argsort(log_odds[inside], kind="stable")]
    rest = min(count - len(nearest), len(inside))
    across = inside[np.linspace(0, len(inside) - 1, rest).astype(np.int64)] if rest else inside[:0]
    return np.sort(np.concatenate([nearest, across]))


def answers(entity: Ints, left: Ints, right: Ints) -> Bools:
    same: Bools = entity[left] == entity[right]
    return same
