"""Keys: the hashed values a record is found by. Two records are compared only when they share one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdm.matching.table import Lists, Places, Table
from mdm.matching.vocabulary import Hashes, mix, signed

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
    made = _Made(table)
    made.simple("tax", table.lists["tax"], "number")
    made.simple("id", table.lists["ids"], "value")
    made.simple("bank", table.lists["banks"], "account")
    made.simple("phone", table.lists["phones"], "last")
    made.simple("mail", table.lists["mails"], "mail")
    made.simple("domain", table.lists["domains"], "domain")
    places = table.lists["places"]
    streets = street_hash(table)
    known = (places["compact"] > 0) & (places["number"] > 0)
    made.put("street", places.owners()[known], streets[known])
    _name_keys(made, table)
    return made.done()


def street_hash(table: Table) -> Hashes:
    """Of every address: street with house number."""
    hashes, places = table.vocabulary.hashes(), table.lists["places"]
    return mix("street", hashes[places["compact"]], hashes[places["number"]])


def plain_hash(table: Table, kind: str, numbers: npt.NDArray[np.int32]) -> Hashes:
    return mix(kind, table.vocabulary.hashes()[numbers])


def _name_keys(made: _Made, table: Table) -> None:
    hashes = table.vocabulary.hashes()
    names, words, ranked = table.lists["names"], table.lists["words"], table.lists["ranked"]
    owner = names.owners()
    made.put("token", owner[words.owners()], plain_hash(table, "token", words["word"]))
    # The same words in any order, and the same letters whatever the blanks, are one name.
    bag = np.zeros(len(owner), dtype=np.uint64)
    np.add.at(bag, words.owners(), mix("bag", hashes[words["word"]]))
    made.put("name", owner, mix("name", bag))
    made.put("name", owner, mix("letters", hashes[names["joined"]]))
    country = hashes[table.scalars["country"]]
    has = names["initials"] > 0
    made.put("initials", owner[has], mix("initials", hashes[names["initials"][has]], country[owner[has]]))
    rank = np.arange(len(ranked["word"])) - ranked.start[:-1][ranked.owners()]
    whose = owner[ranked.owners()]
    rare = ranked["common"] == 0
    made.put("word", whose[rare], mix("word", hashes[ranked["word"][rare]], country[whose[rare]]))
    place_of = table.lists["places"]
    for column in ("postcode", "city"):
        part = hashes[place_of[column]]
        said = place_of[column] > 0
        name, place = _with_places(owner, place_of)
        keep = said[place]
        name, place = name[keep], place[keep]
        made.put("start_place", owner[name], mix(f"start_{column}", hashes[names["start"][name]], part[place]))
        first = np.nonzero((rank < 2) & (ranked["common"] != 1))[0]
        word, place = _with_places(whose[first], place_of)
        keep = said[place]
        word, place = first[word[keep]], place[keep]
        made.put("word_place", whose[word], mix(f"word_{column}", hashes[ranked["word"][word]], part[place]))


def _with_places(owner: Places, places: Lists) -> tuple[Places, Places]:
    """(element, address) for the first three addresses of each element's record."""
    count = np.minimum(places.counts(), 3)[owner]
    element = np.repeat(np.arange(len(owner)), count)
    within = np.arange(len(element)) - np.repeat(np.cumsum(count) - count, count)
    return element, places.start[owner[element]] + within


class _Made:
    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows: list[tuple[Places, int, Hashes]] = []

    def simple(self, kind: str, list_: Lists, column: str) -> None:
        self.put(kind, list_.owners(), plain_hash(self.table, kind, list_[column]))

    def put(self, kind: str, record: Places, hashes: Hashes) -> None:
        self.rows.append((record, KIND[kind], hashes))

    def done(self) -> Keys:
        hash_ = signed(np.concatenate([rows[2] for rows in self.rows]))
        # Stable, and each kind came in order of records: so do the holders of one key.
        order = np.argsort(hash_, kind="stable")
        hash_ = hash_[order]
        record = np.concatenate([rows[0].astype(np.int32) for rows in self.rows])[order]
        kind = np.concatenate([np.full(len(rows[0]), rows[1], dtype=np.int8) for rows in self.rows])[order]
        new = np.ones(len(record), dtype=bool)
        new[1:] = (record[1:] != record[:-1]) | (hash_[1:] != hash_[:-1])
        return Keys(hash_[new], record[new], kind[new])


def points(kind: npt.NDArray[np.int8], holders: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """How much sharing a key says that a pair deserves comparing; ten holders halve a hint. Sixteenths."""
    hint = np.round(45.0 / (1.0 + holders / 10.0)) / 16
    return np.where(IS_STRONG[kind], _STRONG_POINTS, hint).astype(np.float32)
