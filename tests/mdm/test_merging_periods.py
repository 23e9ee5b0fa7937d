"""Two changes of one timeline brought together, against a calendar in which every month is merged by itself."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mdm.merging_periods import HOLDS, bring_together
from mdm.periods import Period, end_of, on, problems, start_of
from tests.mdm.test_periods import DAYS, edited, edits, made, uids

CALENDAR = ["", *DAYS]  # "" stands for all days before the first
Values = dict[str, Any] | None


def line_of(steps: list[Any], listed: list[Period], new_uid: Any) -> list[Period]:
    for step in steps:
        listed = edited(listed, step, new_uid)
    return listed


def values(listed: list[Period]) -> list[Values]:
    found = [on(listed, day) for day in CALENDAR]
    return [None if p is None else {"a": p["a"], "b": p["b"]} for p in found]


def naive(base: Values, wanted: Values, now: Values) -> tuple[Values, set[str]]:
    if base is None or wanted is None or now is None:
        if wanted == base or now == wanted:
            return now, set()
        return (wanted, set()) if now == base else (now, {HOLDS})
    result, clashes = {}, set()
    for name in base:
        changed, moved = wanted[name] != base[name], now[name] not in (base[name], wanted[name])
        result[name] = wanted[name] if changed and not moved else now[name]
        if changed and moved:
            clashes.add(name)
    return result, clashes


@given(st.lists(edits(), max_size=5), st.lists(edits(), max_size=3), st.lists(edits(), max_size=3))
def test_every_day_and_value_is_merged_by_itself(first: list[Any], mine: list[Any], theirs: list[Any]) -> None:
    new_uid = uids()
    base = line_of(first, made((None, None, "0")), new_uid)
    wanted, now = line_of(mine, base, new_uid), line_of(theirs, base, new_uid)
    found, clashes = bring_together(base, wanted, now, new_uid=new_uid)
    expected = [naive(*sides) for sides in zip(values(base), values(wanted), values(now), strict=True)]
    assert values(found) == [value for value, _ in expected]
    told = [{c.field for c in clashes if c.start <= day < c.end} for day in CALENDAR]
    assert told == [fields for _, fields in expected]
    assert problems(found, "slices") == []
    assert len({period["uid"] for period in found}) == len(found) and all(period["uid"] for period in found)


@given(st.lists(edits(), max_size=5), st.lists(edits(), max_size=4))
def test_without_another_change_it_is_what_was_asked_for_or_what_is_there(first: list[Any], mine: list[Any]) -> None:
    new_uid = uids()
    base = line_of(first, made((None, None, "0")), new_uid)
    other = line_of(mine, base, new_uid)
    for wanted, now in ((other, base), (base, other), (other, other)):
        found, clashes = bring_together(base, wanted, now, new_uid=new_uid)
        assert values(found) == values(other) and clashes == []
    kept, _ = bring_together(base, base, other, new_uid=new_uid)
    assert [(p["uid"], start_of(p), end_of(p)) for p in kept] == [(p["uid"], start_of(p), end_of(p)) for p in other]


@given(st.lists(edits(), max_size=4), st.lists(edits(), max_size=3), st.lists(edits(), max_size=3), st.booleans())
def test_who_chose_a_side_everywhere_has_no_clash_left(
    first: list[Any], mine: list[Any], theirs: list[Any], keep: bool
) -> None:
    new_uid = uids()
    base = line_of(first, made((None, None, "0")), new_uid)
    wanted, now = line_of(mine, base, new_uid), line_of(theirs, base, new_uid)
    side: Any = "current" if keep else "proposed"
    found, clashes = bring_together(base, wanted, now, new_uid=new_uid, settle=lambda start, end, field: side)
    assert clashes == [] and problems(found, "slices") == []
    if keep:
        left, _ = bring_together(base, wanted, now, new_uid=new_uid)
        assert values(found) == values(left)
