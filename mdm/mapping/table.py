"""Owns the rows of a compiled mapping in columns: a million of them without a million objects."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from mdm.mapping.expressions import Equals, Expression
from mdm.mapping.rows import Conditions, Context, Filled, Row, target_of

ALWAYS = (0, 1 << 30)  # day numbers before the first and after the last date
_NEVER = (1, 0)


class Table:
    """Rows by number. Equal targets and conditions are kept once; the source of an explicit row is its code alone."""

    def __init__(self) -> None:
        self.starts, self.ends, self.orders = array("i"), array("i"), array("q")
        self.conditions: list[Conditions] = []
        self.targets: list[str | Filled] = []
        self.flips = bytearray()
        self._uids = bytearray()
        self._sources: list[str | Expression | None] = []
        self._inactive: dict[int, Row] = {}
        self._seen_targets: dict[str, str] = {}
        self._seen_conditions: dict[Conditions, Conditions] = {}

    def __len__(self) -> int:
        return len(self.targets)

    def append(self, row: Row) -> int:
        start, end, flip, target, conditions, source = self._cells(row)
        number = len(self.targets)
        if not row.active:
            self._inactive[number] = row
        self.starts.append(start)
        self.ends.append(end)
        self.orders.append(row.order)
        self.flips.append(flip)
        self._uids.extend(row.uid.bytes)
        self.targets.append(target)
        self.conditions.append(conditions)
        self._sources.append(source)
        return number

    def put(self, number: int, row: Row) -> None:
        """Another row in the place of the one there."""
        start, end, flip, target, conditions, source = self._cells(row)
        self._inactive.pop(number, None)
        if not row.active:
            self._inactive[number] = row
        self.starts[number], self.ends[number], self.orders[number] = start, end, row.order
        self.flips[number] = flip
        self._uids[16 * number : 16 * number + 16] = row.uid.bytes
        self.targets[number], self.conditions[number], self._sources[number] = target, conditions, source

    def _cells(self, row: Row) -> tuple[int, int, bool, str | Filled, Conditions, str | Expression | None]:
        start, end = _NEVER  # for an inactive row: a period that no day is in, so the search has nothing more to ask
        if row.active:
            start = row.valid_from.toordinal() if row.valid_from else ALWAYS[0]
            end = row.valid_to.toordinal() if row.valid_to else ALWAYS[1]
        target = target_of(row)
        if isinstance(target, str):
            target = self._seen_targets.setdefault(target, target)
        conditions = self._seen_conditions.setdefault(row.conditions, row.conditions) if row.conditions else ()
        source = row.source.code if isinstance(row.source, Equals) else row.source
        return start, end, row.flip, target, conditions, source

    def forget_doubles(self) -> None:
        """After the last row: what was only needed to keep equal things once."""
        self._seen_targets, self._seen_conditions = {}, {}

    def row(self, number: int) -> Row:
        """The row as it was given."""
        if number in self._inactive:
            return self._inactive[number]
        source, start, end = self._sources[number], self.starts[number], self.ends[number]
        target = self.targets[number]
        return Row(
            uid=self.uid(number),
            source=Equals(source) if isinstance(source, str) else source,
            target=target.text if isinstance(target, Filled) else _literal(target),
            conditions=self.conditions[number],
            flip=bool(self.flips[number]),
            valid_from=date.fromordinal(start) if start > ALWAYS[0] else None,
            valid_to=date.fromordinal(end) if end < ALWAYS[1] else None,
            order=self.orders[number],
        )

    def rows(self, numbers: Sequence[int]) -> list[Row]:
        return [self.row(number) for number in numbers]

    def code(self, number: int) -> str | None:
        """The code of an explicit row."""
        source = self._sources[number]
        return source if isinstance(source, str) else None

    def active(self, number: int) -> bool:
        return number not in self._inactive

    def uid(self, number: int) -> UUID:
        return UUID(bytes=bytes(self._uids[16 * number : 16 * number + 16]))

    def uid_text(self, number: int) -> str:
        """The uid as it is written, in a third of the time."""
        digits = self._uids[16 * number : 16 * number + 16].hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def numbers(self, uids: Collection[UUID]) -> list[int]:
        """The numbers of some rows; reads every uid."""
        wanted = {uid.bytes for uid in uids}
        return [number for number in range(len(self)) if bytes(self._uids[16 * number : 16 * number + 16]) in wanted]

    def holds(self, number: int, context: Context, day: int) -> bool:
        """Whether period and conditions of the row hold."""
        conditions = self.conditions[number]
        return self.starts[number] <= day < self.ends[number] and (not conditions or fulfilled(conditions, context))

    def first_that_holds(self, numbers: Sequence[int], context: Context, day: int) -> int:
        """The first row whose period and conditions hold, -1 when there is none."""
        starts, ends, conditions = self.starts, self.ends, self.conditions
        for number in numbers:
            if starts[number] <= day < ends[number] and (
                not conditions[number] or fulfilled(conditions[number], context)
            ):
                return number
        return -1


def fulfilled(conditions: Conditions, context: Context) -> bool:
    for dimension, test in conditions:
        code = context.get(dimension)
        if not code or not test.matches(code):
            return False
    return True


def _literal(target: str) -> str:
    return target.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
