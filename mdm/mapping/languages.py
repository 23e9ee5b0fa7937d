"""Owns whether sets of codes meet: specimens of codes that are in some sets and not told apart by others.

Each expression is walked character by character (a derivative: what must still follow). Codes are texts of printable
characters; those that no expression names behave alike, so one of each gap between the named ones stands for all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mdm.mapping.expressions import ONE, STAR, Between, Equals, Expression, In, Like

_PLAIN = "XQ7KZ0AMxq5_-"
_FURTHEST = 200  # code points to go in search of a printable one


class TooMany(Exception):
    """Deciding this would take too long; nothing is known."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """Codes that may still follow, of a finite set."""

    endings: frozenset[str]

    def after(self, character: str) -> _State:
        endings = frozenset(ending[1:] for ending in self.endings if ending[:1] == character)
        return _Rest(endings) if endings else None

    def complete(self) -> bool:
        return "" in self.endings


@dataclass(frozen=True, slots=True)
class _Range:
    """Texts from `first` to `last` (None: no limit any more), in a shape when there is one."""

    shape: str | None
    first: str | None
    last: str | None

    def after(self, character: str) -> _State:
        first, last, rest = self.first, self.last, None
        if self.shape is not None:
            if not self.shape or self.shape[0] != ("0" if "0" <= character <= "9" else character):
                return None
            rest = self.shape[1:]
        if first is not None:
            if character < first[:1]:
                return None
            first = first[1:] if character == first[:1] else None
        if last is not None:
            if character > last[:1]:
                return None
            last = last[1:] if character == last[:1] else None
        return _Range(rest, first, last)

    def complete(self) -> bool:
        return not self.shape and not self.first


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Places in a pattern that the text so far may have reached."""

    items: tuple[str, ...]
    places: frozenset[int]

    def after(self, character: str) -> _State:
        reached = set()
        for place in self.places:
            if place < len(self.items):
                item = self.items[place]
                if item == STAR:
                    reached.add(place)
                elif item in (ONE, character):
                    reached.add(place + 1)
        return _Pattern(self.items, _past_stars(self.items, reached)) if reached else None

    def complete(self) -> bool:
        return len(self.items) in self.places


_State = _Rest | _Range | _Pattern | None  # None: no code can follow
_States = tuple[_State, ...]


def _past_stars(items: tuple[str, ...], places: Collection[int]) -> frozenset[int]:
    found = set(places)
    for place in range(len(items)):
        if place in found and items[place] == STAR:
            found.add(place + 1)
    return frozenset(found)


def _begin(expression: Expression) -> _State:
    if isinstance(expression, Equals):
        return _Rest(frozenset((expression.code,)))
    if isinstance(expression, In):
        return _Rest(frozenset(expression.codes))
    if isinstance(expression, Like):
        return _Pattern(expression.items, _past_stars(expression.items, {0}))
    if expression.empty():
        return None
    return _Range(expression.shape or None, expression.first, expression.last)


def characters(expressions: Collection[Expression]) -> frozenset[str]:
    """Those that an expression tells from others."""
    named: set[str] = set()
    for found in expressions:
        if isinstance(found, Like):
            named.update(item for item in found.items if item not in (STAR, ONE))
        elif isinstance(found, Between):
            named.update(found.first, found.last, "0123456789" if found.shape else "")
        else:
            named.update(*(found.codes if isinstance(found, In) else (found.code,)))
    return frozenset(named)


@lru_cache(maxsize=256)
def _alphabet(named: frozenset[str]) -> tuple[str, ...]:
    """The named characters and one of each gap between them; what people would write comes first."""
    edges = sorted(named)
    gaps = [
        *zip(["\x1f", *edges], edges, strict=False),
        *((last, "\U0010ffff") for last in edges[-1:] or ["\x1f"]),
    ]
    between = (_one_between(low, high) for low, high in gaps)
    return tuple(sorted({*named, *filter(None, between)}, key=lambda c: (not c.isalnum(), c)))


def _one_between(low: str, high: str) -> str:
    plain = next((c for c in _PLAIN if low < c < high), "")
    if plain:
        return plain
    following = map(chr, range(ord(low) + 1, min(ord(high), ord(low) + _FURTHEST)))
    return next((c for c in following if c.isprintable() and not c.isspace()), "")


