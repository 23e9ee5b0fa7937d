"""Owns the compiled mapping: which row wins for a code in a context on a day, and which codes lead to a target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from mdm.mapping.expressions import Between, Equals, In, Like
from mdm.mapping.indexes import PatternIndex, RangeIndex
from mdm.mapping.rows import Context, Row
from mdm.mapping.shelves import Shelved, every, merged, offered, shelved
from mdm.mapping.table import Table

if TYPE_CHECKING:
    from mdm.mapping.tracing import Step


class Resolution:
    """What a code becomes. Unmapped: `target` is None, `sign` 1, `row` None.

    `trace`: when asked for, every row that was considered, best first; for an unmapped code these are the rows that
    failed by date or condition. `nearest`: rows whose codes are nearest, when no row names the code at all.
    """

    __slots__ = ("_table", "nearest", "number", "sign", "target", "trace", "value")

    def __init__(self, value: str, target: str | None, sign: int, table: Table, number: int) -> None:
        self.value, self.target, self.sign = value, target, sign
        self._table, self.number = table, number
        self.trace: tuple[Step, ...] = ()
        self.nearest: tuple[Row, ...] = ()

    @property
    def row(self) -> Row | None:
        return self._table.row(self.number) if self.number >= 0 else None

    @property
    def made(self) -> bool:
        """Whether the target takes over part of the code."""
        return self.number >= 0 and not isinstance(self._table.targets[self.number], str)

    def __repr__(self) -> str:
        return f"<{self.value} → {self.target if self.target is not None else 'unmapped'}>"


@dataclass(frozen=True, slots=True)
class Reverse:
    """`members`: resolutions that lead to the target; `open_rows`: rows that may lead there from codes nobody named."""

    members: tuple[Resolution, ...]
    open_rows: tuple[Row, ...]


class Compiled:
    """Made by `compile`. Row numbers ascend with the rank inside each kind, so the first that holds is the one that wins."""

    def __init__(self, rows: Iterable[Row], dimension: str) -> None:
        self.dimension = dimension
        self.table = table = Table()
        self.explicit: dict[str, int | Shelved] = {}
        rules, together = self._read(rows)
        for code, numbers in together.items():
            for number, row in zip(numbers, sorted(table.rows(numbers), key=Row.rank), strict=True):
                table.put(number, row)
            self.explicit[code] = shelved(numbers, table)
        self.rules = sorted(rules, key=Row.rank)
        self.first_rule = len(table)
        numbered = [(table.append(row), row.source) for row in self.rules]
        table.forget_doubles()
        self._ranges = RangeIndex(((n, s) for n, s in numbered if isinstance(s, Between)), table)
        self._patterns = PatternIndex(((n, s) for n, s in numbered if isinstance(s, Like)), table)
        self._like = {number: source for number, source in numbered if isinstance(source, Like)}
        self._multi = shelved([number for number, source in numbered if source is None], table)
        lists: dict[str, list[int]] = {}
        for number, source in numbered:
            for code in source.codes if isinstance(source, In) else ():
                lists.setdefault(code, []).append(number)
        self.lists = {code: shelved(numbers, table) for code, numbers in lists.items()}
        # Conditions on the mapped dimension itself see the code, whatever the context says.
        self._own = any(d == dimension for conditions in table.conditions if conditions for d, _test in conditions)

    def _read(self, rows: Iterable[Row]) -> tuple[list[Row], dict[str, list[int]]]:
        """Explicit rows go into the table at once; the others wait for their order."""
        rules: list[Row] = []
        together: dict[str, list[int]] = {}
        for row in rows:
            if not isinstance(row.source, Equals):
                rules.append(row)
                continue
            number = self.table.append(row)
            first = self.explicit.setdefault(row.source.code, number)
            if first != number:
                assert isinstance(first, int)
                together.setdefault(row.source.code, [first]).append(number)
        return rules, together

    def resolve(self, value: str, context: Context, on: date, *, trace: bool = False) -> Resolution:
        """What a code becomes in a context ({dimension: code}) on a day. Traces cost time: ask for them for people."""
        resolution = self._resolution(value, self._winner(value, self._context(value, context), on.toordinal()))
        if trace:
            from mdm.mapping import tracing

            tracing.explain(self, resolution, self._context(value, context), on)
        return resolution

    def resolve_many(self, values: Iterable[str], context: Context, on: date) -> list[Resolution]:
        """As `resolve`, for many codes in one context on one day."""
        day, winner, resolution = on.toordinal(), self._winner, self._resolution
        if self._own:
            return [resolution(value, winner(value, self._context(value, context), day)) for value in values]
        return [resolution(value, winner(value, context, day)) for value in values]

    def leading_to(self, target: str, context: Context, on: date, members: Iterable[str] = ()) -> Reverse:
        """The codes that become `target`: those that rows name, and those of `members`. Reads every row once."""
        numbers = self.numbers_to(target)
        codes = set(members)
        codes |= {code for n in numbers for code in self.codes_of(n)}
        found = [r for r in self.resolve_many(sorted(codes), context, on) if r.target == target]
        open_rows = [self.table.row(n) for n in numbers if n >= self.first_rule and not self.codes_of(n)]
        return Reverse(tuple(found), tuple(row for row in open_rows if row.active))

    def near(self, row: Row) -> list[Row]:
        """Rows that may match a code this row matches: every rule, and the explicit rows of such codes."""
        source = row.source
        if isinstance(source, Equals | In):
            codes: Iterable[str] = source.codes if isinstance(source, In) else (source.code,)
        else:
            codes = (code for code in self.explicit if source is None or source.matches(code))
        return [*self.rules, *(self.table.row(number) for code in codes for number in self.naming(code))]

    def numbers_to(self, target: str) -> list[int]:
        """Rows with this target or one that takes over part of the code, whatever their period and conditions."""
        return [n for n, found in enumerate(self.table.targets) if found == target or not isinstance(found, str)]

    def codes_of(self, number: int) -> tuple[str, ...]:
        """The codes an explicit row or a list names, () for the other kinds."""
        source = self.table.row(number).source
        if isinstance(source, Equals):
            return (source.code,)
        return source.codes if isinstance(source, In) else ()

    @cached_property
    def codes(self) -> list[str]:
        """The codes of the explicit rows in order."""
        return sorted(self.explicit)

    def naming(self, code: str) -> tuple[int, ...]:
        """The explicit rows of a code."""
        found = self.explicit.get(code, ())
        return (found,) if isinstance(found, int) else every(found)

    def candidates(self, value: str) -> Iterator[int]:
        """Rows whose source matches, best first, whatever their period and conditions; every multi row."""
        yield from self.naming(value)
        yield from merged(map(every, self._ranges.holding(value)))
        yield from every(self.lists.get(value, ()))
        yield from every(self._multi)
        patterns = merged(map(every, self._patterns.maybe(value)))
        yield from (number for number in patterns if self._like[number].matches(value))

    def _winner(self, value: str, context: Context, day: int) -> int:
        table = self.table
        found = self.explicit.get(value)
        if isinstance(found, int):
            if table.holds(found, context, day):
                return found
        elif found is not None:
            number = table.first_that_holds(offered(found, context, day), context, day)
            if number >= 0:
                return number
        for step in (self._in_ranges, self._in_lists, self._in_multi):
            numbers = step(value, context, day)
            if numbers:
                number = table.first_that_holds(numbers, context, day)
                if number >= 0:
                    return number
        numbers = merged([offered(one, context, day) for one in self._patterns.maybe(value)])
        for number in numbers:
            if table.holds(number, context, day) and self._like[number].matches(value):
                return number
        return -1

    def _in_ranges(self, value: str, context: Context, day: int) -> Sequence[int]:
        return merged([offered(one, context, day) for one in self._ranges.holding(value)])

    def _in_lists(self, value: str, context: Context, day: int) -> Sequence[int]:
        return offered(self.lists.get(value, ()), context, day)

    def _in_multi(self, value: str, context: Context, day: int) -> Sequence[int]:
        return offered(self._multi, context, day)

    def _resolution(self, value: str, number: int) -> Resolution:
        if number < 0:
            return Resolution(value, None, 1, self.table, -1)
        target = self.table.targets[number]
        code = target if isinstance(target, str) else target.fill(value)
        return Resolution(value, code, -1 if self.table.flips[number] else 1, self.table, number)

    def _context(self, value: str, context: Context) -> Context:
        return {**context, self.dimension: value} if self._own else context


def compile(rows: Iterable[Row], dimension: str = "") -> Compiled:
    """An index of the rows, which are read once and not kept: an explicit row takes about 250 bytes plus whatever its
    conditions have of their own. `dimension`: the name under which conditions may test the mapped code itself."""
    return Compiled(rows, dimension)
