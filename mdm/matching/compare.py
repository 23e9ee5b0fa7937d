"""Comparing: pairs of records become one level per feature ("same", "conflict", "unknown" …); no weights here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist

from mdm.matching.keys import plain_hash, street_hash
from mdm.matching.levels import FEATURES, INDEX, LEVELS
from mdm.matching.name_similarity import NameMatch, Rests, match_names
from mdm.matching.rarity import Rarity, word_weights
from mdm.matching.table import (
    ANY_FAMILY,
    FORM_FAMILY,
    Lists,
    Places,
    Table,
    combinations,
    distinct_pairs,
    first_of_each,
    spread,
)
from mdm.matching.vocabulary import Hashes, Ids, signed

Levels = npt.NDArray[np.int8]

# A phone, domain or address that this many records hold is an office centre, a group, an agent.
SHARED_FROM = 6
BANK_NAME_LEVEL = INDEX["name"]["partial"]
BANK_OTHER_WORDS = INDEX["other_words"]["usual"]


@dataclass(frozen=True, slots=True)
class Comparison:
    levels: Levels  # one row per pair, one column per feature in the order of FEATURES: an index into LEVELS
    names: tuple[Places, Places]  # the name of each side that agreed best (place in its list), -1 for none
    places: tuple[Places, Places]  # the address of each side, likewise
    rests: Rests | None  # words only one side has, on demand


class Comparer:
    """Compares records of one table. What the counts say of words and shared values is looked up once."""

    def __init__(self, table: Table, rarity: Rarity) -> None:
        self.table = table
        self._first = table.vocabulary.number("1")
        self.weights = word_weights(table, rarity)
        self._rarity = rarity

    def compare(self, i: Places, j: Places, *, keep_rests: bool = False) -> Comparison:
        """Record i[k] with record j[k]."""
        scalars, lists = self.table.scalars, self.table.lists
        name = match_names(self.table, i, j, self.weights, keep=keep_rests)
        street, postcode, city, left, right = self._places(i, j)
        phone, domain = self._phone(i, j), self._domain(i, j)
        country = _equal(scalars["country"], i, j)
        columns: dict[str, Any] = {
            "name": name.level, "rarity": name.rarity, "other_words": name.other_words,
            "extra_words": name.extra_words, "spelling": name.spelling, "via": name.via,
            "form": self._form(i, j),
            "number": self._number(i, j), "region": self._region(i, j, name),
            "country": country, "street": street, "postcode": postcode, "city": city,
            "tax": self._tax(i, j), "identifier": self._identifier(i, j),
            "phone": phone, "domain": domain,
            "mail": _any_equal(lists["mails"], "mail", i, j),
            "bank": _bank(_any_equal(lists["banks"], "account", i, j), name),
            "pattern": _pattern(name, street, postcode, city, phone, domain),
        }  # fmt: skip
        numbered = (columns["number"] == 3) & (np.minimum(scalars["numbers"][i], scalars["numbers"][j]) > 0)
        if numbered.any():
            bare = np.all([columns[feature] == 0 for feature in _BESIDE_NAMES], axis=0)
            columns["number"][bare & numbered] = 4
        levels = np.empty((len(i), len(FEATURES)), dtype=np.int8)
        for place, feature in enumerate(FEATURES):
            levels[:, place] = columns[feature]
        names = lists["names"].start
        places = lists["places"].start
        return Comparison(
            levels,
            (_within(name.left, names[i]), _within(name.right, names[j])),
            (_within(left, places[i]), _within(right, places[j])),
            name.rests,
        )

    def _form(self, i: Places, j: Places) -> Levels:
        forms = self.table.scalars["form"]
        found: Levels = _form_levels()[forms[i], forms[j]]
        return found

    def _number(self, i: Places, j: Places) -> Levels:
        """Of two full names only one having a number is no oversight; but the first of a series often goes without."""
        numbers, forms = self.table.scalars["numbers"], self.table.scalars["form"]
        level = _sets(numbers, i, j)
        one_side = level == 2
        level[one_side & (forms[i] > 0) & (forms[j] > 0)] = 3
        level[one_side & (np.maximum(numbers[i], numbers[j]) == self._first)] = 0
        return level

    def _region(self, i: Places, j: Places, name: NameMatch) -> Levels:
        """A name with its legal form is whole: that it names no country then means something, else nothing."""
        regions, forms = self.table.scalars["regions"], self.table.scalars["form"]
        level = _sets(regions, i, j)
        whole = np.where(regions[i] == 0, forms[i], forms[j]) > 0
        one_side = level == 2
        level[one_side] = np.where(whole & (name.via != 2), 3, 0)[one_side]
        return level

    def _tax(self, i: Places, j: Places) -> Levels:
        """Ternary evidence: same, different, unknown. Only two VALID numbers of one country can contradict."""
        tax = self.table.lists["tax"]
        pair, left, right = combinations(tax, i, tax, j)
        if not len(pair):
            return np.zeros(len(i), dtype=np.int8)
        country, number, valid = tax["country"], tax["number"], tax["valid"]
        one_land, other_land = country[left], country[right]
        one_land_known = (one_land > 0) & (other_land > 0)
        equal = (number[left] == number[right]) & ((one_land == other_land) | ~one_land_known)
        comparable = ~equal & (one_land == other_land) & one_land_known
        both_valid = (valid[left] == 1) & (valid[right] == 1)
        level = np.zeros(len(pair), dtype=np.int8)
        level[comparable] = 4
        slip = (comparable & ~both_valid).nonzero()[0]
        level[slip[_near(self.table, number[left[slip]], number[right[slip]])]] = 3
        level[comparable & both_valid] = 5
        level[equal] = np.where(valid[left[equal]] != 0, 1, 2)
        return _best(pair, level, len(i), order=(0, 4, 5, 3, 2, 1))

    def _identifier(self, i: Places, j: Places) -> Levels:
        ids = self.table.lists["ids"]
        pair, left, right = combinations(ids, i, ids, j)
        level = np.where(ids["value"][left] == ids["value"][right], 1, 2)
        level[ids["scheme"][left] != ids["scheme"][right]] = 0
        return _best(pair, level.astype(np.int8), len(i), order=(0, 2, 1))

    def _phone(self, i: Places, j: Places) -> Levels:
        phones = self.table.lists["phones"]
        pair, left, right = combinations(phones, i, phones, j)
        longer = phones["length"][left] != phones["length"][right]
        same = (phones["whole"][left] == phones["whole"][right]) | (
            longer & (phones["last"][left] == phones["last"][right])
        )
        level = np.where(phones["stem"][left] == phones["stem"][right], 3, 4)
        if same.any():
            level[same] = np.where(self._shared("phone", phones["last"], left[same], right[same]), 2, 1)
        return _best(pair, level.astype(np.int8), len(i), order=(0, 4, 3, 2, 1))

    def _domain(self, i: Places, j: Places) -> Levels:
        domains = self.table.lists["domains"]
        pair, left, right = combinations(domains, i, domains, j)
        stem = domains["stem"]
        level = np.where((stem[left] == stem[right]) & (stem[left] > 0), 3, 4)
        same = domains["domain"][left] == domains["domain"][right]
        if same.any():
            level[same] = np.where(self._shared("domain", domains["domain"], left[same]), 2, 1)
        return _best(pair, level.astype(np.int8), len(i), order=(0, 4, 3, 2, 1))

    def _places(self, i: Places, j: Places) -> tuple[Levels, Levels, Levels, Places, Places]:
        """Levels of street, postcode and city of the two addresses that agree best, and which these are."""
        places = self.table.lists["places"]
        pair, left, right = combinations(places, i, places, j)
        street, postcode, city = self._street(left, right), self._postcode(left, right), self._city(left, right)
        points = _STREET_POINTS[street] + _POSTCODE_POINTS[postcode] + _CITY_POINTS[city]
        same = (street == 1).nonzero()[0]
        if len(same):
            hashes = (street_hash(self.table, side) for side in (left[same], right[same]))
            street[same] = np.where(self._held_by_many(*hashes), 2, 1)
        # On equal points the levels decide, not the order of the lists: left and right stay exchangeable.
        best = first_of_each(pair)
        if len(best) < len(pair):
            best = np.lexsort((city, postcode, street, -points, pair))[best]
        whose = pair[best]
        found = [spread(whose, values[best], len(i)) for values in (street, postcode, city)]
        where = [spread(whose, side[best], len(i), -1) for side in (left, right)]
        return found[0], found[1], found[2], where[0], where[1]

    def _shared(self, kind: str, values: Ids, *elements: Places) -> npt.NDArray[np.bool_]:
        return self._held_by_many(*(plain_hash(self.table, kind, values[side]) for side in elements))

    def _held_by_many(self, *sides: Hashes) -> npt.NDArray[np.bool_]:
        """The counts say so of one side's value or the other's."""
        found = self._rarity.counts(signed(np.concatenate(sides))) >= SHARED_FROM
        return np.any(found.reshape(len(sides), -1), axis=0)

    def _street(self, left: Places, right: Places) -> Levels:
        places = self.table.lists["places"]
        compact, number, side = places["compact"], places["number"], places["side"]
        one, other = compact[left], compact[right]
        alike = np.full(len(left), 100.0)
        differ = (one != other).nonzero()[0]
        alike[differ] = _of_texts(self.table, one[differ], other[differ], _ratio)
        # A field cut at 25 characters, or a second line on one side only.
        head = places["head"][left]
        begins = ((alike < 80) & (head > 0) & (head == places["head"][right])).nonzero()[0]
        begins = begins[_of_texts(self.table, one[begins], other[begins], _begins) > 0]
        alike[begins] = 90.0
        same_number = number[left] == number[right]
        sides = (side[left] > 0) & (side[right] > 0) & (side[left] != side[right])
        unknown_number = (number[left] == 0) | (number[right] == 0)
        level = np.where(alike >= 92, 1, 3)
        level[~same_number] = 5
        level[unknown_number] = 4
        low = alike < 72
        level[low] = np.where(same_number & (number[left] > 0), 6, 7)[low]
        level[sides & (alike > 70)] = 5
        level[(one == 0) | (other == 0)] = 0
        return level.astype(np.int8)

    def _postcode(self, left: Places, right: Places) -> Levels:
        places = self.table.lists["places"]
        one, other = places["postcode"][left], places["postcode"][right]
        level = np.where(places["area"][left] == places["area"][right], 3, 4)
        differ = ((one != other) & (one > 0) & (other > 0)).nonzero()[0]
        level[differ[_near(self.table, one[differ], other[differ], least=4)]] = 2
        level[one == other] = 1
        level[(one == 0) | (other == 0)] = 0
        return level.astype(np.int8)

    def _city(self, left: Places, right: Places) -> Levels:
        places = self.table.lists["places"]
        one, other = places["city"][left], places["city"][right]
        level = np.full(len(left), 3, dtype=np.int8)
        differ = ((one != other) & (one > 0) & (other > 0)).nonzero()[0]
        level[differ[_of_texts(self.table, one[differ], other[differ], _city_alike) > 0]] = 2
        level[one == other] = 1
        level[(one == 0) | (other == 0)] = 0
        return level


# Without any of these, only names are known; then a person judges whether Fund V and Fund VI are one.
_BESIDE_NAMES = ("street", "postcode", "city", "tax", "identifier", "phone", "domain", "mail", "bank")
_STREET_POINTS = np.array((3, 10, 10, 8, 6, 3, 2, 0))
_POSTCODE_POINTS = np.array((2, 5, 4, 2, 0))
_CITY_POINTS = np.array((1, 3, 2, 0))


def _within(place: Places, start: Places) -> Places:
    return np.where(place < 0, -1, place - start)


def _equal(values: Ids, i: Places, j: Places) -> Levels:
    one, other = values[i], values[j]
    return np.where((one == 0) | (other == 0), 0, np.where(one == other, 1, 2)).astype(np.int8)


def _sets(values: Ids, i: Places, j: Places) -> Levels:
    """Whole sets, each numbered as one text: equal, only on one side, different."""
    one, other = values[i], values[j]
    level = np.where(one == other, 1, 3)
    level[(one == 0) | (other == 0)] = 2
    level[(one == 0) & (other == 0)] = 0
    return level.astype(np.int8)


def _any_equal(list_: Lists, column: str, i: Places, j: Places) -> Levels:
    """1 when any value of one is among the other's, 2 when none is, 0 when one has none."""
    pair, left, right = combinations(list_, i, list_, j)
    level = np.where(list_[column][left] == list_[column][right], 1, 2).astype(np.int8)
    return _best(pair, level, len(i), order=(0, 2, 1))


