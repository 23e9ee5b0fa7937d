"""Owns the mapping row, its rank among the others, and what its target becomes for a code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from mdm.mapping.expressions import ONE, STAR, Between, Equals, Expression, In, Like, MappingError, pattern_items

KINDS = ("explicit", "between", "in", "multi", "like")  # in order of precedence
_KIND_OF: dict[type, str] = {Equals: "explicit", Between: "between", In: "in", type(None): "multi", Like: "like"}

Conditions = tuple[tuple[str, Expression], ...]  # (dimension, codes that fulfil it), by name of the dimension
Context = Mapping[str, str]  # dimension → code; one that is absent or empty fulfils no condition


def when(conditions: Mapping[str, Expression]) -> Conditions:
    return tuple(sorted(conditions.items(), key=lambda pair: pair[0]))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a mapping. `source` None makes it a multi row: its conditions alone decide.

    `target`: a code. A `*` in it is the whole code that is mapped; for a like row the first `*` is what the first `*` of
    the pattern matched, and so on, likewise `?`; a backslash takes the next character as it is. `flip` turns the sign.
    Valid from `valid_from` until the day before `valid_to`, None is open. Raises MappingError.
    """

    uid: UUID
    source: Expression | None
    target: str
    conditions: Conditions = ()
    flip: bool = False
    valid_from: date | None = None
    valid_to: date | None = None
    order: int = 0
    active: bool = True

    def __post_init__(self) -> None:
        if self.source is None and not self.conditions:
            raise MappingError("A multi row needs a condition; a row for every code is written like *.")
        if not self.target.strip():
            raise MappingError("A row needs a target code.")
        if "*" in self.target or "?" in self.target or "\\" in self.target:
            Filled.of(self)

    @property
    def kind(self) -> str:
        return _KIND_OF[type(self.source)]

    @property
    def sign(self) -> int:
        return -1 if self.flip else 1

    def rank(self) -> tuple[Any, ...]:
        """Whose is smaller wins: kind, number of conditions, narrowness, order, uid."""
        return (*self.standing(), self.uid.bytes)

    def standing(self) -> tuple[Any, ...]:
        """The rank without the uid: two rows of equal standing that match something are a mistake."""
        narrowness = self.source.narrowness() if self.source else ()
        return (KINDS.index(self.kind), -len(self.conditions), narrowness, self.order)

    def words(self) -> str:
        conditions = ", ".join(f"{named(dimension)} {test.words()}" for dimension, test in self.conditions)
        if self.source is None:
            return f"multi {conditions}"
        words = f"explicit {self.source.code}" if isinstance(self.source, Equals) else self.source.words()
        return f"{words} for {conditions}" if conditions else words


def named(dimension: str) -> str:
    return dimension.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Filled:
    """A target that takes over part of the code: texts, and numbers of the matched pieces (-1 the whole code)."""

    text: str
    parts: tuple[str | int, ...]
    pattern: Like | None

    @classmethod
    def of(cls, row: Row) -> Filled:
        pattern = row.source if isinstance(row.source, Like) else None
        wildcards = pattern.wildcards if pattern else ()
        places = {
            wildcard: iter([place for place, found in enumerate(wildcards) if found == wildcard])
            for wildcard in (STAR, ONE)
        }
        parts: list[str | int] = []
        for item in pattern_items(row.target):
            if item not in (STAR, ONE):
                parts.append(item)
            elif pattern is None and item == STAR:
                parts.append(-1)
            else:
                place = next(places[item], None)
                if place is None:
                    sign = "*" if item == STAR else "?"
                    raise MappingError(
                        f"The target {row.target} has a {sign} with nothing to stand for; \\{sign} is the character."
                    )
                parts.append(place)
        return cls(row.target, tuple(parts), pattern)

    def fill(self, code: str) -> str:
        taken = self.pattern.taken(code) if self.pattern else ()
        return "".join(part if isinstance(part, str) else code if part < 0 else taken[part] for part in self.parts)


def target_of(row: Row) -> str | Filled:
    """The code itself when it is fixed."""
    if not ("*" in row.target or "?" in row.target or "\\" in row.target):
        return row.target
    filled = Filled.of(row)
    if any(isinstance(part, int) for part in filled.parts):
        return filled
    return "".join(str(part) for part in filled.parts)
