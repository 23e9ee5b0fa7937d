"""Coding rules without a database: what a line breaks, held against a naive reading of the same rules; what never applies."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimensions.coding import ABSENT, CODES, GIVEN, Compiled, Finding, Rule, Test, check
from mdm.mapping import notation

DAYS = [date(2026, 1, number) for number in range(1, 6)]
DIMENSIONS = ("cost_center", "gl_account", "project", "REGION")
TEXTS = ("1", "12", "A-1", "1..3", "10..12", "A-1..A-3", "A..Z", "1, 2", "A-1, 12", "1*", "*2", "A*", "?", "*")
CODES_SEEN = ("", "1", "2", "3", "10", "11", "12", "A-1", "A-2", "B", "ÄÖ")


def test(dimension: str, what: Any) -> Test:
    if isinstance(what, bool):
        return Test(dimension, GIVEN if what else ABSENT)
    return Test(dimension, CODES, notation.read(what))


test.__test__ = False  # type: ignore[attr-defined]


def rule(number: int, when: dict[str, Any], then: dict[str, Any] | None = None, **values: Any) -> Rule:
    sides = [tuple(test(dimension, what) for dimension, what in (side or {}).items()) for side in (when, then)]
    return Rule(UUID(int=number), f"R-{number:03}", f"Rule {number}", f"Says {number}.", *sides, **values)


def broken(rules: list[Rule], facts: dict[str, str], on: date = DAYS[0], unknown: tuple[str, ...] = ()) -> list[str]:
    built = Compiled(rules)
    return [one.code for one in built.named(built.judge(facts, on.toordinal(), unknown).broken)]


conditions = st.dictionaries(st.sampled_from(DIMENSIONS), st.one_of(st.booleans(), st.sampled_from(TEXTS)), max_size=3)
periods = st.one_of(st.none(), st.sampled_from(DAYS))
several = st.lists(st.tuples(conditions, conditions, periods, periods), max_size=12)
lines = st.dictionaries(st.sampled_from(DIMENSIONS), st.sampled_from(CODES_SEEN))


def naively(one: Rule, facts: dict[str, str], on: date, unknown: set[str]) -> bool:
    """Whether the line breaks the rule, read word by word."""
    if one.valid_from and on < one.valid_from or one.valid_to and on >= one.valid_to:
        return False
    if any(test.dimension in unknown for test in (*one.when, *one.then)):
        return False

    def met(asked: Test) -> bool:
        code = facts.get(asked.dimension)
        if asked.what == CODES:
            return bool(code) and asked.codes.matches(code)  # type: ignore[union-attr, arg-type]
        return bool(code) is (asked.what == GIVEN)

    return all(map(met, one.when)) and (not one.then or not all(map(met, one.then)))


@given(
    several,
    st.lists(st.tuples(lines, st.sampled_from(DAYS), st.sets(st.sampled_from(DIMENSIONS), max_size=1)), max_size=6),
)
def test_a_line_breaks_what_a_naive_reading_says(made: Any, asked: Any) -> None:
    rules = [
        rule(number, when, then, valid_from=start, valid_to=end)
        for number, (when, then, start, end) in enumerate(made)
    ]  # fmt: skip
    built = Compiled(rules)
    for facts, on, unknown in asked:
        found = built.judge(facts, on.toordinal(), unknown)
        assert [one.uid for one in built.named(found.broken)] == [
            one.uid for one in rules if naively(one, facts, on, unknown)
        ]
        assert found.broken & ~found.applying == 0
        for one in built.named(found.broken):
            assert bool(list(built.failed(one, facts))) is bool(one.then)


def test_when_then_and_refusal() -> None:
    rules = [
        rule(1, {"account_kind": "expense"}, {"cost_center": True}),
        rule(2, {"account_kind": "asset"}, {"cost_center": False}),
        rule(3, {"project": "P-1", "gl_account": "4000..4999"}),
        rule(4, {}, {"country": "DE, FR"}),
    ]
    here = {"country": "DE"}
    assert broken(rules, {**here, "account_kind": "expense"}) == ["R-001"]
    assert broken(rules, {**here, "account_kind": "asset", "cost_center": "C"}) == ["R-002"]
    assert broken(rules, {**here, "project": "P-1", "gl_account": "4500"}) == ["R-003"]
    assert broken(rules, {**here, "project": "P-1", "gl_account": "45000"}) == [], "a range of one shape"
    assert broken(rules, {}) == ["R-004"]
    assert broken(rules, {"account_kind": "expense"}, unknown=("cost_center", "country")) == []


def test_which_demand_is_not_met_and_whether_it_lacks() -> None:
    one = rule(1, {"gl_account": "4*"}, {"tax_code": "DE-*", "project": False, "cost_center": True})
    built = Compiled([one])
    failed = {asked.dimension: missing for asked, missing in built.failed(one, {"gl_account": "40", "project": "P"})}
    assert failed == {"tax_code": True, "project": False, "cost_center": True}
    failed = {
        asked.dimension: missing for asked, missing in built.failed(one, {"tax_code": "FR-1", "cost_center": "C"})
    }
    assert failed == {"tax_code": False}


def found(*rules: Rule, **more: Any) -> list[tuple[str, str]]:
    closed = {"account_kind": ("asset", "expense")}
    listed: list[Finding] = check(rules, today=DAYS[2], **{"closed": closed, **more})
    return [(one.kind, one.message) for one in listed]


@pytest.mark.parametrize(
    ("when", "then", "kind", "words"),
    [
        ({"gl_account": False}, {"project": True}, "never_applies", "every line has a GL account"),
        ({"cost_center": False, "cost_center_category": "sales"}, None, "never_applies", "without cost center has no"),
        (
            {"account_kind": "expens"},
            None,
            "never_applies",
            "it is for account kind expens, and there is only asset, expense",
        ),
        ({"gl_account": "5..4"}, None, "never_applies", "begins with 5 after its end 4"),
        ({"COLOUR": "red"}, None, "unknown_dimension", "There is no dimension COLOUR"),
        ({"gl_account": "4000..4999"}, {"gl_account": "5*"}, "always_refuses", "It refuses every line it applies to"),
        ({"account_kind": "asset"}, {"account_kind": "expense"}, "always_refuses", "It refuses every line"),
        ({"project": False}, {"project": "P"}, "always_refuses", "It refuses every line"),
        ({"project": "P"}, {"gl_account": False}, "always_refuses", "GL account not given can never be met"),
        ({"project": "P-1"}, {"project": "P-*"}, "never_refuses", "It refuses nothing"),
        ({"project": "P-1"}, {"project": True}, "never_refuses", "It refuses nothing"),
        ({"project": "P-1"}, {"gl_account": True}, "never_refuses", "It refuses nothing"),
    ],
)
def test_rules_that_make_no_sense(when: Any, then: Any, kind: str, words: str) -> None:
    listed = found(rule(1, when, then))
    assert [one for one, _message in listed] == [kind] and words in listed[0][1], listed


def test_rules_that_make_sense_are_left_alone() -> None:
    assert found(
        rule(1, {"account_kind": "expense"}, {"cost_center": True}),
        rule(2, {"REGION": "N"}, {"project": "P-*"}),
        rule(3, {"gl_account": "4*"}, {"gl_account": "40..49"}),
        dimensions=("REGION",),
    ) == []  # fmt: skip


def test_days_doubles_and_codes_nobody_has() -> None:
    over = rule(1, {"project": "P"}, valid_to=DAYS[1])
    assert found(over) == [("over", "It held before 2026-01-02 and applies to no line of today.")]
    assert found(rule(1, {"project": "P"}, valid_from=DAYS[1], valid_to=DAYS[1]))[0][0] == "never_applies"
    first, second = rule(1, {"project": "P"}, valid_to=DAYS[4]), rule(2, {"project": "P"}, valid_from=DAYS[3])
    assert found(first, second) == [("twice", "It says the same as R-001 Rule 1, while both hold.")]
    assert found(rule(1, {"project": "P"}, valid_to=DAYS[3]), rule(2, {"project": "P"}, valid_from=DAYS[3])) == []
    unknown = {"project": {"P", "Q"}}
    assert found(rule(1, {"project": "P, Q"}), unknown=unknown)[0][0] == "never_applies"
    named = found(rule(1, {"project": "P, R"}), unknown=unknown)
    assert named == [("unknown_code", "No project of the hub is called P.")]


def test_a_thousand_rules_cost_a_line_no_more_than_a_few() -> None:
    """Counted, not timed: how many conditions are asked one by one."""
    built = Compiled([rule(n, {"gl_account": f"{n}000..{n}999"}, {"tax_code": f"T{n}"}) for n in range(1000, 2000)])
    asked = [pattern for side in (*built._whens, *built._thens) for pattern in side._patterns]
    assert len(built._whens) == len(built._thens) == 1 and asked == [], (
        "codes and ranges are looked up, only patterns are asked"
    )
    assert [one.code for one in built.named(built.judge({"gl_account": "1500500"}, 1).broken)] == ["R-1500"]
