"""Table: the features of many records in columns of numbers, so that a block of pairs is compared at once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mdm.matching.legal_forms import FAMILY
from mdm.matching.vocabulary import Ids, Vocabulary
from mdm.matching.words import COMMON

Places = npt.NDArray[np.int64]
MOST_NAMES = 4  # names of one record that are compared

_FORMS = {code: number for number, code in enumerate(sorted(FAMILY), start=1)}
_FAMILIES = {name: number for number, name in enumerate(sorted(set(FAMILY.values())), start=1)}
ANY_FAMILY = _FAMILIES.get("any", -1)
FORM_FAMILY = np.array([0, *(_FAMILIES[FAMILY[code]] for code in _FORMS)], dtype=np.int16)


@dataclass(frozen=True, slots=True)
class Lists:
    """A list per record (or per name): element k of owner r stands at start[r] + k in every column."""

    start: Places
    columns: dict[str, Ids]

    def __getitem__(self, column: str) -> Ids:
        return self.columns[column]

    def counts(self) -> Places:
        return self.start[1:] - self.start[:-1]

    def owners(self) -> Places:
        return np.arange(len(self.start) - 1).repeat(self.counts())


def combinations(left: Lists, i: Places, right: Lists, j: Places) -> tuple[Places, Places, Places]:
    """Each element of i's list with each of j's: (which pair, element left, element right), pairs in order."""
    first, other = left.start[i], right.start[j]
    width = right.start[j + 1] - other
    count = (left.start[i + 1] - first) * width
    pair = np.arange(len(i)).repeat(count)
    if len(count) and count.max() > 1:
        within = np.arange(len(pair)) - (count.cumsum() - count).repeat(count)
        return pair, first[pair] + within // width[pair], other[pair] + within % width[pair]
    return pair, first[pair], other[pair]


def first_of_each(values: npt.NDArray[Any]) -> Places:
    """Where runs of equal values begin."""
    first = np.empty(len(values), dtype=bool)
    first[:1] = True
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first.nonzero()[0]


def spread(whose: Places, values: npt.NDArray[Any], size: int, nothing: int = 0) -> npt.NDArray[Any]:
    """One value per pair: that of the pairs in `whose` (ascending, each once), `nothing` of the others."""
    if len(whose) == size:
        return values
    out = np.full(size, nothing, dtype=values.dtype)
    out[whose] = values
    return out


_FEW = 64


def distinct_pairs(one: Ids, other: Ids) -> tuple[Ids, Ids, Places | slice]:
    """Pairs in one order whichever side is which, each once where there are many; and where each given pair stands."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    if len(low) <= _FEW:  # finding the equal ones takes longer than judging them again
        return low, high, slice(None)
    pairs, back = np.unique(low.astype(np.int64) << 32 | high, return_inverse=True)
    return (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32), back


_LISTS = {
    "names": ("joined", "start", "initials", "count"),
    "words": ("word",),
    "ranked": ("word", "common"),
    "places": ("street", "compact", "head", "number", "side", "postcode", "area", "city"),
    "tax": ("country", "number", "valid"),
    "ids": ("scheme", "value"),
    "phones": ("whole", "last", "stem", "length"),
    "domains": ("domain", "stem"),
    "mails": ("mail",),
    "banks": ("account",),
}
_SCALARS = ("form", "numbers", "regions", "country")