def _best(pair: Places, level: Levels, size: int, order: tuple[int, ...]) -> Levels:
    """Per pair the level that stands last in `order` among its combinations; 0 without any."""
    out = np.zeros(size, dtype=np.int8)
    if len(pair):
        rank, back = _ranks(order)
        starts = first_of_each(pair)
        out[pair[starts]] = level if len(starts) == len(pair) else back[np.maximum.reduceat(rank[level], starts)]
    return out


@cache
def _ranks(order: tuple[int, ...]) -> tuple[Levels, Levels]:
    return np.argsort(order).astype(np.int8), np.array(order, dtype=np.int8)


def _bank(level: Levels, name: NameMatch) -> Levels:
    """One account is evidence only when the names agree; else it is a warning (factoring, fraud, a pool)."""
    strange = (name.level < BANK_NAME_LEVEL) | (name.other_words >= BANK_OTHER_WORDS)
    return np.array((0, 1, 3, 2), dtype=np.int8)[np.where((level == 1) & strange, 3, level)]


def _pattern(name: NameMatch, street: Levels, postcode: Levels, city: Levels, phone: Levels, domain: Levels) -> Levels:
    """What the agreements look like together: a relative of the group, a namesake, a company that moved."""
    near = _IS_NEAR["street"][street] + _IS_NEAR["phone"][phone] + _IS_NEAR["domain"][domain]
    far = _IS_FAR["street"][street] + _IS_FAR["postcode"][postcode] + _IS_FAR["city"][city]
    far += _IS_FAR["phone"][phone] + _IS_FAR["domain"][domain]
    agrees = (name.level >= INDEX["name"]["very_close"]).view(np.int8)
    found: Levels = _pattern_levels()[agrees, name.other_words, near, far]
    return found


