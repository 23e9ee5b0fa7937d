"""Transforms one by one: what a value becomes, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from sync import paths
from sync.errors import NotSupported, Unmapped
from sync.transforms import SKIP, Scope, apply, read_steps, reverse

CHOOSY = read_steps({"lookup": {"map": "companies", "missing": "skip", "unfilled": "same"}})


def scope(rows: dict[str, Any], current: Any = None) -> Scope:
    return Scope({"companies": rows}, "extensions/legal_entity", current)


def test_a_map_without_rows_passes_everything_and_the_first_row_makes_it_a_choice() -> None:
    assert apply(CHOOSY, "NH10", scope({})) == "NH10"
    assert apply(CHOOSY, "NH10", scope({"NH10": "usmf"})) == "usmf"
    assert apply(CHOOSY, "NH20", scope({"NH10": "usmf"})) is SKIP
    assert reverse(CHOOSY, "NH10", scope({})) == "NH10"
    assert reverse(CHOOSY, "usmf", scope({"NH10": "usmf"})) == "NH10"
    with pytest.raises(Unmapped):
        reverse(CHOOSY, "demf", scope({"NH10": "usmf"}))


def test_a_digest_is_short_and_always_the_same() -> None:
    steps = read_steps({"digest": 10})
    first = apply(steps, "0190b5a0-7e11-7cc4-9e0f-0123456789ab", scope({}))
    assert len(first) == 10 and first.isalnum()
    assert first == apply(steps, "0190b5a0-7e11-7cc4-9e0f-0123456789ab", scope({}))
    assert first != apply(steps, "0190b5a0-7e11-7cc4-9e0f-0123456789ac", scope({}))
    assert apply(steps, None, scope({})) is None
    with pytest.raises(NotSupported):
        reverse(steps, first, scope({}))


def test_an_end_is_the_day_after_the_last_one() -> None:
    """Ours is the first day on which something no longer holds; platforms name the last one on which it does."""
    plain, open_ = read_steps("last_day"), read_steps({"last_day": "9999-12-31"})
    for steps in (plain, open_):
        assert apply(steps, "2027-01-01", scope({})) == "2026-12-31"
        assert reverse(steps, "2026-12-31T12:00:00Z", scope({})) == "2027-01-01"
    assert (apply(plain, None, scope({})), reverse(plain, None, scope({}))) == (None, None)
    assert (apply(open_, None, scope({})), reverse(open_, "9999-12-31", scope({}))) == ("9999-12-31", None)


@pytest.mark.parametrize(
    ("status", "validity", "locks", "used"),
    [
        ("active", "current", [], True),
        ("active", "current", [False, None], True),
        ("active", "current", [False, True], False),
        ("active", "planned", [], False),
        ("active", "ended", [False], False),
        ("blocked", "current", [], False),
        ("active", None, [], False),
    ],
)
def test_in_use_is_active_holds_today_and_is_not_locked(
    status: str, validity: Any, locks: list[Any], used: bool
) -> None:
    steps = read_steps({"in_use": ["No", "Yes"]})
    assert apply(steps, [status, validity, *locks], scope({})) == ("No" if used else "Yes")
    with pytest.raises(NotSupported, match="block or close"):
        reverse(steps, "Yes", scope({}, [status, validity]))


def test_the_last_of_several() -> None:
    path = paths.parse("slices[last].valid_to")
    document = {"slices": [{"uid": "s1", "valid_to": "2026-01-01"}, {"uid": "s2", "valid_to": None}]}
    assert paths.value_at(path, document) is None and paths.value_at(path, {"slices": []}) is None
    assert paths.locate(path, document, {}).address == "slices/s2/valid_to"
