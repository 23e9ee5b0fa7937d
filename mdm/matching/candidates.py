"""Candidates: the pairs of a table that share enough, found by its keys; a part of the records at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mdm.matching.keys import CAP, Keys, points
from mdm.matching.rarity import Rarity
from mdm.matching.table import Places

ENOUGH = 1.25  # points from which a pair is compared: one strong key, one rare hint, or a few usual ones
MOST_LIVE = 4 * CAP  # holders of a key the counts call rare; beyond that the counts are out of date
_MOST_AT_ONCE = 8_000_000  # combinations looked at together; bounds memory
_RECORD_BITS, _POINT_BITS = np.uint64(28), np.uint64(8)
_LOW = np.uint64((1 << 28) - 1)


class KeyIndex:
    """A table's keys, ordered for finding pairs. Records are numbers 0 … 2^28 - 1."""

    def __init__(self, keys: Keys, rarity: Rarity) -> None:
        keys = keys.finding()
        first = np.ones(len(keys), dtype=bool)
        first[1:] = keys.hash[1:] != keys.hash[:-1]
        starts = np.nonzero(first)[0]
        held = np.diff(np.append(starts, len(keys)))
        counted = np.maximum(rarity.counts(keys.hash[starts]), 2)
        useful = (counted <= CAP) & (held > 1) & (held <= MOST_LIVE)
        gain = np.where(useful, np.round(points(keys.kind[starts], counted) * 16), 0).astype(np.uint8)
        self._record = keys.record
        self._gain = np.repeat(gain, held)
        # What stands behind a row in its group: the holders with higher numbers.
        behind = np.repeat((starts + held - 1).astype(np.int32), held) - np.arange(len(keys), dtype=np.int32)
        self._after = np.where(self._gain > 0, behind, 0).astype(np.int32)

    def pairs(self, start: int, stop: int) -> Iterator[tuple[Places, Places]]:
        """Pairs (left, right), left < right, start ≤ left < stop, each once, in blocks ordered by left."""
        rows = np.nonzero((self._record >= start) & (self._record < stop) & (self._after > 0))[0]
        rows = rows[np.argsort(self._record[rows], kind="stable")]
        sums = np.cumsum(self._after[rows], dtype=np.int64)
        begin = 0
        while begin < len(rows):
            done = sums[begin - 1] if begin else 0
            end = int(np.searchsorted(sums, done + _MOST_AT_ONCE, side="right"))
            end = self._whole_record(rows, max(end, begin + 1))
            yield self._found(rows[begin:end], start)
            begin = end

    def _whole_record(self, rows: Places, end: int) -> int:
        while 0 < end < len(rows) and self._record[rows[end]] == self._record[rows[end - 1]]:
            end += 1
        return end

    def _found(self, rows: Places, start: int) -> tuple[Places, Places]:
        count = self._after[rows]
        row = np.repeat(rows, count)
        other = row + 1 + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        code = (self._record[row] - start).astype(np.uint64) << _RECORD_BITS
        code |= self._record[other].astype(np.uint64)
        code = (code << _POINT_BITS) | self._gain[row]
        code.sort()
        pair = code >> _POINT_BITS
        first = np.nonzero(np.r_[True, pair[1:] != pair[:-1]])[0] if len(pair) else np.zeros(0, dtype=np.int64)
        sums = np.add.reduceat((code & np.uint64(255)).astype(np.int64), first) if len(first) else first
        kept = pair[first[sums >= ENOUGH * 16]]
        return (kept >> _RECORD_BITS).astype(np.int64) + start, (kept & _LOW).astype(np.int64)


def total_points(kind: npt.NDArray[np.int8], counted: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Points of keys as `KeyIndex` weighs them; 0 for generic ones."""
    return np.where(counted <= CAP, points(kind, np.maximum(counted, 2)), 0).astype(np.float32)
