"""Keys: the hashed values a record is found by. Two records are compared only when they share one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdm.matching.table import Lists, Places, Table
from mdm.matching.vocabulary import Hashes, kind_hash, mix, mix_all, signed

KINDS = (
    "token", "tax", "id", "bank", "mail", "phone", "domain", "street", "name", "start_place", "word_place", "word",
    "initials",
)  # fmt: skip
KIND = {kind: number for number, kind in enumerate(KINDS)}
TOKEN = KIND["token"]  # counts how common a word is; finds nothing
# Kinds that nearly name the record by themselves; the others are only hints and count by their rarity.
STRONG = frozenset({"tax", "id", "bank", "mail"})
IS_STRONG = np.array([kind in STRONG for kind in KINDS])
CAP = 200  # a key held by more records is generic: it says nothing and is skipped
_STRONG_POINTS = 8.0


class Key(NamedTuple):
    kind: str
    hash: int  # signed 64 bits, as a PostgreSQL bigint; the same in every process and on every machine


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of a table's records, each (key, record) once; equal keys stand together, their records ascending."""

    hash: npt.NDArray[np.int64]
    record: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.record)

    def finding(self) -> Keys:
        """Without the words that are only counted."""
        return self.only(self.kind != TOKEN)

    def only(self, keep: npt.NDArray[np.bool_]) -> Keys:
        return Keys(self.hash[keep], self.record[keep], self.kind[keep])

    def by_record(self, count: int) -> list[list[Key]]:
        """The keys of each of the first `count` records."""
        found: list[list[Key]] = [[] for _ in range(count)]
        for record, kind, hash_ in zip(self.record.tolist(), self.kind.tolist(), self.hash.tolist(), strict=True):
            found[record].append(Key(KINDS[kind], hash_))
        return found


def build_keys(table: Table) -> Keys:
    """About ten keys a record, and one `token` per word of its names."""
    table.vocabulary.hash_all()
    made = _Made(table)
    for kind, list_, column in (
        ("tax", "tax", "number"), ("id", "ids", "value"), ("bank", "banks", "account"), ("phone", "phones", "last"),
        ("mail", "mails", "mail"), ("domain", "domains", "domain"),
    ):  # fmt: skip
        values = table.lists[list_]
        if len(values[column]):
            made.put(kind, values.owners(), table.vocabulary.hashes(values[column]))
    places = table.lists["places"]
    known = ((places["compact"] > 0) & (places["number"] > 0)).nonzero()[0]
    if len(known):
        made.put("street", places.owners()[known], *_street_parts(table, known))
    _name_keys(made, table)
    return made.done()


def _street_parts(table: Table, places: Places) -> tuple[Hashes, Hashes]:
    list_, hashes = table.lists["places"], table.vocabulary.hashes
    return hashes(list_["compact"][places]), hashes(list_["number"][places])


def street_hash(table: Table, places: Places) -> Hashes:
    """Of each of these addresses: street with house number."""
    return mix("street", *_street_parts(table, places))


def plain_hash(table: Table, kind: str, numbers: npt.NDArray[np.int32]) -> Hashes:
    return mix(kind, table.vocabulary.hashes(numbers))


def _name_keys(made: _Made, table: Table) -> None:
    hashes = table.vocabulary.hashes
    names, words, ranked = table.lists["names"], table.lists["words"], table.lists["ranked"]
    owner, name_of = names.owners(), words.owners()
    word = hashes(words["word"])
    made.put("token", owner[name_of], word)
    # The same words in any order, and the same letters whatever the blanks, are one name.
    bag = np.zeros(len(owner), dtype=np.uint64)
    np.add.at(bag, name_of, mix("bag", word))
    made.put("name", owner, bag)
    made.put("name", owner, hashes(names["joined"]), under="letters")
    country = hashes(table.scalars["country"])
    has = names["initials"] > 0
    made.put("initials", owner[has], hashes(names["initials"][has]), country[owner[has]])
    name_of_ranked = ranked.owners()
    rank = np.arange(len(ranked["word"])) - ranked.start[:-1][name_of_ranked]
    whose, word = owner[name_of_ranked], hashes(ranked["word"])
    rare = ranked["common"] == 0
    made.put("word", whose[rare], word[rare], country[whose[rare]])
    places = table.lists["places"]
    if len(places["city"]):
        start, first = hashes(names["start"]), ((rank < 2) & (ranked["common"] != 1)).nonzero()[0]
        name, place_of_name = _with_places(owner, places)
        element, place_of_word = _with_places(whose[first], places)
        element = first[element]
        for column in ("postcode", "city"):
            part, said = hashes(places[column]), places[column] > 0
            keep = said[place_of_name]
            one, place = name[keep], place_of_name[keep]
            made.put("start_place", owner[one], start[one], part[place], under=f"start_{column}")
            keep = said[place_of_word]
            one, place = element[keep], place_of_word[keep]
            made.put("word_place", whose[one], word[one], part[place], under=f"word_{column}")


def _with_places(owner: Places, places: Lists) -> tuple[Places, Places]:
    """(element, address) for the first three addresses of each element's record."""
    count = np.minimum(places.counts(), 3)[owner]
    element = np.arange(len(owner)).repeat(count)
    within = np.arange(len(element)) - (count.cumsum() - count).repeat(count)
    return element, places.start[owner[element]] + within


class _Made:
    """Gathers what keys are made of, and mixes all of one length at once: a single check has few keys of each kind."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._parts: dict[int, list[tuple[Places, int, int, tuple[Hashes, ...]]]] = {1: [], 2: []}

    def put(self, kind: str, record: Places, *parts: Hashes, under: str = "") -> None:
        """Keys of a kind, one per record given, of these parts; `under`: mixed under another name than the kind's."""
        self._parts[len(parts)].append((record, KIND[kind], kind_hash(under or kind), parts))

    def done(self) -> Keys:
        rows = [row for length in (1, 2) for row in self._parts[length]]
        sizes = [len(row[0]) for row in rows]
        hash_ = signed(np.concatenate([self._mixed(length) for length in (1, 2)]))
        # Stable, and each kind came in order of records: so do the holders of one key.
        order = hash_.argsort(kind="stable")
        hash_ = hash_[order]
        record = np.concatenate([row[0] for row in rows]).astype(np.int32)[order]
        kind = np.array([row[1] for row in rows], dtype=np.int8).repeat(sizes)[order]
        new = np.ones(len(record), dtype=bool)
        new[1:] = (record[1:] != record[:-1]) | (hash_[1:] != hash_[:-1])
        return Keys(hash_[new], record[new], kind[new])

    def _mixed(self, length: int) -> Hashes:
        rows = self._parts[length]
        if not rows:
            return np.zeros(0, dtype=np.uint64)
        kinds = np.array([row[2] for row in rows], dtype=np.uint64).repeat([len(row[0]) for row in rows])
        return mix_all(kinds, *(np.concatenate([row[3][part] for row in rows]) for part in range(length)))


def points(kind: npt.NDArray[np.int8], holders: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """How much sharing a key says that a pair deserves comparing; ten holders halve a hint. Sixteenths."""
    hint = np.round(45.0 / (1.0 + holders / 10.0)) / 16
    return np.where(IS_STRONG[kind], _STRONG_POINTS, hint).astype(np.float32)
