"""Bulk: all duplicates of a table. Works through it in parts, on several processors, with memory bounded by the part."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mdm.matching.candidates import KeyIndex
from mdm.matching.cluster import Edges, claims_of, clusters
from mdm.matching.compare import Comparer
from mdm.matching.config import NUMBER_CONFLICT, TAX_ID_CONFLICT, MatchConfig
from mdm.matching.keys import KIND, Keys, build_keys
from mdm.matching.model import Model
from mdm.matching.rarity import Rarity, Snapshot
from mdm.matching.score import Scorer
from mdm.matching.table import Places, Table
from mdm.matching.training import Labels, calibrate, learn, taught

_PART = 20_000  # records whose pairs are looked for at a time
_BLOCK = 60_000  # pairs compared at a time
_TEACH = 12_000  # labels a model is learnt from; more change nothing but the time
_MANY = 250_000  # records from which on the memory their texts take counts more than the time to read them
_LEAST_TAUGHT = 200  # of either answer, below which a file says too little to learn from
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Scored pairs, each once, left < right; `flags` and `band` as in mdm.matching.score."""

    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]  # sixteenths: exact
    flags: npt.NDArray[np.uint8]
    band: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.left)

    @staticmethod
    def joined(parts: list[Pairs]) -> Pairs:
        parts = parts or [_NO_PAIRS]
        return Pairs(
            np.concatenate([part.left for part in parts]),
            np.concatenate([part.right for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.flags for part in parts]),
            np.concatenate([part.band for part in parts]),
        )


_NO_PAIRS = Pairs(
    np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32),
    np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.int8),
)  # fmt: skip


class Job:
    """Everything one table's duplicates are found with. Made once; parts of it may run in any order, anywhere."""

    def __init__(
        self,
        table: Table,
        config: MatchConfig,
        model: Model,
        *,
        keys: Keys | None = None,
        rarity: Rarity | None = None,
    ) -> None:
        self.table, self.config, self.model = table, config, model
        self.keys = build_keys(table) if keys is None else keys
        self.rarity = rarity or Snapshot.of(self.keys, len(table))
        self.index = KeyIndex(self.keys, self.rarity)
        self.comparer = Comparer(table, self.rarity)
        table.word_traits  # noqa: B018 - made before processes part, not by each of them
        if len(table) > _MANY:
            table.vocabulary.pack()

    def part(self, start: int, stop: int) -> Pairs:
        """Pairs whose left record is one of start … stop - 1."""
        scorer = Scorer(self.config, self.model)
        found = []
        for left, right in self._blocks(self.index, start, stop):
            levels = self.comparer.compare(left, right).levels
            value, flags = scorer.values(levels), scorer.flags(levels)
            band = scorer.bands(value, flags)
            found.append(Pairs(left.astype(np.int32), right.astype(np.int32), value.astype(np.float32), flags, band))
        return Pairs.joined(found)

    def pairs(self, workers: int = 1, progress: Progress | None = None) -> Pairs:
        """All pairs, by `workers` processes. The same whatever their number."""
        parts = [(start, min(start + _PART, len(self.table))) for start in range(0, len(self.table), _PART)]
        found: list[Pairs] = []
        for done, pairs in enumerate(_in_order(self, parts, workers), start=1):
            found.append(pairs)
            if progress:
                progress(done, len(parts))
        return Pairs.joined(found)

    def clusters(self, pairs: Pairs, rank: Places | None = None) -> list[list[int]]:
        """Records that are one thing: pairs from the review threshold up that no hard rule forbids."""
        scorer = Scorer(self.config, self.model)
        joins = pairs.band > 0
        edges = Edges(
            pairs.left.astype(np.int64), pairs.right.astype(np.int64), pairs.value.astype(np.float64),
            joins, scorer.apart(pairs.flags),
        )  # fmt: skip
        touched = np.unique(np.concatenate([edges.left[joins], edges.right[joins]]))
        rules = self.config.rules
        claims = claims_of(self.table, touched, tax=TAX_ID_CONFLICT in rules, numbers=NUMBER_CONFLICT in rules)
        return clusters(edges, claims, rank)

    def learnt(self, version: str, judged: Labels | None = None, *, teaching: bool = True) -> Model:
        """The model after what this table teaches about itself (`teaching`) and what people said of pairs of it.

        The same model when neither says enough.
        """
        taught = self.taught() if teaching else None
        model = learn(self.model, version, taught, judged)
        if taught is None:
            return model
        values = Scorer(self.config, replace(model, weights={**model.weights, "tax": {}})).values(taught.levels)
        return replace(model, calibration=calibrate(values, taught.same))

    def taught(self) -> Labels | None:
        """Labels from tax ids, on pairs that something else than the tax id has found."""
        if not len(self.table.lists["tax"]["number"]):
            return None
        keep = self.keys.kind != KIND["tax"]
        index = KeyIndex(self.keys.only(keep), self.rarity)
        found: list[Labels] = []
        count = 0
        # Parts from all over the table: files come sorted, and one country alone teaches little.
        size = max(1, min(2000, len(self.table) // 10))
        starts = np.arange(0, len(self.table), size)
        for start in np.random.default_rng(0).permutation(starts).tolist():
            for left, right in self._blocks(index, start, min(start + size, len(self.table))):
                spoken = self._both_valid(left, right)
                labels = taught(self.comparer.compare(left[spoken], right[spoken]).levels)
                found.append(labels)
                count += len(labels)
            if count >= _TEACH:
                break
        if not found:
            return None
        labels = Labels.joined(found)
        same = int(labels.same.sum())
        return labels if min(same, len(labels) - same) >= _LEAST_TAUGHT else None

    def _both_valid(self, left: Places, right: Places) -> npt.NDArray[np.int64]:
        tax = self.table.lists["tax"]
        valid = np.zeros(len(self.table), dtype=bool)
        valid[tax.owners()[tax["valid"] == 1]] = True
        return np.nonzero(valid[left] & valid[right])[0]

    @staticmethod
    def _blocks(index: KeyIndex, start: int, stop: int) -> Iterator[tuple[Places, Places]]:
        for left, right in index.pairs(start, stop):
            for at in range(0, len(left), _BLOCK):
                yield left[at : at + _BLOCK], right[at : at + _BLOCK]


_job: Job | None = None


def _part(bounds: tuple[int, int]) -> Pairs:
    assert _job is not None
    return _job.part(*bounds)


def _in_order(job: Job, parts: list[tuple[int, int]], workers: int) -> Iterator[Pairs]:
    global _job
    if workers < 2 or len(parts) < 2:
        for bounds in parts:
            yield job.part(*bounds)
        return
    _job = job  # processes that part from this one see the table without a copy …
    gc.collect()
    gc.freeze()  # … as long as nobody's garbage collection walks through it
    try:
        with multiprocessing.get_context("fork").Pool(min(workers, len(parts))) as pool:
            yield from pool.imap(_part, parts)
    finally:
        _job = None
        gc.unfreeze()
