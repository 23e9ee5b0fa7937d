"""Transforms one by one: what a value becomes, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

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
