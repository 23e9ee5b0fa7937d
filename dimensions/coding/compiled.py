"""Owns the compiled rules: which of them a line breaks. A rule is a bit; a look-up per dimension says which bits are met."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from dimensions.coding.rules import ABSENT, CODES, GIVEN, Rule, Test
from mdm.mapping.expressions import Between, Equals, Expression, In, Like, shape

Facts = Mapping[str, str | None]
"""Dimension → code; None, empty or left out: the line has none."""
_REMEMBERED = 20_000  # values of a dimension whose answers are kept


class Verdict(NamedTuple):
    """Bits of the rules that apply to a line, and of those among them that it breaks."""

    applying: int
    broken: int


class Compiled:
    """Rules ready to be asked. The cost of a line does not grow with the number of rules that do not concern it."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: (rule.code, rule.uid.bytes)))
        self._all = (1 << len(self.rules)) - 1
        self._refusing = _bits(n for n, rule in enumerate(self.rules) if not rule.then)
        self._whens = _sides([rule.when for rule in self.rules], self._all)
        self._thens = _sides([rule.then for rule in self.rules], self._all)
        self._touching: dict[str, int] = {}
        for side in (*self._whens, *self._thens):
            self._touching[side.dimension] = self._touching.get(side.dimension, 0) | side.touching
        self._starts, self._held = _held(self.rules)
        self.dimensions = frozenset(self._touching)

    def judge(self, facts: Facts, day: int, unknown: Collection[str] = ()) -> Verdict:
        """`day`: ordinal of the posting date. `unknown`: dimensions whose code is given but not known; rules that ask
        about one of them are not judged."""
        applying = self._held[bisect_right(self._starts, day)]
        for name in unknown:
            applying &= ~self._touching.get(name, 0)
        for side in self._whens:
            value = facts.get(side.dimension)
            bits = side.known.get(value)
            applying &= side.bits(value) if bits is None else bits
        kept = self._all ^ self._refusing
        for side in self._thens:
            value = facts.get(side.dimension)
            bits = side.known.get(value)
            kept &= side.bits(value) if bits is None else bits
        return Verdict(applying, applying & ~kept)

    def named(self, bits: int) -> Iterator[Rule]:
        """The rules of some bits, in the order of their codes."""
        while bits:
            lowest = bits & -bits
            yield self.rules[lowest.bit_length() - 1]
            bits ^= lowest

    def failed(self, rule: Rule, facts: Facts) -> Iterator[tuple[Test, bool]]:
        """The demands of a rule that a line does not meet, each with whether the line lacks the dimension altogether."""
        for test in rule.then:
            value = facts.get(test.dimension)
            if not meets(test, value):
                yield test, not value and test.what != ABSENT


def meets(test: Test, value: str | None) -> bool:
    if test.what == CODES:
        assert test.codes is not None
        return bool(value) and test.codes.matches(value or "")
    return bool(value) == (test.what == GIVEN)


