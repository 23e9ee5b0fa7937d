"""Rarity: how often words and keys occur. Sharing a rare thing says much, sharing a common one little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mdm.matching.keys import Keys, plain_hash
from mdm.matching.table import Table
from mdm.matching.vocabulary import signed
from mdm.matching.words import COMMON

Counts = npt.NDArray[np.int64]


class Rarity(Protocol):
    """Counts over the records compared against. Zero means never seen."""

    @property
    def total(self) -> int:
        """Number of records counted."""
        ...

    def counts(self, hashes: npt.NDArray[np.int64]) -> Counts:
        """For each key (words are keys of kind `token`): how many records hold it."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Frozen counts. Keys held by one record are not listed: they count as one, as a key never seen does."""

    total: int
    hashes: npt.NDArray[np.int64]  # ascending
    held: npt.NDArray[np.int32]

    def counts(self, hashes: npt.NDArray[np.int64]) -> Counts:
        if not len(self.hashes):
            return np.ones(len(hashes), dtype=np.int64)
        place = self.hashes[:-1].searchsorted(hashes)
        return np.where(self.hashes[place] == hashes, self.held[place], 1).astype(np.int64)

    @staticmethod
    def of(keys: Keys, total: int) -> Snapshot:
        first = np.ones(len(keys), dtype=bool)
        first[1:] = keys.hash[1:] != keys.hash[:-1]
        starts = np.nonzero(first)[0]
        held = np.diff(np.append(starts, len(keys)))
        several = held > 1
        return Snapshot(total, keys.hash[starts[several]], held[several].astype(np.int32))


NOTHING_COUNTED = Snapshot(0, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32))

# A word never counted is taken to stand in one of 10,000 names, a common one in one of 100; the belief weighs
# as much as a thousand records, so that a nearly empty hub does not call "services" rare.
_PRIOR_RECORDS = 1000
_PRIOR_RARE = 1e-4
_PRIOR_COMMON = 1e-2
_PRIOR_SHORT = 1.5e-3  # there are only 676 words of two letters


def word_weights(table: Table, rarity: Rarity) -> npt.NDArray[np.float64]:
    """Information in nats of every text of the vocabulary that is a word of a name; others are 0.

    Sixteenths: sums come out the same in any order.
    """
    weights = np.zeros(len(table.vocabulary))
    used = np.zeros(len(table.vocabulary), dtype=bool)
    used[table.lists["words"]["word"]] = True
    words = np.nonzero(used)[0].astype(np.int32)
    if not len(words):
        return weights
    counts = rarity.counts(signed(plain_hash(table, "token", words)))
    prior = np.array([_prior(text) for text in table.vocabulary.pick(words)])
    share = (counts + _PRIOR_RECORDS * prior) / (rarity.total + _PRIOR_RECORDS)
    weights[words] = np.round(np.maximum(0.5, -np.log(share)) * 16) / 16
    return weights


def _prior(word: str) -> float:
    if word in COMMON or len(word) == 1:
        return _PRIOR_COMMON
    return _PRIOR_SHORT if len(word) == 2 else _PRIOR_RARE
