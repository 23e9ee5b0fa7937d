"""Owns how many rows that match the same code are kept, so that those of another context or period are not looked at."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from mdm.mapping.expressions import Equals, Expression, In
from mdm.mapping.rows import Context
from mdm.mapping.table import Table

_FEW = 8  # looking at so many rows costs less than a shelf
_LONG = 64  # lists of more codes are not taken apart
_SPREAD = 4  # times a row may stand in the parts of time


class Shelf:
    """Row numbers, ascending (the better row first), divided by a dimension that most rows have a condition on, those
    parts by the next, and what is left by date. Takes memory linear in the rows."""

    __slots__ = ("_by_code", "_days", "_dimension", "_parts", "_rest", "numbers")

    def __init__(self, numbers: Sequence[int], table: Table, used: frozenset[str] = frozenset()) -> None:
        self.numbers = tuple(numbers)
        self._dimension = _dimension(numbers, table, used)
        self._by_code: dict[str, Shelved] = {}
        self._rest: Shelved = ()
        self._days: list[int] = []
        self._parts: list[tuple[int, ...]] = []
        if self._dimension:
            self._divide(table, used | {self._dimension})
        else:
            self._slice(table)

    def _divide(self, table: Table, used: frozenset[str]) -> None:
        rest: list[int] = []
        codes: dict[str, list[int]] = {}
        for number in self.numbers:
            named = _codes(table, number, self._dimension)
            for code in named:
                codes.setdefault(code, []).append(number)
            if not named:
                rest.append(number)
        self._by_code = {code: shelved(found, table, used) for code, found in codes.items()}
        self._rest = shelved(rest, table, used)

    def _slice(self, table: Table) -> None:
        starts, ends = table.starts, table.ends
        days = sorted({day for number in self.numbers for day in (starts[number], ends[number])})
        parts: list[list[int]] = [[] for _ in range(len(days) + 1)]
        left = _SPREAD * len(self.numbers)
        for number in self.numbers:
            first, last = bisect_right(days, starts[number]), bisect_right(days, ends[number])
            left -= max(0, last - first)
            if left < 0:
                return
            for part in parts[first:last]:
                part.append(number)
        self._days, self._parts = days, [tuple(part) for part in parts]

    def offer(self, context: Context, day: int) -> Sequence[int]:
        """Ascending; every row that holds is among them, of the others some."""
        if self._parts:
            return self._parts[bisect_right(self._days, day)]
        if not self._dimension:
            return self.numbers
        special = offered(self._by_code.get(context.get(self._dimension) or "", ()), context, day)
        rest = offered(self._rest, context, day)
        return sorted((*special, *rest)) if special and rest else special or rest

    def meeting(self, conditions: Mapping[str, Expression]) -> Sequence[int]:
        """Ascending; every row whose conditions one context may fulfil together with these, of the others some."""
        named = few_codes(conditions.get(self._dimension))
        if not named:
            return self.numbers
        parts = [self._by_code.get(code, ()) for code in named]
        return merged([meeting(part, conditions) for part in (*parts, self._rest)])


Shelved = tuple[int, ...] | Shelf


def shelved(numbers: Sequence[int], table: Table, used: frozenset[str] = frozenset()) -> Shelved:
    return tuple(numbers) if len(numbers) <= _FEW else Shelf(numbers, table, used)


def offered(found: Shelved, context: Context, day: int) -> Sequence[int]:
    return found if isinstance(found, tuple) else found.offer(context, day)


def meeting(found: Shelved, conditions: Mapping[str, Expression]) -> Sequence[int]:
    return found if isinstance(found, tuple) else found.meeting(conditions)


def every(found: Shelved) -> tuple[int, ...]:
    return found if isinstance(found, tuple) else found.numbers


def merged(lists: Iterable[Sequence[int]]) -> Sequence[int]:
    """Ascending lists as one, each row once."""
    found = [one for one in lists if one]
    if len(found) < 2:
        return found[0] if found else ()
    return [number for number, _same in groupby(sorted(number for one in found for number in one))]


def _dimension(numbers: Sequence[int], table: Table, used: frozenset[str]) -> str:
    """The one that tells most rows apart, "" if none tells any."""
    told: Counter[str] = Counter()
    for number in numbers:
        told.update(d for d, _test in table.conditions[number] if d not in used and _codes(table, number, d))
    return min(told, key=lambda dimension: (-told[dimension], dimension)) if told else ""


def _codes(table: Table, number: int, dimension: str) -> tuple[str, ...]:
    return few_codes(next((test for named, test in table.conditions[number] if named == dimension), None))


def few_codes(test: Expression | None) -> tuple[str, ...]:
    """The codes a test names one by one; () when it is a range, a pattern, a long list or nothing."""
    if isinstance(test, Equals):
        return (test.code,)
    return test.codes if isinstance(test, In) and len(test.codes) <= _LONG else ()