def _levels_among(feature: str, *levels: str) -> Levels:
    return np.array([level in levels for level in LEVELS[feature]], dtype=np.int8)


_IS_NEAR = {
    "street": _levels_among("street", "same", "same_shared", "close"),
    "phone": _levels_among("phone", "same", "same_shared", "extension"),
    "domain": _levels_among("domain", "same", "same_shared"),
}
_IS_FAR = {
    feature: _levels_among(feature, "different") for feature in ("street", "postcode", "city", "phone", "domain")
}


@cache
def _pattern_levels() -> Levels:
    """By: name agrees, level of other words, how much is near (0 … 3), how much is far (0 … 5)."""
    found = np.zeros((2, len(LEVELS["other_words"]), 4, 6), dtype=np.int8)
    index = INDEX["pattern"]
    found[1, :, 2:, 0] = index["agreeing"]
    found[1, :, 1:, 1:] = index["moved"]
    found[1, :, 0, 2:] = index["namesake"]
    found[:, INDEX["other_words"]["common"] :, 1:] = index["relative"]
    found[:, INDEX["other_words"]["usual"] :, 2:] = index["relative_strong"]
    return found


@cache
def _form_levels() -> Levels:
    """By the forms of both sides, 0 for none."""
    family = FORM_FAMILY
    first, second = family[:, None], family[None, :]
    alike = (first == second) | (first == ANY_FAMILY) | (second == ANY_FAMILY)
    index = INDEX["form"]
    found = np.where(alike, index["alike"], index["different"])
    np.fill_diagonal(found, index["same"])
    found[0, :] = found[:, 0] = 0
    return found.astype(np.int8)


