"""Training: learns a model's weights from labelled comparisons, near a model believed before; sums stay exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdm.matching.levels import FEATURES, INDEX, LEVELS
from mdm.matching.model import Model
from mdm.matching.score import sixteenths

Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]
Column = tuple[str, str]

# A tax id is the teacher of unlabelled data: it cannot be learnt from itself and keeps the weights it was given.
TAUGHT = "tax"
# From worst to best: agreeing more never weighs less. Levels outside a ladder are free within their bounds.
LADDERS = {
    "name": ("different", "faint", "weak", "partial", "close", "very_close", "nearly_equal", "equal"),
    "rarity": ("common", "usual", "uncommon", "rare", "very_rare", "unique"),
    "other_words": ("rare", "usual", "common", "none"),
    "extra_words": ("rare", "usual", "common", "none"),
    "spelling": ("different", "loose", "similar", "close", "very_close", "equal"),
    "form": ("different", "alike", "same"),
    "number": ("different", "one_side", "same"),
    "region": ("different", "one_side", "same"),
    "street": ("different", "number_only", "other_number", "no_number", "close", "same"),
    "postcode": ("different", "area", "typo", "same"),
    "city": ("different", "close", "same"),
    "phone": ("different", "extension", "same"),
    "domain": ("different", "close", "same_shared", "same"),
}
_AGAINST = frozenset(
    (
        "different",
        "different_bare",
        "other_number",
        "number_only",
        "one_side",
        "area",
        "relative",
        "relative_strong",
        "namesake",
    )
)
_FOR = frozenset(
    ("same", "same_shared", "equal", "nearly_equal", "very_close", "extension", "typo", "agreeing", "alias",
     "initials", "none")
)  # fmt: skip
_FURTHEST = 2.5  # nats that evidence may move a weight away from what was believed
_HIGHEST = 6.0
_TAUGHT_PULL, _JUDGED_PULL = 100.0, 20.0  # beside thousands of labels, beside some dozens
COLUMNS: tuple[Column, ...] = tuple((f, level) for f in FEATURES if f != TAUGHT for level in LEVELS[f][1:])
_PLACE = {column: place for place, column in enumerate(COLUMNS)}


@dataclass(frozen=True, slots=True)
class Labels:
    """Compared pairs of which somebody or something says whether they are one."""

    levels: Levels  # one row per pair
    same: npt.NDArray[np.bool_]
    weight: Floats  # how much each counts
    taxed: npt.NDArray[np.bool_]  # score with the tax id's weight (a person saw it), or without (it was the teacher)

    def __len__(self) -> int:
        return len(self.same)

    @staticmethod
    def joined(parts: list[Labels]) -> Labels:
        return Labels(
            np.concatenate([part.levels for part in parts]),
            np.concatenate([part.same for part in parts]),
            np.concatenate([part.weight for part in parts]),
            np.concatenate([part.taxed for part in parts]),
        )


def taught(levels: Levels) -> Labels:
    """Labels that nobody had to give: valid tax ids that agree say "same", valid ones that differ "different"."""
    verdict = levels[:, FEATURES.index(TAUGHT)]
    same, different = INDEX[TAUGHT]["same"], INDEX[TAUGHT]["conflict"]
    spoken = (verdict == same) | (verdict == different)
    count = int(spoken.sum())
    return Labels(levels[spoken], verdict[spoken] == same, np.ones(count), np.zeros(count, dtype=bool))


def decided(levels: Levels, same: npt.NDArray[np.bool_], weight: float = 4.0) -> Labels:
    """Labels people gave. One counts as several taught ones: people are asked about the difficult pairs."""
    return Labels(levels, same, np.full(len(same), weight), np.ones(len(same), dtype=bool))


def learn(believed: Model, version: str, taught: Labels | None, judged: Labels | None) -> Model:
    """What tax ids teach and what people said, learnt together near what is believed; that itself without any label.

    Together, because people are asked about the difficult pairs: their answers alone say too little about the others.
    """
    parts = [labels for labels in (taught, judged) if labels is not None and len(labels)]
    if not parts:
        return believed
    pull = _TAUGHT_PULL if taught is not None and len(taught) else _JUDGED_PULL
    return train(Labels.joined(parts), believed, version, pull=pull)


def train(labels: Labels, believed: Model, version: str, *, pull: float = 10.0, rounds: int = 150) -> Model:
    """The model that explains the labels best without leaving what is believed for no reason.

    A logistic regression over one 0/1 column per (feature, level), each weight bounded by sign, ladder and distance.
    `pull`: how many labelled pairs the belief in each weight is worth. Deterministic.
    """
    start = np.array([believed.weights.get(f, {}).get(level, 0.0) for f, level in COLUMNS] + [believed.base])
    low, high = _bounds(start)
    x = np.array([labels.levels[:, FEATURES.index(f)] == INDEX[f][level] for f, level in COLUMNS], dtype=np.float32).T
    x = np.hstack([x, np.ones((len(x), 1), dtype=np.float32)])
    tax = np.zeros(len(LEVELS[TAUGHT]))
    for level, worth in believed.weights.get(TAUGHT, {}).items():
        tax[INDEX[TAUGHT][level]] = worth
    offset = np.where(labels.taxed, tax[labels.levels[:, FEATURES.index(TAUGHT)]], 0.0)
    same, weight = labels.same.astype(np.float64), labels.weight
    pulled = np.append(np.full(len(COLUMNS), pull), pull / 4)
    # A safe step for each weight: what its column can change the slope by, with its share of the others'.
    scale = np.asarray((x * weight[:, None]).sum(0), dtype=np.float64) * 0.25 * 6 + pulled
    weights = _project(start, low, high)
    ahead, momentum = weights.copy(), 1.0
    for _ in range(rounds):
        said = 1.0 / (1.0 + np.exp(-np.clip(x @ ahead.astype(np.float32) + offset, -30, 30)))
        slope = x.T @ (weight * (said - same)).astype(np.float32) + pulled * (ahead - start)
        new = _project(ahead - slope / scale, low, high)
        faster = (1 + (1 + 4 * momentum * momentum) ** 0.5) / 2
        if (ahead - new) @ (scale * (new - weights)) > 0:
            faster = 1.0
        ahead = new + (momentum - 1) / faster * (new - weights)
        weights, momentum = new, faster
    table: dict[str, dict[str, float]] = {TAUGHT: dict(believed.weights.get(TAUGHT, {}))}
    for (feature, level), value in zip(COLUMNS, weights, strict=False):
        if sixteenths(value):
            table.setdefault(feature, {})[level] = sixteenths(value)
    return Model(version, believed.kind, sixteenths(weights[-1]), table, believed.thresholds, believed.calibration)


def _bounds(start: Floats) -> tuple[Floats, Floats]:
    low, high = np.maximum(start - _FURTHEST, -_HIGHEST), np.minimum(start + _FURTHEST, _HIGHEST)
    for place, (feature, level) in enumerate(COLUMNS):
        if (feature, level) == ("bank", "shared"):
            low[place] = high[place] = 0.0  # a warning, never evidence
        elif level in _FOR or feature == "rarity":
            low[place] = max(low[place], 0.0)
        elif level in _AGAINST or feature in ("other_words", "extra_words"):
            high[place] = min(high[place], 0.0)
    return np.minimum(low, high), np.maximum(low, high)


def _project(weights: Floats, low: Floats, high: Floats) -> Floats:
    """Near weights within bounds and in ladder order (pooling neighbours that are out of order)."""
    for _ in range(4):
        weights = np.clip(weights, low, high)
        for feature, ladder in LADDERS.items():
            places = [_PLACE[feature, level] for level in ladder]
            if np.all(np.diff(weights[places]) >= 0):
                continue
            pools: list[tuple[float, int]] = []
            for place in places:
                pools.append((float(weights[place]), 1))
                while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
                    (a, n), (b, m) = pools.pop(), pools.pop()
                    pools.append(((a * n + b * m) / (n + m), n + m))
            weights[places] = [value for value, count in pools for _ in range(count)]
    return np.clip(weights, low, high)


def calibrate(
    values: Floats, same: npt.NDArray[np.bool_], weight: Floats | None = None
) -> tuple[tuple[float, float], ...]:
    """Points (score, log-odds), both rising, that turn scores into honest probabilities (pooled, ten pairs and more)."""
    order = np.argsort(values, kind="stable")
    values, same = values[order], same[order]
    weight = np.ones(len(values)) if weight is None else weight[order]
    pools: list[list[float]] = []  # [sum of values·weight, weight, weight of same]
    for rows in np.array_split(np.arange(len(values)), max(1, min(40, len(values) // 25))):
        pools.append([float(values[rows] @ weight[rows]), float(weight[rows].sum()), float(weight[rows] @ same[rows])])
        while len(pools) > 1 and pools[-2][2] / pools[-2][1] >= pools[-1][2] / pools[-1][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    points = []
    for total, count, yes in pools:
        share = (yes + 0.5) / (count + 1.0)
        points.append((round(total / count, 3), round(float(np.log(share / (1 - share))), 3)))
    return tuple(points)
