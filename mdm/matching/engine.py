"""The engine: the one door to matching. Features at write time, keys to find, compare and rank to judge."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mdm.matching import explain
from mdm.matching.compare import Comparison, Record, compare_records, unpack
from mdm.matching.config import SHARED_BANK, MatchConfig
from mdm.matching.errors import FeaturesOutdated
from mdm.matching.keys import Key, build_keys
from mdm.matching.levels import FEATURES
from mdm.matching.normalise import VERSION, Features, Hasher, normalise
from mdm.matching.rarity import Rarity, TokenWeights
from mdm.matching.score import Band, Score, Scorer, probability
from mdm.matching.store import Id, MemoryKeyStore, tokens_of

CandidateId = TypeVar("CandidateId")
_BLOCK = 20_000  # pairs compared before scoring them as one array


class Engine:
    """Matching for one record type. Holds no data of records and may be shared between threads."""

    version = VERSION

    def __init__(self, config: MatchConfig, hasher: Hasher | None = None) -> None:
        self.config = config
        self._hasher = hasher
        self._scorer = Scorer(config)

    def features(self, document: dict[str, Any]) -> Features:
        """What matching knows of a document: JSON, versioned, no bank numbers. Store it with the record."""
        return normalise(self.config, document, self._hasher)

    def keys(self, features: Features) -> list[Key]:
        """Hashed keys to store in the same transaction as the record, and to look candidates up by."""
        return build_keys(self._current(features))

    def tokens(self, features: Features) -> list[str]:
        """Words whose counts a Rarity is asked for; for callers that fetch counts in one query."""
        return sorted(tokens_of(features))

    def compare(
        self, left: Features, right: Features, rarity: Rarity | None = None, *, confirmed: bool = False
    ) -> Score:
        """Judge one pair. `confirmed`: a person has confirmed something here, stricter thresholds hold."""
        one, other = unpack(self._current(left)), unpack(self._current(right))
        compared = compare_records(one, other, TokenWeights(rarity))
        return self._score(one, other, compared, confirmed)

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
        """Candidates from the threshold up (default: the review threshold), best first.

        All are scored as one array; only those kept are explained. Words common to many candidates
        are weighed once.
        """
        if threshold is None:
            limits = self.config.thresholds
            threshold = limits.confirmed_review if confirmed else limits.review
        one = unpack(self._current(features))
        weights = TokenWeights(rarity)
        found = [(id_, unpack(self._current(other))) for id_, other in candidates]
        if not found:
            return []
        compared = [compare_records(one, other, weights) for _id, other in found]
        values = self._scorer.values(np.array([c.levels for c in compared], dtype=np.int8))
        order = np.argsort(-values, kind="stable")[:limit]
        return [
            (found[i][0], self._score(one, found[i][1], compared[i], confirmed))
            for i in order
            if values[i] >= threshold
        ]

    def bank_warnings(
        self,
        features: Features,
        candidates: Iterable[tuple[CandidateId, Features]],
        rarity: Rarity | None = None,
    ) -> list[tuple[CandidateId, Score]]:
        """Candidates with the same bank account under a different name, however low they score."""
        mine = {index for index, _last in self._current(features)["banks"]}
        if not mine:
            return []
        same = [(id_, other) for id_, other in candidates if any(i in mine for i, _last in other["banks"])]
        judged = ((id_, self.compare(features, other, rarity)) for id_, other in same)
        return [(id_, score) for id_, score in judged if SHARED_BANK in score.flags]

    def duplicates(
        self, store: MemoryKeyStore, threshold: float | None = None, cap: int = 200
    ) -> Iterator[tuple[Id, Id, Score]]:
        """Duplicates within a store, for one file or one import; blocks keep memory flat."""
        floor = self.config.thresholds.review if threshold is None else threshold
        weights = TokenWeights(store)
        records: dict[Id, Record] = {}
        pairs = store.pairs(cap)
        while block := list(islice(pairs, _BLOCK)):
            for id_ in {id_ for pair in block for id_ in pair} - records.keys():
                records[id_] = unpack(self._current(store.features(id_)))
            compared = [compare_records(records[one], records[other], weights) for one, other in block]
            values = self._scorer.values(np.array([c.levels for c in compared], dtype=np.int8))
            for i in np.nonzero(values >= floor)[0]:
                one, other = block[i]
                yield one, other, self._score(records[one], records[other], compared[i], confirmed=False)

    def levels(self, pairs: Iterable[tuple[Features, Features]], rarity: Rarity | None = None) -> npt.NDArray[np.int8]:
        """Comparison vectors of many pairs, columns as in FEATURES: what weights are learnt from."""
        weights = TokenWeights(rarity)
        rows = [
            compare_records(unpack(self._current(one)), unpack(self._current(other)), weights).levels
            for one, other in pairs
        ]
        return np.array(rows, dtype=np.int8).reshape(len(rows), len(FEATURES))

    def values(self, levels: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
        """Scores of comparison vectors, under this engine's weights."""
        return self._scorer.values(levels)

    def band(self, score: Score, *, confirmed: bool = False) -> Band:
        """The band of a score under the other set of thresholds."""
        return self._scorer.band(score.value, score.flags, confirmed)

    def best_weights(self) -> dict[str, float]:
        """The most each feature can add: what a person would have to show."""
        return {feature: float(row.max()) for feature, row in zip(FEATURES, self._scorer.table, strict=True)}

    def why(self, score: Score) -> list[str]:
        return explain.why(score)

    def why_not(self, score: Score) -> list[str]:
        """What speaks against a pair, and what would have to differ for it to be looked at."""
        needed = explain.what_would_help(score, self.config.thresholds.review, self.best_weights())
        return explain.why_not(score) + needed

    def _score(self, one: Record, other: Record, compared: Comparison, confirmed: bool) -> Score:
        weights = self._scorer.weights(compared.levels)
        flags = self._scorer.flags(compared.levels)
        value = self._scorer.base + sum(weights)
        return Score(
            value=value,
            probability=probability(value),
            band=self._scorer.band(value, flags, confirmed),
            base=self._scorer.base,
            explanation=explain.build_explanation(one, other, compared, weights),
            flags=flags,
        )

    @staticmethod
    def _current(features: Features) -> Features:
        if features.get("v") != VERSION:
            raise FeaturesOutdated(features.get("v"), VERSION)
        return features