def specimens(
    required: Sequence[Expression],
    others: Sequence[Expression],
    *,
    also: frozenset[str] = frozenset(),
    named: Callable[[str], bool] = lambda code: False,
    most: int = 1_000_000,
) -> Iterator[str]:
    """Codes that match all of `required`: one for each way in which `others` can tell them apart.

    `named` codes are passed over (`also`: the characters they are made of): a way in which only named codes can go yields
    nothing. Raises TooMany after `most` steps of one expression, or as many named codes.
    """
    alphabet = _alphabet(characters((*required, *others)) | also)
    start: _States = tuple(_begin(one) for one in (*required, *others))
    if None in start[: len(required)]:
        return
    following = _reach(start, len(required), alphabet, max(64, most // (len(alphabet) * len(start))))
    complete = [states for states in following if _complete(states[: len(required)])]
    for states in complete:
        found = _unnamed(start, states, following, named, most)
        if found is not None:
            yield found


def specimen(*required: Expression) -> str | None:
    """A code that matches all of them."""
    return _specimen(frozenset(required))


@lru_cache(maxsize=65_536)
def _specimen(required: frozenset[Expression]) -> str | None:
    for one in required:
        if isinstance(one, Equals | In):
            codes = one.codes if isinstance(one, In) else (one.code,)
            return next((code for code in codes if all(other.matches(code) for other in required)), None)
    return next(specimens(tuple(required), ()), None)


def between_ends(within: Between, others: Sequence[Between], named: Callable[[str], bool]) -> Iterator[str]:
    """As `specimens` for ranges of one shape, however many: the others tell codes apart at their ends only."""
    first, last = _digits(within.first), _digits(within.last)
    ends = {_digits(other.first) for other in others} | {_digits(other.last) + 1 for other in others}
    edges = [first, *sorted(end for end in ends if first < end <= last), last + 1]
    for low, high in zip(edges, edges[1:], strict=False):
        codes = (_in_shape(within.first, number) for number in range(low, high))
        free = next((code for code in codes if not named(code)), None)
        if free is not None:
            yield free


def _digits(code: str) -> int:
    return int("".join(character for character in code if "0" <= character <= "9") or "0")


def _in_shape(code: str, number: int) -> str:
    """The code with other digits."""
    places = [place for place, character in enumerate(code) if "0" <= character <= "9"]
    found = list(code)
    for place, digit in zip(places, f"{number:0{len(places)}d}" if places else "", strict=True):
        found[place] = digit
    return "".join(found)


_Following = dict[_States, dict[str, _States]]


def _reach(start: _States, required: int, alphabet: tuple[str, ...], most: int) -> _Following:
    """Every state with what follows it, as long as all that is required can still follow."""
    following: _Following = {}
    waiting = deque([start])
    while waiting:
        states = waiting.popleft()
        if states in following:
            continue
        if len(following) >= most:
            raise TooMany
        steps = {}
        for character in alphabet:
            after = tuple(one.after(character) if one else None for one in states)
            if None not in after[:required]:
                steps[character] = after
                waiting.append(after)
        following[states] = steps
    return following


def _complete(states: _States) -> bool:
    return all(one is not None and one.complete() for one in states)


def _unnamed(
    start: _States, goal: _States, following: _Following, named: Callable[[str], bool], most: int
) -> str | None:
    """The first code from start to goal, by length, that is not named."""
    left = most
    reaching = {goal}  # states from which the goal is `length` characters away
    leading: list[set[_States]] = [reaching]
    for _length in range(len(following) + len(_PLAIN)):
        reaching = {states for states, steps in following.items() if not reaching.isdisjoint(steps.values())}
        if not reaching:
            return None
        leading.append(reaching)
        if start not in reaching:
            continue
        for code in _walk(start, following, leading):
            if not named(code):
                return code
            left -= 1
            if left < 0:
                raise TooMany
    return None


def _walk(start: _States, following: _Following, leading: list[set[_States]]) -> Iterator[str]:
    """Every code that goes from start to the goal in as many characters as `leading` is long."""
    stack = [("", start)]
    while stack:
        code, states = stack.pop()
        left = len(leading) - 1 - len(code)
        if not left:
            yield code
            continue
        for character, after in reversed(following[states].items()):
            if after in leading[left - 1]:
                stack.append((code + character, after))
