"""Learns the shipped weights without any label: valid tax ids that agree or differ act as the teacher.

python -m tests.mdm.matching.quality.fit RECORDS.csv > table

1. Pairs sharing a key that is not a tax id are compared. A pair whose tax ids agree is taken for the same
   supplier, one whose valid tax ids of one country differ for another; all other pairs are left out.
2. A logistic regression over one 0/1 column per (feature, level), without the tax id, is fitted to them.
   Every weight is bounded, and levels of a feature keep their order (agreeing more never weighs less), so
   that the table stays sensible where the data say little. The bounds are what we believe beforehand.
3. The tax id's own weights are set by hand: it was the teacher and cannot be learnt from itself.

Country and region weights rest on belief too: the teacher only speaks about pairs of one country.
"""

import sys

import numpy as np
import numpy.typing as npt

from mdm.matching import Engine, MemoryKeyStore
from mdm.matching.keys import build_keys
from mdm.matching.levels import FEATURES, INDEX, LEVELS
from mdm.matching.store import key_points
from tests.mdm.matching.configs import blind_index, supplier_config
from tests.mdm.matching.quality.measure import read_rows, supplier_document

Array = npt.NDArray[np.float64]
Column = tuple[str, str]
BY_HAND = {"tax": {"same": 6.0, "same_unchecked": 4.0, "typo": 2.5, "different": -1.0, "conflict": -6.0}}
# From worst to best; "same_shared" and the odd ones out stay outside their ladder.
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
AGAINST = frozenset(
    (
        "different",
        "other_number",
        "number_only",
        "one_side",
        "area",
        "relative",
        "relative_strong",
        "namesake",
    )
)
FOR = frozenset(("same", "same_shared", "equal", "nearly_equal", "very_close", "close", "extension", "typo"))
ALSO_FOR = frozenset(("no_number", "agreeing", "alias", "initials", "none"))
BOUNDS: dict[Column, tuple[float, float]] = {
    ("name", "faint"): (-6.0, 0.0),
    ("name", "weak"): (-6.0, 0.0),
    ("spelling", "loose"): (-6.0, 0.0),
    ("other_words", "none"): (0.0, 1.0),
    ("number", "same"): (0.0, 1.25),
    ("number", "one_side"): (-2.5, 0.0),
    ("region", "same"): (0.0, 0.75),
    ("region", "different"): (-4.0, -2.0),
    ("country", "different"): (-4.0, -2.5),
    ("form", "different"): (-1.5, 0.0),
    ("city", "same"): (0.125, 6.0),
    ("city", "different"): (-6.0, -0.25),
    ("identifier", "different"): (-1.5, 0.0),
    ("phone", "different"): (-2.0, 0.0),  # companies have more phones than invented ones do
    ("domain", "different"): (-2.5, 0.0),
    ("mail", "same"): (0.0, 2.0),
    ("mail", "different"): (-0.5, 0.0),
    ("bank", "different"): (-1.0, 0.0),
    ("bank", "shared"): (0.0, 0.0),  # a warning, never evidence
    ("pattern", "moved"): (-6.0, 0.5),
}


def bounds(column: Column) -> tuple[float, float]:
    feature, level = column
    if column in BOUNDS:
        return BOUNDS[column]
    if feature == "rarity" or level in FOR or level in ALSO_FOR:
        return 0.0, 6.0
    if level in AGAINST or feature in ("other_words", "extra_words"):
        return -6.0, 0.0
    return -6.0, 6.0


