"""How few rows are looked at: by context, by date, among nested ranges, among patterns. And that questions end."""

from __future__ import annotations

import tracemalloc
import uuid
from datetime import date, timedelta

from mdm.mapping import Between, Equals, Like, Row, check, compile, when
from mdm.mapping.languages import specimens
from mdm.mapping.shelves import Shelf, offered

DAY = date(2026, 1, 31)


def row(number: int, source, conditions=None, **more) -> Row:
    return Row(uuid.UUID(int=number + 1), source, f"T{number}", when(conditions or {}), **more)


def looked_at(built, code: str, context) -> int:
    found = built.explicit[code]
    assert isinstance(found, Shelf)
    return len(offered(found, context, DAY.toordinal()))


def test_rows_of_one_code_in_many_contexts():
    units = {n: {"entity": Equals(f"E{n % 20}"), "cost_center": Equals(f"{n:06d}")} for n in range(5000)}
    built = compile([*(row(n, Equals("V1"), found) for n, found in units.items()), row(9000, Equals("V1"))])
    context = {"entity": "E7", "cost_center": "004007"}
    assert built.resolve("V1", context, DAY).target == "T4007"
    assert looked_at(built, "V1", context) == 2
    assert check(built, about=[uuid.UUID(int=4008)]) == []


def test_rows_of_one_code_in_many_periods():
    starts = [date(1990, 1, 1) + timedelta(days=30 * n) for n in range(500)]
    built = compile(
        row(n, Equals("V1"), valid_from=start, valid_to=start + timedelta(days=30)) for n, start in enumerate(starts)
    )
    assert built.resolve("V1", {}, DAY).row.valid_from <= DAY
    assert looked_at(built, "V1", {}) == 1


def test_nested_ranges_take_memory_for_n_log_n():
    rows = [row(n, Between(f"{n:06d}", f"{999_999 - n:06d}")) for n in range(5_000)]
    tracemalloc.start()
    built = compile(rows)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert built.resolve("500000", {}, DAY).target == "T4999"  # the narrowest
    assert used < 5_000 * 2_000


def test_a_pattern_is_asked_only_where_its_literal_text_stands():
    built = compile(
        [row(n, Like(f"{n:03d}*")) for n in range(1000)] + [row(2000 + n, Like(f"*-{n:03d}")) for n in range(1000)]
    )
    asked = []
    for code in ("123456", "x-077", "123-077"):
        asked.append(sum(len(offered(found, {}, DAY.toordinal())) for found in built._patterns.maybe(code)))
    assert asked == [1, 1, 2]


def test_patterns_with_many_stars_take_no_time():
    pattern = Like("*a" * 30 + "*b")
    assert not pattern.matches("a" * 5000)


def test_a_check_that_would_take_too_long_says_so():
    """Telling apart by the 20th character from the end takes a million states."""
    rows = [row(1, Like("?")), row(2, Like("*a" + "?" * 19)), row(3, Like("*"))]
    assert [(f.kind, f.row.int) for f in check(rows, about=[rows[2].uid])] == [("undecided", 4)]


def test_specimens_tell_every_way_apart():
    found = list(specimens([Like("4*")], [Between("40", "49"), Like("*0")]))
    ways = {(Between("40", "49").matches(code), code.endswith("0")) for code in found}
    assert ways == {(True, True), (True, False), (False, True), (False, False)}
    assert all(code.startswith("4") for code in found)