class Table:
    """Columns over records 0 … n-1, all texts numbered by one vocabulary. `words` and `ranked` belong to names."""

    def __init__(self, vocabulary: Vocabulary, scalars: dict[str, Ids], lists: dict[str, Lists]) -> None:
        self.vocabulary = vocabulary
        self.scalars = scalars
        self.lists = lists

    def __len__(self) -> int:
        return len(self.scalars["form"])

    @cached_property
    def word_traits(self) -> npt.NDArray[np.int32]:
        """Length, first and second letter, all digits or not: of every word, at its number in the vocabulary."""
        out = np.zeros((4, len(self.vocabulary)), dtype=np.int32)
        words = np.unique(self.lists["words"]["word"])
        if len(words):
            out[:, words] = np.array(
                [(len(t), ord(t[0]), ord(t[1]) if len(t) > 1 else 0, t.isdigit()) for t in self.vocabulary.pick(words)]
            ).T
        return out

    @staticmethod
    def of(features: Iterable[dict[str, Any]], vocabulary: Vocabulary | None = None, *, for_keys: bool = True) -> Table:
        """`for_keys`: with the words that keys are made of; comparing needs none of them."""
        builder = _Builder(vocabulary or Vocabulary(), for_keys)
        for one in features:
            builder.add(one)
        return builder.done()

    @staticmethod
    def joined(parts: list[Table]) -> Table:
        """One table after the other, under one vocabulary."""
        vocabulary = parts[0].vocabulary
        scalars: dict[str, list[Ids]] = {name: [] for name in _SCALARS}
        columns: dict[str, dict[str, list[Ids]]] = {name: {c: [] for c in _LISTS[name]} for name in _LISTS}
        counts: dict[str, list[Places]] = {name: [] for name in _LISTS}
        for part in parts:
            numbers = None if part.vocabulary is vocabulary else vocabulary.adopt(part.vocabulary.texts)

            def renumber(name: str, values: Ids, numbers: Ids | None = numbers) -> Ids:
                return values if numbers is None or name in _PLAIN else numbers[values]

            for name in _SCALARS:
                scalars[name].append(renumber(name, part.scalars[name]))
            for name, list_ in part.lists.items():
                counts[name].append(list_.counts())
                for column in _LISTS[name]:
                    columns[name][column].append(renumber(column, list_[column]))
        return Table(
            vocabulary,
            {name: np.concatenate(found) for name, found in scalars.items()},
            {
                name: Lists(
                    np.concatenate([[0], np.cumsum(np.concatenate(counts[name]))]),
                    {column: np.concatenate(found) for column, found in columns[name].items()},
                )
                for name in _LISTS
            },
        )


_PLAIN = frozenset(("form", "count", "length", "valid", "common"))  # numbers that are no texts


@dataclass(frozen=True, slots=True)
class Flat:
    """The features of one record as a table takes them: every text once in the order of the columns, and how many of
    which. A store that is asked often keeps it beside the features: making it anew is most of the work of a table."""

    form: int
    texts: tuple[str, ...]  # numbers, regions, country; then list after list, row after row
    names: tuple[int, ...]  # words of each name
    places: int
    tax: tuple[int, ...]  # validity of each
    ids: int
    phones: tuple[int, ...]  # length of each
    domains: int
    mails: int
    banks: int

    @staticmethod
    def of(one: dict[str, Any]) -> Flat:
        texts = ["|".join(one["numbers"]), "|".join(one["regions"]), one["country"]]
        names = one["names"][:MOST_NAMES]
        for name in names:
            texts += (name["joined"], name["joined"][:5], name["initials"], *name["core"])
        for place in one["places"]:
            street, postcode = place["street"], place["postcode"]
            compact = street.replace(" ", "")
            texts += (
                street, compact, compact[:4] if len(compact) > 3 else "", place["number"], place["side"], postcode,
                postcode[:2], place["city"],
            )  # fmt: skip
        for country, value, _valid in one["tax"]:
            texts += (country, value)
        ids = [(scheme, f"{scheme}|{value}") for scheme, value, valid in one["ids"] if valid != 0]
        for pair in ids:
            texts += pair
        for phone in one["phones"]:
            texts += (phone, phone[-7:], phone[:-2])
        for domain in one["domains"]:
            stem = domain.split(".", 1)[0]
            texts += (domain, stem if len(stem) > 3 else "")
        texts += one["mails"]
        texts += [index for index, _last in one["banks"]]
        return Flat(
            _FORMS.get(one["form"], 0), tuple(texts), tuple(len(name["core"]) for name in names), len(one["places"]),
            tuple(-1 if valid is None else int(valid) for *_, valid in one["tax"]), len(ids),
            tuple(map(len, one["phones"])), len(one["domains"]), len(one["mails"]), len(one["banks"]),
        )  # fmt: skip