def teach(path: str) -> tuple[npt.NDArray[np.int8], Array]:
    """Comparison vectors of the pairs the teacher speaks about, and what it says."""
    engine, store = Engine(supplier_config(), hasher=blind_index), MemoryKeyStore()
    for row in read_rows(path):
        store.add(row["record_id"], engine.features(supplier_document(row)))
    keys = {id_: {k.hash: k.kind for k in build_keys(store.features(id_))} for id_ in store.ids()}

    def found_otherwise(one: str, other: str) -> bool:
        common = [(hash_, kind) for hash_, kind in keys[one].items() if hash_ in keys[other] and kind != "tax"]
        counted = [(kind, store.key_count(hash_)) for hash_, kind in common]
        return sum(key_points(kind, count) for kind, count in counted if count <= 200) >= 1.0

    pairs = [(one, other) for one, other in store.pairs() if found_otherwise(str(one), str(other))]
    levels = engine.levels(((store.features(one), store.features(other)) for one, other in pairs), store)
    verdict = levels[:, FEATURES.index("tax")]
    same, different = INDEX["tax"]["same"], INDEX["tax"]["conflict"]
    spoken = (verdict == same) | (verdict == different)
    return levels[spoken], (verdict[spoken] == same).astype(np.float64)


def fit(levels: npt.NDArray[np.int8], same: Array, rounds: int = 3000, pull: float = 20.0) -> Array:
    """Accelerated projected gradient; `pull` draws weights to zero, spreading them over kin."""
    x = np.array([levels[:, FEATURES.index(f)] == INDEX[f][level] for f, level in COLUMNS], dtype=np.float32).T
    x = np.hstack([x, np.ones((len(x), 1), dtype=np.float32)])
    sample = x[np.random.default_rng(0).choice(len(x), min(5000, len(x)), replace=False)]
    step = 1.0 / (0.25 * np.linalg.norm(sample, 2) ** 2 * len(x) / len(sample) + pull)
    pulled = pull * np.append(np.ones(len(COLUMNS)), 0.0)
    weights = project(np.zeros(x.shape[1]))
    ahead, momentum = weights.copy(), 1.0
    for _ in range(rounds):
        said = 1.0 / (1.0 + np.exp(-np.clip(x @ ahead.astype(np.float32), -30, 30)))
        slope = x.T @ (said - same).astype(np.float32) + pulled * ahead
        new = project(ahead - step * slope)
        faster = (1 + (1 + 4 * momentum * momentum) ** 0.5) / 2
        if (ahead - new) @ (new - weights) > 0:
            faster = 1.0
        ahead = new + (momentum - 1) / faster * (new - weights)
        weights, momentum = new, faster
    return weights


COLUMNS: list[Column] = [(f, level) for f in FEATURES if f not in BY_HAND for level in LEVELS[f][1:]]
_PLACE = {column: i for i, column in enumerate(COLUMNS)}
_LOW = np.array([bounds(column)[0] for column in COLUMNS] + [-12.0])
_HIGH = np.array([bounds(column)[1] for column in COLUMNS] + [4.0])


def project(weights: Array) -> Array:
    """The nearest weights within bounds and in ladder order (pooling neighbours that are out of order)."""
    for _ in range(8):
        weights = np.clip(weights, _LOW, _HIGH)
        for feature, ladder in LADDERS.items():
            places = [_PLACE[feature, level] for level in ladder]
            pools: list[tuple[float, int]] = []
            for place in places:
                pools.append((float(weights[place]), 1))
                while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
                    (a, n), (b, m) = pools.pop(), pools.pop()
                    pools.append(((a * n + b * m) / (n + m), n + m))
            weights[places] = [value for value, count in pools for _ in range(count)]
    return np.clip(weights, _LOW, _HIGH)


def main() -> None:
    levels, same = teach(sys.argv[1])
    weights = fit(levels, same)
    print(f"# {len(same):,} pairs, {same.mean():.1%} of them the same")
    print(f"BASE = {round(weights[-1] * 16) / 16}")
    table: dict[str, dict[str, float]] = {}
    for (feature, level), weight in zip(COLUMNS, weights, strict=False):
        if round(weight * 16):
            table.setdefault(feature, {})[level] = round(weight * 16) / 16
    for feature, row in {**table, **BY_HAND}.items():
        print(f"{feature}: {row}")


if __name__ == "__main__":
    main()