def _of_texts(
    table: Table, one: Ids, other: Ids, judge: Callable[[list[str], list[str]], npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """`judge` of each pair of texts, in one order whichever side is which."""
    if not len(one):
        return np.zeros(0)
    first, second, back = distinct_pairs(one, other)
    texts = table.vocabulary
    return judge(texts.pick(first), texts.pick(second))[back]


def _ratio(first: list[str], second: list[str]) -> npt.NDArray[np.float64]:
    return cpdist(first, second, scorer=fuzz.ratio, score_cutoff=70).astype(np.float64)


def _begins(first: list[str], second: list[str]) -> npt.NDArray[np.float64]:
    return np.array([a.startswith(b) or b.startswith(a) for a, b in zip(first, second, strict=True)], dtype=float)


def _city_alike(first: list[str], second: list[str]) -> npt.NDArray[np.float64]:
    close = cpdist(first, second, scorer=fuzz.ratio, score_cutoff=75).astype(np.float64)
    return np.maximum(close, _begins(first, second))


def _near(table: Table, one: Ids, other: Ids, least: int = 1) -> npt.NDArray[np.bool_]:
    """One character wrong, or two neighbours swapped, in texts of one length."""

    def judge(first: list[str], second: list[str]) -> npt.NDArray[np.float64]:
        slips = cpdist(first, second, scorer=OSA.distance, score_cutoff=1)
        even = np.array([len(a) == len(b) and len(a) >= least for a, b in zip(first, second, strict=True)])
        return ((slips == 1) & even).astype(float)

    return _of_texts(table, one, other, judge) > 0
