"""The engine: the one door to matching. Features at write time, keys to find, compare and rank to judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mdm.matching import explain
from mdm.matching.compare import Comparer, Comparison
from mdm.matching.config import SHARED_BANK, MatchConfig
from mdm.matching.errors import FeaturesOutdated
from mdm.matching.explain import Seen
from mdm.matching.keys import Key, build_keys
from mdm.matching.levels import FEATURES
from mdm.matching.model import Model, shipped
from mdm.matching.normalise import VERSION, Features, Hasher, normalise
from mdm.matching.rarity import NOTHING_COUNTED, Rarity
from mdm.matching.score import BANDS, Band, Score, Scorer, flags_of
from mdm.matching.table import Table

CandidateId = TypeVar("CandidateId")


class Engine:
    """Matching for one record type. Holds no data of records and may be shared between threads."""

    version = VERSION

    def __init__(self, config: MatchConfig, hasher: Hasher | None = None, model: Model | None = None) -> None:
        self.config = config
        self.model = model or shipped(config.kind)
        self.scorer = Scorer(config, self.model)
        self._hasher = hasher

    def features(self, document: dict[str, Any]) -> Features:
        """What matching knows of a document: JSON, versioned, no bank numbers. Store it with the record."""
        return normalise(self.config, document, self._hasher)

    def keys(self, batch: Sequence[Features]) -> list[list[Key]]:
        """Hashed keys of each record: to store in the same transaction, and to look candidates up by.

        Those of kind `token` find nothing; they count how common a word is.
        """
        return build_keys(self.table(batch)).by_record(len(batch))

    def table(self, batch: Iterable[Features]) -> Table:
        """Features of many records in columns. Raises FeaturesOutdated."""
        return Table.of(map(_current, batch))

    def compare(
        self, left: Features, right: Features, rarity: Rarity | None = None, *, confirmed: bool = False
    ) -> Score:
        """Judge one pair. `confirmed`: a person has confirmed something here, stricter thresholds hold."""
        return self.compare_all([(left, right)], rarity, confirmed=confirmed)[0]

    def compare_all(
        self,
        pairs: Sequence[tuple[Features, Features]],
        rarity: Rarity | None = None,
        *,
        confirmed: bool = False,
    ) -> list[Score]:
        """Judge and explain each pair."""
        if not pairs:
            return []
        features = [one for pair in pairs for one in pair]
        comparer = _comparer(features, rarity)
        left = np.arange(len(pairs)) * 2
        compared = comparer.compare(left, left + 1, keep_rests=True)
        return self._explained(compared, np.arange(len(pairs)), left, left + 1, features, confirmed)

    def rank(
        self,
        features: Features,
        candidates: Iterable[tuple[CandidateId, Features]],
        limit: int = 10,
        threshold: float | None = None,
        rarity: Rarity | None = None,
        *,
        confirmed: bool = False,
    ) -> list[tuple[CandidateId, Score]]:
        """Candidates from the threshold up (default: the review threshold), best first; only those are explained."""
        return self.rank_all([features], [list(candidates)], limit, threshold, rarity, confirmed=confirmed)[0]

    def rank_all(
        self,
        batch: Sequence[Features],
        candidates: Sequence[Sequence[tuple[CandidateId, Features]]],
        limit: int = 10,
        threshold: float | None = None,
        rarity: Rarity | None = None,
        *,
        confirmed: bool = False,
    ) -> list[list[tuple[CandidateId, Score]]]:
        """`rank` for each record of a batch with its own candidates, all compared at once."""
        if threshold is None:
            limits = self.model.thresholds
            threshold = limits.confirmed_review if confirmed else limits.review
        features, place = list(batch), dict[Any, int]()
        left, right, ids = [], [], []
        for record, found in enumerate(candidates):
            for id_, other in found:
                if id_ not in place:
                    place[id_] = len(features)
                    features.append(other)
                left.append(record)
                right.append(place[id_])
                ids.append(id_)
        out: list[list[tuple[CandidateId, Score]]] = [[] for _ in batch]
        if not ids:
            return out
        comparer = _comparer(features, rarity)
        i, j = np.array(left), np.array(right)
        compared = comparer.compare(i, j, keep_rests=True)
        values = self.scorer.values(compared.levels)
        order = np.lexsort((np.arange(len(i)), -values, i))
        order = order[values[order] >= threshold]
        first = np.searchsorted(i[order], i[order])
        order = order[np.arange(len(order)) - first < limit]
        scores = self._explained(compared, order, i, j, features, confirmed)
        for row, score in zip(order.tolist(), scores, strict=True):
            out[left[row]].append((ids[row], score))
        return out

    def bank_warnings(
        self,
        features: Features,
        candidates: Iterable[tuple[CandidateId, Features]],
        rarity: Rarity | None = None,
    ) -> list[tuple[CandidateId, Score]]:
        """Candidates with the same bank account under a different name, however low they score."""
        mine = {index for index, _last in _current(features)["banks"]}
        if not mine:
            return []
        same = [(id_, other) for id_, other in candidates if any(i in mine for i, _last in other["banks"])]
        scores = self.compare_all([(features, other) for _id, other in same], rarity)
        return [(id_, score) for (id_, _), score in zip(same, scores, strict=True) if SHARED_BANK in score.flags]

    def levels(self, pairs: Sequence[tuple[Features, Features]], rarity: Rarity | None = None) -> npt.NDArray[np.int8]:
        """Comparison vectors of many pairs, columns as in FEATURES: what weights are learnt from."""
        if not pairs:
            return np.zeros((0, len(FEATURES)), dtype=np.int8)
        left = np.arange(len(pairs)) * 2
        return _comparer((features for pair in pairs for features in pair), rarity).compare(left, left + 1).levels

    def values(self, levels: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
        """Scores of comparison vectors, under this engine's model."""
        return self.scorer.values(levels)

    def band(self, score: Score, *, confirmed: bool = False) -> Band:
        """The band of a score under the other set of thresholds."""
        return self.scorer.band(score.value, score.flags, confirmed)

    def best_weights(self) -> dict[str, float]:
        """The most each feature can add: what a person would have to show."""
        return {feature: float(row.max()) for feature, row in zip(FEATURES, self.scorer.table, strict=True)}

    def why(self, score: Score) -> list[str]:
        return explain.why(score)

    def why_not(self, score: Score) -> list[str]:
        """What speaks against a pair, and what would have to differ for it to be looked at."""
        needed = explain.what_would_help(score, self.model.thresholds.review, self.best_weights())
        return explain.why_not(score) + needed

    def _explained(
        self,
        compared: Comparison,
        rows: npt.NDArray[np.int64],
        i: npt.NDArray[np.int64],
        j: npt.NDArray[np.int64],
        features: Sequence[Features],
        confirmed: bool,
    ) -> list[Score]:
        """Scores with explanations of these rows of a comparison of records i with records j."""
        levels = compared.levels[rows]
        weights, flags = self.scorer.weights(levels), self.scorer.flags(levels)
        values = weights.sum(axis=1) + self.scorer.base
        bands, chances = self.scorer.bands(values, flags, confirmed), self.model.probabilities(values)
        names, places = ([side[rows] for side in sides] for sides in (compared.names, compared.places))
        out = []
        for k, row in enumerate(rows.tolist()):
            assert compared.rests is not None
            seen = Seen(
                (int(names[0][k]), int(names[1][k])), (int(places[0][k]), int(places[1][k])), *compared.rests.words(row)
            )
            parts = explain.build_explanation(
                features[i[row]], features[j[row]], levels[k].tolist(), seen, weights[k].tolist()
            )
            band, flagged = BANDS[bands[k]], flags_of(int(flags[k]))
            out.append(Score(float(values[k]), float(chances[k]), band, self.scorer.base, parts, flagged))
        return out


def _comparer(features: Iterable[Features], rarity: Rarity | None) -> Comparer:
    return Comparer(Table.of(map(_current, features), for_keys=False), rarity or NOTHING_COUNTED)


def _current(features: Features) -> Features:
    if features.get("v") != VERSION:
        raise FeaturesOutdated(features.get("v"), VERSION)
    return features
