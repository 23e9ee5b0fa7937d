"""Name similarity: how much information two names share, and how much of either the other does not have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from mdm.matching.table import Places, Table, combinations, distinct_pairs, first_of_each, spread
from mdm.matching.vocabulary import Ids

Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Words = Ids  # one row per name, filled up with 0

_NAME_EDGES = np.array((0.15, 0.35, 0.55, 0.72, 0.85, 0.93, 0.999))
_RARITY_EDGES = np.array((3.0, 6.0, 9.0, 12.0, 17.0))
_WORD_EDGES = np.array((4.5, 7.5))  # nats: below a common word, above a rare one
_SPELLING_EDGES = np.array((50.0, 65.0, 80.0, 90.0, 99.99))
_SAME_WORD = 0.9  # Jaro-Winkler from which two words are one, misspelt
_MAYBE_WORD = 0.82
_EDITS = 0.75  # and at most a quarter of its letters may differ
_WIDTHS = np.array((3, 6, 12, 24))  # names are compared in groups of about equal length


@dataclass(frozen=True, slots=True)
class NameMatch:
    """One row per pair: levels, and which names agreed best."""

    level: Levels
    rarity: Levels
    other_words: Levels
    extra_words: Levels
    spelling: Levels
    via: Levels
    left: Places  # the name of the left record that was compared, -1 when it has none
    right: Places
    rests: Rests | None  # on demand


class Rests:
    """Of pairs of names: the words of either, as features spell them, that the other has nothing like."""

    def __init__(self, table: Table) -> None:
        self._texts = table.vocabulary
        self._kept: list[tuple[Places, Words, Words, Bools, Bools]] = []
        self.chosen: Places = np.zeros(0, dtype=np.int64)  # of each pair, the row that agreed best; -1 for none

    def keep(self, rows: Places, one: Words, other: Words, rest_one: Bools, rest_other: Bools) -> None:
        self._kept.append((rows, one, other, rest_one, rest_other))

    def words(self, pair: int) -> tuple[list[str], list[str]]:
        row = int(self.chosen[pair])
        for rows, one, other, rest_one, rest_other in self._kept:
            k = int(rows.searchsorted(row))
            if k < len(rows) and rows[k] == row:
                return self._texts.pick(one[k][rest_one[k]]), self._texts.pick(other[k][rest_other[k]])
        return [], []


def match_names(table: Table, i: Places, j: Places, weights: Floats, *, keep: bool = False) -> NameMatch:
    """The best of all pairs of names; the main names win over aliases when they are as good."""
    names = table.lists["names"]
    pair, left, right = combinations(names, i, names, j)
    main = (left == names.start[i][pair]) & (right == names.start[j][pair])
    rests = Rests(table) if keep else None
    found = _Compared(table, left, right, weights, rests)
    found.via[~main & (found.via == 0)] = 1
    best = first_of_each(pair)
    if len(best) < len(pair):
        rank = found.similarity + np.where(main, 0.02, 0.0)  # a short alias equal by chance beats no long name
        order = np.lexsort(
            (found.level, found.extra_words, found.other_words, -found.spelling, -found.rarity, -rank, pair)
        )
        best = order[best]
    whose, size = pair[best], len(i)
    level, rarity, other_words, extra_words, spelling, via = (
        spread(whose, values[best], size) for values in found.levels
    )
    if rests:
        rests.chosen = spread(whose, best, size, -1)
    one, other = (spread(whose, side[best], size, -1) for side in (left, right))
    return NameMatch(level, rarity, other_words, extra_words, spelling, via, one, other, rests)


def name_weights(table: Table, names: Places, weights: Floats) -> Floats:
    """What the words of each name weigh together."""
    words = table.lists["words"]
    count = words.start[names + 1] - words.start[names]
    name = np.arange(len(names)).repeat(count)
    within = np.arange(len(name)) - (count.cumsum() - count).repeat(count)
    total = np.bincount(name, weights[words["word"][words.start[names][name] + within]], len(names))
    return total.astype(np.float64)


class _Compared:
    """Names left[k] against right[k] of a table."""

    def __init__(self, table: Table, left: Places, right: Places, weights: Floats, rests: Rests | None) -> None:
        self.table, self.weights, self.rests = table, weights, rests
        size = len(left)
        self.similarity = np.ones(size)
        self.levels = np.zeros((6, size), dtype=np.int8)
        self.level, self.rarity, self.other_words, self.extra_words, self.spelling, self.via = self.levels
        names = table.lists["names"]
        equal = names["joined"][left] == names["joined"][right]
        self._equal(equal.nonzero()[0], left, right)
        unequal = (~equal).nonzero()[0]
        longest = np.maximum(names["count"][left[unequal]], names["count"][right[unequal]])
        group = _WIDTHS.searchsorted(longest)
        for number, width in enumerate(_WIDTHS.tolist()):
            rows = unequal[group == number]
            if len(rows):
                self._differ(rows, left[rows], right[rows], width)

    def _equal(self, rows: Places, left: Places, right: Places) -> None:
        # One sound, not always the same words (Good Will, Goodwill): what the commoner spelling says was shared.
        shared = np.minimum(*(name_weights(self.table, side[rows], self.weights) for side in (left, right)))
        self.level[rows], self.other_words[rows], self.extra_words[rows], self.spelling[rows] = 8, 1, 1, 6
        self.rarity[rows] = 1 + _RARITY_EDGES.searchsorted(shared, side="right")

    def _padded(self, names: Places, width: int) -> npt.NDArray[np.int32]:
        words = self.table.lists["words"]
        column = np.arange(width)
        place = words.start[names][:, None] + column
        inside = column < self.table.lists["names"]["count"][names][:, None]
        return np.where(inside, words["word"][np.minimum(place, len(words["word"]) - 1)], 0)

    def _differ(self, rows: Places, left: Places, right: Places, width: int) -> None:
        one, other = self._padded(left, width), self._padded(right, width)
        alike = (one[:, :, None] == other[:, None, :]) & (one[:, :, None] > 0)
        rest_one, rest_other = (one > 0) & ~alike.any(2), (other > 0) & ~alike.any(1)
        weight_one, weight_other = self.weights[one], self.weights[other]
        total = weight_one.sum(1) + weight_other.sum(1)
        shared = (weight_one * ((one > 0) & ~rest_one)).sum(1)
        open_ended = rest_one.any(1) & rest_other.any(1)
        credit = np.zeros(len(rows))
        if open_ended.any():
            self._pair_words(open_ended.nonzero()[0], one, other, rest_one, rest_other, credit)
        names = self.table.lists["names"]
        shared = shared + credit
        similarity = np.minimum(1.0, np.divide(2 * shared, total, out=np.zeros(len(rows)), where=total > 0))
        initials = (
            open_ended
            & (credit == 0.0)
            & (names["initials"][left] > 0)
            & (names["initials"][left] == names["initials"][right])
            & ((names["count"][left] == 1) != (names["count"][right] == 1))
        )
        texts = self.table.vocabulary
        spelling = cpdist(
            texts.pick(names["joined"][left]), texts.pick(names["joined"][right]), scorer=fuzz.ratio, workers=1
        ).astype(np.float64)
        # One word on one side, two on the other (Goodwill, Good Will), misspelt on top.
        glued = (similarity < 0.72) & (spelling >= 88) & ~initials
        similarity[glued] = 0.8
        rest_one[glued], rest_other[glued] = False, False
        similarity[initials], shared[initials] = 0.8, 6.0
        rest_one[initials], rest_other[initials] = False, False
        if self.rests:
            self.rests.keep(rows, one, other, rest_one, rest_other)
        most_one, most_other = (weight_one * rest_one).max(1), (weight_other * rest_other).max(1)
        less, more = np.minimum(most_one, most_other), np.maximum(most_one, most_other)
        rests = rest_one.any(1) | rest_other.any(1)
        level = 1 + _NAME_EDGES.searchsorted(similarity, side="right")
        level = np.minimum(level, np.where((spelling < 99.99) & rests, 7, 8))
        self.similarity[rows] = similarity
        self.level[rows] = level
        self.rarity[rows] = np.where(shared > 0, 1 + _RARITY_EDGES.searchsorted(shared, side="right"), 0)
        self.other_words[rows] = np.where(less > 0, 2 + _WORD_EDGES.searchsorted(less, side="right"), 1)
        extra = np.where((less > 0) | (more == 0), 1, 2 + _WORD_EDGES.searchsorted(more, side="right"))
        self.extra_words[rows] = extra
        self.spelling[rows] = np.where(initials, 0, 1 + _SPELLING_EDGES.searchsorted(spelling, side="right"))
        self.via[rows] = np.where(initials, 2, 0)

    def _pair_words(
        self,
        both: Places,
        one: npt.NDArray[np.int32],
        other: npt.NDArray[np.int32],
        rest_one: Bools,
        rest_other: Bools,
        credit: Floats,
    ) -> None:
        """Misspelt, cut and joined words, best first; what stays in the rests only one side has."""
        which, x, y = np.nonzero(rest_one[both][:, :, None] & rest_other[both][:, None, :])
        row = both[which]
        first, second = one[row, x], other[row, y]
        closeness = word_closeness(self.table, first, second)
        close = np.nonzero(closeness)[0]
        if not len(close):
            return
        hashes = self.table.vocabulary.hashes
        chance = hashes(first[close]) ^ hashes(second[close])
        best_first = close[np.lexsort((chance, -closeness[close], row[close]))]
        # A misspelling is unique, hence "rare": only the commoner spelling's rarity was shared.
        gain = (closeness * np.minimum(self.weights[first], self.weights[second]))[best_first]
        row, x, y = row[best_first], x[best_first], y[best_first]
        while len(row):
            best = first_of_each(row)
            credit[row[best]] += gain[best]
            rest_one[row[best], x[best]] = False
            rest_other[row[best], y[best]] = False
            left = rest_one[row, x] & rest_other[row, y]
            row, x, y, gain = row[left], x[left], y[left], gain[left]


def word_closeness(table: Table, first: npt.NDArray[np.int32], second: npt.NDArray[np.int32]) -> Floats:
    """0 … 1 for each pair of words: 0 when they are two words, less than 1 for one word spelt twice."""
    length, start, after, digits = table.word_traits
    shorter = np.minimum(length[first], length[second])
    maybe = (shorter >= 3) & ~(digits[first] | digits[second]).astype(bool)
    maybe &= (start[first] == start[second]) | ((shorter >= 5) & (after[first] == after[second]))
    out = np.zeros(len(first))
    rows = np.nonzero(maybe)[0]
    if not len(rows):
        return out
    one, other, back = distinct_pairs(first[rows], second[rows])
    out[rows] = _closeness(table, one, other)[back]
    return out


def _closeness(table: Table, first: npt.NDArray[np.int32], second: npt.NDArray[np.int32]) -> Floats:
    texts = table.vocabulary
    # In one order, whichever side they come from: Jaro-Winkler is not quite symmetric.
    pairs = [
        (a, b) if (len(a), a) < (len(b), b) else (b, a)
        for a, b in zip(texts.pick(first), texts.pick(second), strict=True)
    ]
    short, long = [a for a, _ in pairs], [b for _, b in pairs]
    winkler = cpdist(short, long, scorer=JaroWinkler.similarity, score_cutoff=_MAYBE_WORD).astype(np.float64)
    winkler = np.round(winkler, 6)
    out = np.zeros(len(pairs))
    for k, (a, b) in enumerate(pairs):
        if b.startswith(a):
            out[k] = 0.85 if len(a) > 3 or len(b) < 10 else 0.7
        elif len(a) > 3 and winkler[k] >= _SAME_WORD:
            # A long common beginning must not make one word of two (petrochemical, petromechanical).
            out[k] = winkler[k] if OSA.normalized_similarity(a, b) >= _EDITS else 0.0
        elif len(a) > 3 and winkler[k] >= _MAYBE_WORD and fuzz.ratio(a, b) >= 80:
            out[k] = winkler[k] - 0.05
    return out