class Kept(dict[str, Any]):
    """Features of a record that a store holds, with their flat form."""

    __slots__ = ("flat",)

    def __init__(self, features: dict[str, Any]) -> None:
        super().__init__(features)
        self.flat = Flat.of(features)


class _Builder:
    """Values of one list stand in one array, row after row: a single check makes few small arrays instead of many."""

    def __init__(self, vocabulary: Vocabulary, for_keys: bool) -> None:
        self.vocabulary, self.for_keys = vocabulary, for_keys
        self.scalars = array("i")
        self.rows = {name: array("i") for name in _LISTS}
        self.starts = {name: array("q", [0]) for name in _LISTS}
        self._of_records = [
            (self.starts[name], self.rows[name], len(columns))
            for name, columns in _LISTS.items()
            if name not in ("words", "ranked")
        ]

    def add(self, one: dict[str, Any]) -> None:
        flat = one.flat if isinstance(one, Kept) else Flat.of(one)
        rows, numbers = self.rows, list(map(self.vocabulary.number, flat.texts))
        self.scalars.extend((flat.form, *numbers[:3]))
        at = 3
        for place, count in enumerate(flat.names):
            rows["names"].extend((*numbers[at : at + 3], count))
            at += 3
            rows["words"].extend(numbers[at : at + count])
            at += count
            self.starts["words"].append(len(rows["words"]))
            if self.for_keys:
                self._rank(one["names"][place]["core"])
        at = self._plain("places", numbers, at, 8 * flat.places)
        for valid in flat.tax:
            rows["tax"].extend((*numbers[at : at + 2], valid))
            at += 2
        at = self._plain("ids", numbers, at, 2 * flat.ids)
        for length in flat.phones:
            rows["phones"].extend((*numbers[at : at + 3], length))
            at += 3
        at = self._plain("domains", numbers, at, 2 * flat.domains)
        at = self._plain("mails", numbers, at, flat.mails)
        self._plain("banks", numbers, at, flat.banks)
        for start, values, width in self._of_records:
            start.append(len(values) // width)

    def _plain(self, name: str, numbers: list[int], at: int, count: int) -> int:
        if count:
            self.rows[name].extend(numbers[at : at + count])
        return at + count

    def _rank(self, core: list[str]) -> None:
        number, ranked = self.vocabulary.number, self.rows["ranked"]
        # The longest uncommon words stand in for the rarest ones, which only the whole data could tell.
        longest = sorted(core, key=lambda word: (word in COMMON, -len(word), word))[:3] if len(core) > 1 else core
        for word in longest:
            ranked.extend((number(word), 2 if word in COMMON else (1 if len(word) < 4 else 0)))
        self.starts["ranked"].append(len(ranked) // 2)

    def done(self) -> Table:
        lists = {
            name: Lists(np.array(self.starts[name], dtype=np.int64), _columns(names, self.rows[name]))
            for name, names in _LISTS.items()
        }
        return Table(self.vocabulary, _columns(_SCALARS, self.scalars), lists)


def _columns(names: tuple[str, ...], rows: array[int]) -> dict[str, Ids]:
    if not rows:
        return _EMPTY[names]
    values = np.array(rows, dtype=np.int32)
    if len(names) == 1:
        return {names[0]: values}
    return dict(zip(names, np.ascontiguousarray(values.reshape(-1, len(names)).T), strict=True))


_EMPTY: dict[tuple[str, ...], dict[str, Ids]] = {
    names: dict.fromkeys(names, np.zeros(0, dtype=np.int32)) for names in (*_LISTS.values(), _SCALARS)
}
