"""Rules of valid time, numbered as in docs/periods.md, and what holds after any sequence of changes."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm import periods
from mdm.periods import Period, change, close, end_of, on, problems, reopen, settled, shown, start_of

DAYS = [f"2026-{month:02}-01" for month in range(1, 13)]
Short = tuple[str | None, str | None, str]  # from, to, value of `a`


def made(*rows: tuple[Any, ...]) -> list[Period]:
    return [
        {
            "uid": f"p{number}",
            "valid_from": row[0],
            "valid_to": row[1],
            "a": row[2],
            "b": row[3] if len(row) > 3 else "x",
        }
        for number, row in enumerate(rows, start=1)
    ]


def short(listed: list[Period]) -> list[tuple[Any, ...]]:
    return [(p["uid"], p["valid_from"], p["valid_to"], p["a"], p["b"]) for p in listed]


def uids() -> Any:
    numbers = count(1)
    return lambda: f"new{next(numbers)}"


def changed(listed: list[Period], values: dict[str, str], start: str | None, end: str | None = None) -> list[Any]:
    return short(change(listed, values, start, end, new_uid=uids()))


# --- the numbered rules -----------------------------------------------------------------------------------------------


def test_rule_1_a_change_inside_a_period_cuts_it_and_the_earlier_part_keeps_its_uid() -> None:
    assert changed(made((None, None, "old")), {"a": "new"}, "2026-03-01") == [
        ("p1", None, "2026-03-01", "old", "x"),
        ("new1", "2026-03-01", None, "new", "x"),
    ]


def test_rule_2_a_value_holds_until_that_very_value_was_planned_to_change() -> None:
    listed = made(
        (None, "2026-06-01", "1", "x"), ("2026-06-01", "2026-09-01", "1", "y"), ("2026-09-01", None, "2", "y")
    )
    assert changed(listed, {"a": "7", "b": "z"}, "2026-03-01") == [
        ("p1", None, "2026-03-01", "1", "x"),
        ("new1", "2026-03-01", "2026-06-01", "7", "z"),
        ("p2", "2026-06-01", "2026-09-01", "7", "y"),
        ("p3", "2026-09-01", None, "2", "y"),
    ]


def test_rule_2_never_over_a_gap() -> None:
    listed = made((None, "2026-03-01", "1"), ("2026-05-01", None, "1"))
    assert changed(listed, {"a": "2"}, None)[1:] == [("p2", "2026-05-01", None, "1", "x")]


def test_rule_3_with_an_end_it_goes_back_afterwards() -> None:
    assert changed(made((None, None, "old")), {"a": "new"}, "2026-03-01", "2026-05-01") == [
        ("p1", None, "2026-03-01", "old", "x"),
        ("new1", "2026-03-01", "2026-05-01", "new", "x"),
        ("new2", "2026-05-01", None, "old", "x"),
    ]


def test_rule_4_with_an_end_what_was_planned_between_gives_way() -> None:
    listed = made((None, "2026-03-01", "1"), ("2026-03-01", "2026-04-01", "2"), ("2026-04-01", None, "3"))
    assert changed(listed, {"a": "9"}, "2026-02-01", "2026-05-01") == [
        ("p1", None, "2026-02-01", "1", "x"),
        ("new1", "2026-02-01", "2026-05-01", "9", "x"),
        ("new2", "2026-05-01", None, "3", "x"),
    ]


def test_rule_5_after_the_end_it_begins_again_with_the_values_of_before() -> None:
    assert changed(made((None, "2026-03-01", "1", "y")), {"a": "2"}, "2026-06-01") == [
        ("p1", None, "2026-03-01", "1", "y"),
        ("new1", "2026-06-01", None, "2", "y"),
    ]
    listed = made((None, "2026-03-01", "1", "y"), ("2026-09-01", None, "3", "z"))
    assert changed(listed, {"a": "2"}, "2026-06-01")[1] == ("new1", "2026-06-01", "2026-09-01", "2", "y")
    assert changed(listed, {"a": "2"}, "2026-02-01", "2026-10-01")[1:3] == [
        ("new1", "2026-02-01", "2026-09-01", "2", "y"),
        ("p2", "2026-09-01", "2026-10-01", "2", "z"),
    ]


def test_rule_6_before_the_first_period_it_has_the_other_values_of_the_first() -> None:
    assert changed(made(("2026-06-01", None, "1", "y")), {"a": "0"}, "2026-03-01") == [
        ("new1", "2026-03-01", "2026-06-01", "0", "y"),
        ("p1", "2026-06-01", None, "1", "y"),
    ]


def test_rule_7_neighbours_with_the_same_values_are_one_period() -> None:
    listed = made((None, "2026-03-01", "1"), ("2026-03-01", None, "2"))
    assert changed(listed, {"a": "1"}, "2026-03-01") == [("p1", None, None, "1", "x")]


def test_rule_8_closing_takes_away_what_would_begin_later() -> None:
    listed = made((None, "2026-03-01", "1"), ("2026-03-01", "2026-05-01", "2"), ("2026-07-01", None, "3"))
    assert short(close(listed, "2026-04-01")) == [
        ("p1", None, "2026-03-01", "1", "x"),
        ("p2", "2026-03-01", "2026-04-01", "2", "x"),
    ]
    assert short(close(listed, "2026-06-01"))[1] == ("p2", "2026-03-01", "2026-05-01", "2", "x")
    assert close(made(("2026-03-01", None, "1")), "2026-03-01") == []


def test_rule_9_reopening_lets_the_last_period_go_on() -> None:
    listed = made((None, "2026-03-01", "1"), ("2026-03-01", "2026-05-01", "2"))
    assert short(reopen(listed))[-1] == ("p2", "2026-03-01", None, "2", "x")
    assert short(reopen(listed, "2026-08-01"))[-1] == ("p2", "2026-03-01", "2026-08-01", "2", "x")


def test_periods_from_several_sides_end_where_the_next_begins() -> None:
    listed = made((None, None, "1"), ("2026-03-01", None, "2"), ("2026-03-01", "2026-06-01", "3"))
    assert short(settled(listed)) == [
        ("p1", None, "2026-03-01", "1", "x"),
        ("p3", "2026-03-01", "2026-06-01", "3", "x"),
    ]


@pytest.mark.parametrize(
    ("rows", "gapless", "codes"),
    [
        ([(None, "2026-03-01", "1"), ("2026-03-01", None, "2")], True, []),
        ([(None, "2026-03-01", "1"), ("2026-05-01", None, "2")], False, []),
        ([(None, "2026-03-01", "1"), ("2026-05-01", None, "2")], True, ["gap"]),
        ([(None, None, "1"), ("2026-05-01", None, "2")], False, ["overlap"]),
        ([(None, "2026-06-01", "1"), ("2026-05-01", None, "2")], False, ["overlap"]),
        ([("2026-06-01", "2026-06-01", "1")], False, ["empty_period"]),
    ],
)
def test_what_is_wrong_is_named(rows: Any, gapless: bool, codes: list[str]) -> None:
    found = problems(made(*rows), "slices", gapless=gapless)
    assert [problem.code for problem in found] == codes
    assert all(problem.path.startswith("slices/p") for problem in found)


def test_what_a_record_shows_on_a_day() -> None:
    listed = made(("2026-02-01", "2026-04-01", "1"), ("2026-06-01", None, "2"))
    told = {day: (shown(listed, day)[0]["a"], shown(listed, day)[1]) for day in ("2026-01-01", *DAYS[2:8])}
    assert told == {
        "2026-01-01": ("1", "planned"), "2026-03-01": ("1", "current"), "2026-04-01": ("1", "ended"),
        "2026-05-01": ("1", "ended"), "2026-06-01": ("2", "current"), "2026-07-01": ("2", "current"),
        "2026-08-01": ("2", "current"),
    }  # fmt: skip
    assert periods.next_boundary(listed, "2026-02-01") == "2026-04-01"
    assert periods.next_boundary(listed, "2026-06-01") is None


# --- any sequence of changes ------------------------------------------------------------------------------------------

days = st.sampled_from(DAYS)
some_values = st.dictionaries(st.sampled_from("ab"), st.sampled_from("123"), min_size=1)


@st.composite
def edits(draw: Any) -> tuple[Any, ...]:
    what = draw(st.sampled_from(["change", "change", "change", "limited", "close", "reopen"]))
    if what == "limited":
        start, end = sorted(draw(st.lists(days, min_size=2, max_size=2, unique=True)))
        return what, draw(some_values), draw(st.sampled_from([start, None])), end
    if what == "change":
        return what, draw(some_values), draw(st.one_of(st.none(), days)), None
    return what, None, draw(days), None


def edited(listed: list[Period], edit: tuple[Any, ...], new_uid: Any) -> list[Period]:
    what, values, start, end = edit
    if what == "close":
        return close(listed, start) or listed
    return reopen(listed) if what == "reopen" else change(listed, values, start, end, new_uid=new_uid)


@given(st.lists(edits(), max_size=12))
def test_the_periods_stay_in_order_apart_and_told_apart(steps: list[Any]) -> None:
    listed, new_uid = made((None, None, "0")), uids()
    for step in steps:
        listed = edited(listed, step, new_uid)
        assert problems(listed, "slices") == [] and listed == periods.in_order(listed)
        assert len({p["uid"] for p in listed}) == len(listed)
        for left, right in zip(listed, listed[1:], strict=False):
            joined = end_of(left) == start_of(right)
            assert not joined or periods.values_of(left) != periods.values_of(right)


@given(st.lists(edits(), max_size=8), edits())
def test_a_change_is_what_a_day_by_day_calendar_would_say(steps: list[Any], last: Any) -> None:
    """Against a naive model: the values of every month, changed month by month."""
    listed, new_uid = made((None, None, "0")), uids()
    for step in steps:
        listed = edited(listed, step, new_uid)
    calendar = ["", *DAYS]  # "" stands for all days before the first
    before = [on(listed, day) for day in calendar]
    after = [on(edited(listed, last, new_uid), day) for day in calendar]
    assert [_values(p) for p in after] == _naive(before, listed, last, calendar)


def _values(period: Period | None) -> dict[str, Any] | None:
    return None if period is None else {"a": period["a"], "b": period["b"]}


def _naive(before: list[Any], listed: list[Period], edit: tuple[Any, ...], calendar: list[str]) -> list[Any]:
    what, values, start, end = edit
    now = [_values(p) for p in before]
    if what == "close":
        kept = [None if day >= start else now[k] for k, day in enumerate(calendar)]
        return kept if close(listed, start) else now
    if what == "reopen":
        edge = max(range(len(now)), key=lambda k: (now[k] is not None, k))
        return [now[edge] if k > edge else value for k, value in enumerate(now)]
    first = calendar.index(start or "")
    stop = calendar.index(end) if end else len(calendar)
    held = [k for k, value in enumerate(now) if value is not None]

    def base(k: int) -> dict[str, Any]:
        earlier = [other for other in held if other < k]
        return dict(now[max(earlier)] if earlier else now[min(held)])  # type: ignore[arg-type]

    if end is None and now[first] is None:
        stop = next((k for k in held if k > first), len(calendar))
        return [{**base(first), **values} if first <= k < stop else value for k, value in enumerate(now)]
    result, told = list(now), dict(values)
    for k in range(first, stop):
        if end is None and now[k] is None:
            break
        if end is None and k > first:
            told = {name: value for name, value in told.items() if now[k][name] == now[k - 1][name]}  # type: ignore[index]
        result[k] = {**(now[k] or base(k)), **told}
    return result
