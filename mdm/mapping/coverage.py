"""Owns the exact questions about one row among better ones: is there anything left that it wins, and what does it lose."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import takewhile

from mdm.mapping.compiled import Compiled
from mdm.mapping.expressions import Between, Equals, Expression, In, Like
from mdm.mapping.languages import TooMany, between_ends, specimen, specimens
from mdm.mapping.rows import Context, Row
from mdm.mapping.shelves import meeting

_MOST = 200_000  # contexts that are tried for one row
_STEPS = 3_000_000  # of an expression by a character
_PLAIN_DAY, _END = date(2000, 1, 1).toordinal(), date.max.toordinal() + 1
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Example:
    value: str
    context: Context
    on: date


Rivals = dict[int, dict[str, Expression]]  # number of a better row → its conditions that are still open


class Coverage:
    """Of a compiled mapping whose rows are all active and sound."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled, self._table = compiled, compiled.table
        self._rules = dict(enumerate(compiled.rules, compiled.first_rule))
        self._hulls = [(number, *_hull(row.source)) for number, row in self._rules.items()]
        self._tried = 0

    def row(self, number: int) -> Row:
        return self._rules.get(number) or self._table.row(number)

    def verdict(self, number: int) -> Example | list[int]:
        """Where the row wins, or else the better rows that leave it nothing, the best first ([]: it matches nothing).
        Raises TooMany."""
        row, beaters, self._tried = self.row(number), set[int](), 0
        conditions = [(d, test) for d, test in row.conditions if d != self._compiled.dimension]
        for value in self._values(number, row):
            outright = self._outright(number, value)
            if outright is not None:
                beaters.add(outright)
                continue
            found = self._wins(number, conditions, self._rivals(number, row, value), beaters)
            if found:
                return Example(value, *found)
        return sorted(beaters)

    def meeting(self, number: int) -> Iterator[tuple[int, Example]]:
        """Better rows that match something this one matches too, the best first, each with an example."""
        row = self.row(number)
        for other in self._better(number, row):
            example = self._example(number, other)
            if example:
                yield other, example

    def _values(self, number: int, row: Row) -> Iterator[str]:
        """Codes this row matches: at least one for each way in which better rows can tell them apart."""
        tests = self._value_tests(row)
        if isinstance(row.source, Equals | In):
            codes = row.source.codes if isinstance(row.source, In) else (row.source.code,)
            yield from (code for code in codes if all(test.matches(code) for test in tests))
            return
        tests = tests or [Like("*")]
        yield from specimens(tests, ())  # quick, and mostly enough
        yield from self._unnamed(number, row, tests)
        yield from (code for code in self._named(row) if all(test.matches(code) for test in tests))

    def _unnamed(self, number: int, row: Row, tests: list[Expression]) -> Iterator[str]:
        """Codes that no explicit row and no list names, one for each way to tell them apart."""
        others = {
            test: None
            for other in self._better_rules(number, row)
            if set(dict(self.row(other).conditions)) <= {self._compiled.dimension, *dict(row.conditions)}
            for test in self._value_tests(self.row(other))
            if test is not self.row(other).source or not isinstance(test, In)
            if specimen(test, *tests) is not None
        }
        ranges = [test for test in (*tests, *others) if isinstance(test, Between) and test.shape]
        if len(ranges) == len(others) + 1 and len(tests) == 1:
            return between_ends(ranges[0], ranges[1:], self._is_named)
        return specimens(tests, list(others), also=self._characters, named=self._is_named, most=_STEPS)

    def _is_named(self, code: str) -> bool:
        return code in self._compiled.explicit or code in self._compiled.lists

    @cached_property
    def _characters(self) -> frozenset[str]:
        return frozenset("".join(self._compiled.codes) + "".join(self._compiled.lists))

    def _named(self, row: Row) -> Iterator[str]:
        """Codes that explicit rows and lists name, where the row may match."""
        first, last = _hull(row.source)
        codes = self._compiled.codes
        yield from codes[bisect_left(codes, first) : bisect_right(codes, last)]
        yield from (
            code for code in self._compiled.lists if first <= code <= last and code not in self._compiled.explicit
        )

    def _value_tests(self, row: Row) -> list[Expression]:
        own = [test for dimension, test in row.conditions if dimension == self._compiled.dimension]
        return [row.source, *own] if row.source else own

    def _rivals(self, number: int, row: Row, value: str) -> Rivals:
        """Better rows that match the code, and may hold in the context and period of the row."""
        dimensions = set(dict(row.conditions))
        rivals: Rivals = {}
        for other in takewhile(lambda found: found != number, self._compiled.candidates(value)):
            conditions = dict(self._table.conditions[other])
            own = conditions.pop(self._compiled.dimension, None)
            if conditions.keys() <= dimensions and (own is None or own.matches(value)):
                rivals[other] = conditions
        return rivals

    def _wins(
        self, number: int, conditions: Sequence[tuple[str, Expression]], rivals: Rivals, beaters: set[int]
    ) -> tuple[dict[str, str], date] | None:
        """A context (of the dimensions still open: `conditions`) and a day in which no rival holds but the row does."""
        self._tried += 1
        if self._tried > _MOST:
            raise TooMany
        settled = [other for other, open_ in rivals.items() if not open_]
        day = self._free_day(number, settled)
        if day is None:
            beaters.update(self._covering(number, settled))
            return None
        if len(settled) == len(rivals):
            return {d: specimen(test) or "" for d, test in conditions}, day
        (dimension, test), rest = conditions[0], conditions[1:]
        told = list({open_[dimension]: None for open_ in rivals.values() if dimension in open_})
        for code in specimens([test], told):
            left = {
                other: {d: found for d, found in open_.items() if d != dimension}
                for other, open_ in rivals.items()
                if dimension not in open_ or open_[dimension].matches(code)
            }
            found = self._wins(number, rest, left, beaters)
            if found:
                return {dimension: code, **found[0]}, found[1]
        return None

    def _outright(self, number: int, value: str) -> int | None:
        """An explicit row that beats the row at this code in every context and on all its days; quickly seen."""
        other = self._compiled.explicit.get(value)
        if not isinstance(other, int) or other == number or self._table.conditions[other]:
            return None
        starts, ends = self._table.starts, self._table.ends
        return other if starts[other] <= starts[number] and ends[number] <= ends[other] else None

    def _free_day(self, number: int, others: Iterable[int]) -> date | None:
        """A day in the period of the row and in none of the others'."""
        starts, ends = self._table.starts, self._table.ends
        day, end = max(1, starts[number]), min(ends[number], _END)
        for other in sorted(others, key=starts.__getitem__):
            if starts[other] > day:
                end = min(end, starts[other])
                break
            day = max(day, ends[other])
        return _day(day, end) if day < end else None

    def _covering(self, number: int, others: list[int]) -> list[int]:
        """Of rows that cover the period of the row: enough of them, the best first."""
        enough: list[int] = []
        for other in others:
            enough.append(other)
            if self._free_day(number, enough) is None:
                break
        return [
            one for one in enough if self._free_day(number, [other for other in enough if other != one]) is not None
        ]

    def _better(self, number: int, row: Row) -> Iterator[int]:
        """Better rows that may meet this one."""
        explicit = self._compiled.explicit
        if isinstance(row.source, Equals):
            found = explicit[row.source.code]
            numbers = (found,) if isinstance(found, int) else meeting(found, dict(row.conditions))
            yield from takewhile(lambda other: other < number, numbers)
            return
        codes = row.source.codes if isinstance(row.source, In) else self._named(row)
        tests = self._value_tests(row)
        for code in codes:
            if code in explicit and all(test.matches(code) for test in tests):
                yield from self._compiled.naming(code)
        yield from self._better_rules(number, row)

    def _better_rules(self, number: int, row: Row) -> list[int]:
        first, last = _hull(row.source)
        return [
            n for n, low, high in self._hulls[: number - self._compiled.first_rule] if low <= last and first <= high
        ]

    def _example(self, number: int, better: int) -> Example | None:
        """Something that both match."""
        row, other = self.row(number), self.row(better)
        starts, ends = self._table.starts, self._table.ends
        start, end = max(1, starts[number], starts[better]), min(_END, ends[number], ends[better])
        if start >= end:
            return None
        context: dict[str, str] = {}
        mine, theirs = dict(row.conditions), dict(other.conditions)
        for dimension in sorted((mine.keys() | theirs.keys()) - {self._compiled.dimension}):
            code = specimen(*(side[dimension] for side in (mine, theirs) if dimension in side))
            if code is None:
                return None
            context[dimension] = code
        value = specimen(*(self._value_tests(row) + self._value_tests(other) or [Like("*")]))
        if value is None:
            return None
        return Example(value, context, _day(start, end))


def _day(start: int, end: int) -> date:
    """One that people would name."""
    return date.fromordinal(start if start > 1 else min(_PLAIN_DAY, end - 1))


def _hull(source: Expression | None) -> tuple[str, str]:
    """Texts between which all its codes are."""
    if isinstance(source, Equals):
        return source.code, source.code
    if isinstance(source, Between):
        return source.first, source.last
    if isinstance(source, In):
        return source.codes[0], source.codes[-1]
    prefix = source.prefix if source else ""
    return prefix, prefix + _LAST