def _bits(numbers: Iterable[int]) -> int:
    """By way of bytes: thousands of long numbers would be made on the way else."""
    listed = list(numbers)
    if len(listed) == 1:
        return 1 << listed[0]
    found = bytearray(max(listed, default=0) // 8 + 1)
    for number in listed:
        found[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(found, "little")


def _held(rules: Iterable[Rule]) -> tuple[list[int], list[int]]:
    """Days on which something begins or ends, and the bits of what holds before the first, from each of them on."""
    begins: dict[int, int] = {}
    ends: dict[int, int] = {}
    holding = 0
    for number, rule in enumerate(rules):
        start, end = (_day(rule.valid_from), _day(rule.valid_to))
        if start and end and start >= end:
            continue
        if start:
            begins[start] = begins.get(start, 0) | 1 << number
        else:
            holding |= 1 << number
        if end:
            ends[end] = ends.get(end, 0) | 1 << number
    days = sorted({*begins, *ends})
    held = [holding]
    for day in days:
        holding = (holding | begins.get(day, 0)) & ~ends.get(day, 0)
        held.append(holding)
    return days, held


def _day(day: date | None) -> int:
    return day.toordinal() if day else 0


def _sides(asked: Iterable[Iterable[Test]], everything: int) -> list[_Side]:
    """`asked`: the conditions of one side of every rule."""
    tests: dict[str, list[tuple[int, Test]]] = {}
    for number, conditions in enumerate(asked):
        for test in conditions:
            tests.setdefault(test.dimension, []).append((number, test))
    return [_Side(name, tests[name], everything) for name in sorted(tests)]


class _Side:
    """The conditions on one dimension of every rule's `when`, or `then`: which rules a code suffices. Indexed so that a code
    is not asked of each of them; `known`: answers given before."""

    def __init__(self, dimension: str, tests: list[tuple[int, Test]], everything: int) -> None:
        """`tests`: each with the number of its rule."""
        self.dimension, self.known = dimension, dict[str | None, int]()
        self.touching = _bits(number for number, _test in tests)
        kinds: dict[str, list[int]] = {CODES: [], GIVEN: [], ABSENT: []}
        for number, test in tests:
            kinds[test.what].append(number)
        self._given, self._absent = _bits(kinds[GIVEN]), _bits(kinds[ABSENT])
        self._free = everything & ~(self._given | self._absent | _bits(kinds[CODES]))
        self._codes: dict[str, int] = {}
        self._patterns: dict[str, list[tuple[Like, int]]] = {}
        ranges: dict[str, list[tuple[Between, int]]] = {}
        together: dict[int, tuple[Expression, list[int]]] = {}  # many rules share what names the same codes
        for number, test in tests:
            if test.what == CODES and test.codes is not None:
                known = together.get(id(test.codes))
                if known is None:
                    known = together[id(test.codes)] = (test.codes, [])
                known[1].append(number)
        for codes, bits in ((codes, _bits(numbers)) for codes, numbers in together.values()):
            if isinstance(codes, Like):
                self._patterns.setdefault(codes.prefix, []).append((codes, bits))
            elif isinstance(codes, Between):
                ranges.setdefault(codes.shape, []).append((codes, bits))
            else:
                for code in codes.codes if isinstance(codes, In) else (_code(codes),):
                    self._codes[code] = self._codes.get(code, 0) | bits
        self._ranges = {group: _Ranges(found) for group, found in ranges.items()}
        self._lengths = sorted({len(prefix) for prefix in self._patterns})

    def bits(self, value: str | None) -> int:
        found = self._met(value)
        if len(self.known) >= _REMEMBERED:
            self.known.clear()
        self.known[value] = found
        return found

    def _met(self, value: str | None) -> int:
        if not value:
            return self._free | self._absent
        found = self._free | self._given | self._codes.get(value, 0)
        if self._ranges:
            for group in {"", shape(value)}:
                if group in self._ranges:
                    found |= self._ranges[group].holding(value)
        for length in self._lengths:
            if length > len(value):
                break
            for pattern, bits in self._patterns.get(value[:length], ()):
                if pattern.matches(value):
                    found |= bits
        return found


def _code(codes: Expression) -> str:
    assert isinstance(codes, Equals)
    return codes.code


class _Ranges:
    """Ranges of one shape (or of texts): the bits of those around each end, and between each two ends."""

    def __init__(self, ranges: list[tuple[Between, int]]) -> None:
        filled = [(found, bits) for found, bits in ranges if not found.empty()]
        self._points = sorted({end for found, _bits in filled for end in (found.first, found.last)})
        begin, end = [0] * (2 * len(self._points) + 2), [0] * (2 * len(self._points) + 2)
        for found, bits in filled:
            begin[self._slot(found.first)] |= bits
            end[self._slot(found.last) + 1] |= bits
        self._holding, now = [], 0
        for started, ended in zip(begin, end, strict=True):
            now = (now & ~ended) | started
            self._holding.append(now)

    def _slot(self, code: str) -> int:
        place = bisect_left(self._points, code)
        return 2 * place + (place < len(self._points) and self._points[place] == code)

    def holding(self, code: str) -> int:
        return self._holding[self._slot(code)]
