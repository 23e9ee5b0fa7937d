"""Rows of a file as the timeline of one source record, against a naive calendar of months."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mdm.periods import Period, on, problems
from mdm.source_periods import Told, clash, timeline
from tests.mdm.test_periods import DAYS

CALENDAR = ["", *DAYS]
TODAY = "2026-06-15"
Row = tuple[int, int | None, str]  # place of the first month, of the month it ends with (None: open), value


def told(row: Row, number: int) -> Told:
    start, end, value = row
    return {
        "row": number,
        "mark": f"m{number}",
        "valid_from": CALENDAR[start] or None,
        "valid_to": CALENDAR[end] if end is not None else None,
        "a": value,
    }


rows_ = st.builds(
    lambda start, length, value: (start, None if length is None else start + length, value),
    st.integers(0, 8), st.one_of(st.none(), st.integers(1, 4)), st.sampled_from("xyz"),
)  # fmt: skip


def accepted(rows: list[Row]) -> list[Told]:
    """As a file is read: a row that speaks of the days of an earlier one is put aside."""
    found: list[Told] = []
    for number, row in enumerate(rows, 1):
        one = told(row, number)
        if clash(found, one) is None:
            found.append(one)
    return found


def months(listed: list[Period]) -> list[str | None]:
    found = [on(listed, day) for day in CALENDAR]
    return [p["a"] if p else None for p in found]


def naive(before: list[str | None], rows: list[Told]) -> list[str | None]:
    """Month by month: a row holds from its month to its end, or to the next row; then to where its value would change."""
    now = list(before)
    ordered = sorted(rows, key=lambda row: row["valid_from"] or "")
    for place, row in enumerate(ordered):
        start = CALENDAR.index(row["valid_from"] or "")
        following = ordered[place + 1]["valid_from"] if place + 1 < len(ordered) else None
        end = CALENDAR.index(row["valid_to"] or following) if row["valid_to"] or following else len(CALENDAR)
        if not (row["valid_to"] or following) and any(value is not None for value in before):
            edge = start + 1
            while (
                edge < len(CALENDAR) and now[edge] is not None and now[edge] == now[edge - 1] and now[start] is not None
            ):
                edge += 1
            if now[start] is None:
                edge = next((k for k in range(start, len(CALENDAR)) if now[k] is not None), len(CALENDAR))
            end = edge
        for k in range(start, end):
            now[k] = row["a"]
    return now


@given(st.lists(rows_, min_size=1, max_size=6), st.randoms())
def test_a_new_key_has_the_periods_of_its_rows_and_no_others(rows: list[Row], chance: Any) -> None:
    taken = accepted(rows)
    found = timeline([], taken, ends=True, today=TODAY)
    assert months(found) == naive([None] * len(CALENDAR), taken) and problems(found, "slices") == []
    shuffled = list(taken)
    chance.shuffle(shuffled)
    assert timeline([], shuffled, ends=True, today=TODAY) == found


@given(st.lists(rows_, min_size=1, max_size=5), st.lists(rows_, min_size=1, max_size=4), st.booleans(), st.randoms())
def test_a_file_sent_again_in_any_order_changes_nothing(
    first: list[Row], rows: list[Row], ends: bool, chance: Any
) -> None:
    base = timeline([], accepted(first), ends=ends, today=TODAY)
    again = accepted(first)
    chance.shuffle(again)
    assert months(timeline(base, again, ends=ends, today=TODAY)) == months(base)
    taken = accepted(rows)
    changed = timeline(base, taken, ends=ends, today=TODAY)
    assert problems(changed, "slices") == []
    chance.shuffle(taken)
    assert timeline(base, taken, ends=ends, today=TODAY) == changed


with_days = rows_.filter(lambda row: row[0] > 0 or row[1] is not None)


@given(st.lists(rows_, min_size=1, max_size=5), with_days)
def test_a_row_of_a_known_key_is_a_change_from_its_day_on(first: list[Row], row: Row) -> None:
    base = timeline([], accepted(first), ends=False, today=TODAY)
    one = [told(row, 1)]
    assert months(timeline(base, one, ends=False, today=TODAY)) == naive(months(base), one)


@given(st.lists(rows_, min_size=1, max_size=5), st.sampled_from("xyz"), st.integers(1, 4))
def test_the_end_of_a_known_period_is_what_its_row_says(first: list[Row], value: str, length: int) -> None:
    base = timeline([], accepted(first), ends=True, today=TODAY)
    period = base[-1]
    start = CALENDAR.index(period["valid_from"] or "")
    end = min(start + length, len(CALENDAR) - 1)
    if end <= start or start == 0:  # alone and without days it would speak of today
        return
    row = [told((start, end, value), 1)]
    found = months(timeline(base, row, ends=True, today=TODAY))
    assert found[start:end] == [value] * (end - start) and found[end:] == [None] * (len(CALENDAR) - end)
    reopened = timeline(
        timeline(base, row, ends=True, today=TODAY), [told((start, None, value), 1)], ends=True, today=TODAY
    )
    assert months(reopened)[start:] == [value] * (len(CALENDAR) - start)
