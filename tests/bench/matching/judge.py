"""The judge: how right pairs and clusters are, by a truth that says which entity every record is. Plain arithmetic.

Records are numbers 0 … n-1; `entity[i]` is who record i is. A pair is two different records, left < right, each once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Right:
    """Precision, recall and their harmonic mean, 0 to 1. Nothing found is precise; nothing to find is all recalled."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @staticmethod
    def of(hits: int, found: int, true: int) -> Right:
        return Right(hits / found if found else 1.0, hits / true if true else 1.0)


def true_pairs(entity: Ints) -> int:
    """How many pairs of records are the same entity."""
    count = np.unique(entity, return_counts=True)[1]
    return int((count * (count - 1) // 2).sum())


def of_pairs(entity: Ints, left: Ints, right: Ints) -> Right:
    return Right.of(int((entity[left] == entity[right]).sum()), len(left), true_pairs(entity))


def of_clusters(entity: Ints, cluster: Ints) -> Right:
    """By pairs: `cluster[i]` is the cluster of record i; records alone have a cluster of their own."""
    both = np.unique(np.stack([entity, cluster]), axis=1, return_counts=True)[1]
    return Right.of(int((both * (both - 1) // 2).sum()), true_pairs(cluster), true_pairs(entity))


def b_cubed(entity: Ints, cluster: Ints) -> Right:
    """By records: which share of a record's cluster is its entity, which share of its entity is in its cluster."""
    _, cell, size = np.unique(np.stack([entity, cluster]), axis=1, return_inverse=True, return_counts=True)
    shared = size[cell.ravel()]
    return Right(float((shared / _size_of(cluster)).mean()), float((shared / _size_of(entity)).mean()))


def _size_of(label: Ints) -> Ints:
    _, place, count = np.unique(label, return_inverse=True, return_counts=True)
    return count[place.ravel()]


def best_threshold(same: Bools, value: Floats, true: int) -> tuple[float, Right]:
    """The threshold with the highest F1 (pairs from it up are said to be one), found with the truth in hand."""
    found = [(threshold, Right.of(hits, count, true)) for threshold, hits, count in _curve(same, value)]
    return max(found, key=lambda at: (at[1].f1, at[0]), default=(0.0, Right.of(0, 0, true)))


def recall_at(precision: float, same: Bools, value: Floats, true: int) -> float:
    """The highest recall of any threshold whose pairs are at least this precise."""
    return max((hits / true for _, hits, count in _curve(same, value) if hits >= precision * count), default=0.0)


def _curve(same: Bools, value: Floats) -> list[tuple[float, int, int]]:
    """(threshold, true pairs, pairs) from each distinct value up, highest first: equal values cannot be told apart."""
    if not len(value):
        return []
    order = np.argsort(-value, kind="stable")
    value, hits = value[order], np.cumsum(same[order])
    last = np.append(np.nonzero(np.diff(value))[0], len(value) - 1)
    return list(zip(value[last].tolist(), hits[last].tolist(), (last + 1).tolist(), strict=True))


def labels(clusters: Sequence[Sequence[int]], count: int) -> Ints:
    """A cluster number per record; records in none have one of their own."""
    out = np.arange(count)
    for members in clusters:
        out[list(members)] = min(members)
    return out


def siblings(entity: Ints, group: Ints, left: Ints, right: Ints) -> int:
    """Pairs said to be one that are two entities of one group: what a group's owner would notice first."""
    return int(((entity[left] != entity[right]) & (group[left] == group[right])).sum())


def by_operation(entity: Ints, done: Sequence[frozenset[str]], left: Ints, right: Ints) -> dict[str, tuple[float, int]]:
    """Per operation on records: (recall, number) of the true pairs of which one or both had it done."""
    mine, other = all_true(entity)
    said = set(zip(left.tolist(), right.tolist(), strict=True))
    found: dict[str, list[int]] = {}
    for one, two in zip(mine.tolist(), other.tolist(), strict=True):
        hit = (one, two) in said
        for operation in done[one] | done[two] or {"none"}:
            row = found.setdefault(operation, [0, 0])
            row[0] += hit
            row[1] += 1
    return {name: (hits / count, count) for name, (hits, count) in sorted(found.items())}


def by_kind(entity: Ints, kind: npt.NDArray[np.str_], left: Ints, right: Ints) -> dict[str, Right]:
    """Per kind of group. A pair said across two kinds counts against that of its left record."""
    out = {}
    for one in np.unique(kind).tolist():
        of_it, pairs = kind == one, kind[left] == one
        hits = int((entity[left[pairs]] == entity[right[pairs]]).sum())
        out[one] = Right.of(hits, int(pairs.sum()), true_pairs(entity[of_it]))
    return out


def all_true(entity: Ints) -> tuple[Ints, Ints]:
    """Every true pair, left < right."""
    order = np.argsort(entity, kind="stable")
    cuts = np.nonzero(np.diff(entity[order]))[0] + 1
    left, right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for members in np.split(order, cuts):
        if len(members) > 1:
            one, two = np.triu_indices(len(members), 1)
            left.append(members[one])
            right.append(members[two])
    return np.concatenate(left), np.concatenate(right)
