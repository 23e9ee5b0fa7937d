"""Owns the four ways to name codes (one, a range, a list, a pattern): what each matches, how narrow it is, its words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

STAR, ONE = "any", "one"  # items of a pattern; every other item is a single character
_DIGITS = str.maketrans("123456789", "000000000")
_SHOWN = 5
_WEIGHED = 64  # characters of a code that count for the width of a range of texts


class MappingError(ValueError):
    """What was written cannot be used; the text says why and what to write instead."""


def shape(code: str) -> str:
    """The code with every digit as 0: codes of one shape are as long and built alike."""
    return code.translate(_DIGITS)


def _checked(code: str) -> str:
    if not code or code != code.strip():
        raise MappingError(f"A code is a text without blanks around it; “{code}” is none.")
    return code


@dataclass(frozen=True, slots=True)
class Equals:
    """One code, exactly as written."""

    code: str

    def __post_init__(self) -> None:
        _checked(self.code)

    def matches(self, code: str) -> bool:
        return code == self.code

    def narrowness(self) -> tuple[int, ...]:
        return ()

    def words(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True)
class Between:
    """A range, both ends included. Ends of one shape (1000 and 1999, CC-100 and CC-199) hold codes of that shape only;
    any other two ends hold what lies between them in text order. `first` after `last` holds nothing."""

    first: str
    last: str
    shape: str = field(init=False, repr=False, compare=False)  # "" for a range of texts

    def __post_init__(self) -> None:
        of_first = shape(_checked(self.first))
        object.__setattr__(self, "shape", of_first if of_first == shape(_checked(self.last)) else "")

    def matches(self, code: str) -> bool:
        return self.first <= code <= self.last and (not self.shape or shape(code) == self.shape)

    def empty(self) -> bool:
        return self.first > self.last

    def narrowness(self) -> tuple[int, ...]:
        """Ranges of one shape by the number of their codes, before ranges of texts by how far apart their ends stand."""
        if self.shape:
            first, last = (int("".join(c for c in end if "0" <= c <= "9") or "0") for end in (self.first, self.last))
            return (0, last - first)
        return (1, _place(self.last) - _place(self.first))

    def words(self) -> str:
        return f"between {self.first} and {self.last}"


def _place(code: str) -> int:
    """The code as a number that is ordered as the texts are."""
    return int.from_bytes(code[:_WEIGHED].ljust(_WEIGHED, "\0").encode("utf-32-be", "surrogatepass"), "big")


@dataclass(frozen=True, slots=True)
class In:
    """A list of codes, kept in order and without repetition."""

    codes: tuple[str, ...]
    _set: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chosen = frozenset(map(_checked, self.codes))
        if not chosen:
            raise MappingError("A list names at least one code.")
        object.__setattr__(self, "codes", tuple(sorted(chosen)))
        object.__setattr__(self, "_set", chosen)

    def matches(self, code: str) -> bool:
        return code in self._set

    def narrowness(self) -> tuple[int, ...]:
        return (len(self.codes),)

    def words(self) -> str:
        more = f" and {len(self.codes) - _SHOWN} more" if len(self.codes) > _SHOWN else ""
        return f"in {', '.join(self.codes[:_SHOWN])}{more}"


@dataclass(frozen=True, slots=True)
class Like:
    r"""A pattern: `*` is any text, also none, `?` one character, `\` takes the next character as it is."""

    pattern: str
    items: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _expression: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        items = pattern_items(_checked(self.pattern))
        if STAR not in items and ONE not in items:
            raise MappingError(f"The pattern {self.pattern} has neither * nor ?; write it as a code.")
        if (STAR, STAR) in zip(items, items[1:], strict=False):
            raise MappingError(f"The pattern {self.pattern} has two * in a row; one is enough.")
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "_expression", _regular(items))

    def matches(self, code: str) -> bool:
        return self._expression.fullmatch(code) is not None

    def taken(self, code: str) -> tuple[str, ...]:
        """What each wildcard stands for in a code that matches, from left to right; every `*` but the last takes as
        little as it can."""
        found = self._expression.fullmatch(code)
        return found.groups() if found else ()

    @property
    def wildcards(self) -> tuple[str, ...]:
        return tuple(item for item in self.items if item in (STAR, ONE))

    @property
    def prefix(self) -> str:
        return _literal(self.items)

    @property
    def suffix(self) -> str:
        return _literal(self.items[::-1])[::-1]

    def narrowness(self) -> tuple[int, ...]:
        stars, ones = self.items.count(STAR), self.items.count(ONE)
        return (stars + ones - len(self.items), stars, -ones)

    def words(self) -> str:
        return f"like {self.pattern}"


Expression = Equals | Between | In | Like


def pattern_items(pattern: str) -> tuple[str, ...]:
    """The pattern character by character: STAR and ONE for its wildcards, what is escaped as itself."""
    items: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            character = next(characters, "\\")
        elif character in "*?":
            character = STAR if character == "*" else ONE
        items.append(character)
    return tuple(items)


def _literal(items: tuple[str, ...]) -> str:
    end = next((place for place, item in enumerate(items) if item in (STAR, ONE)), len(items))
    return "".join(items[:end])


def _regular(items: tuple[str, ...]) -> re.Pattern[str]:
    """Each piece between two stars is taken where it comes first (atomic groups), so no pattern can take long."""
    pieces = [""]
    for item in items:
        if item == STAR:
            pieces.append("")
        else:
            pieces[-1] += "(.)" if item == ONE else re.escape(item)
    first, *rest = pieces
    middle = "".join(f"(?>(.*?){piece})" for piece in rest[:-1])
    return re.compile(first + middle + (f"(.*){rest[-1]}" if rest else ""), re.DOTALL)
