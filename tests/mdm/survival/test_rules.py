"""Rules as data: every mistake is named, with its place, and what makes sense is let through."""

from __future__ import annotations

import pytest

from mdm import registry
from mdm.survival.rules import Rule, check
from tests.mdm.survival.types import THING


def codes(*rules: Rule) -> list[tuple[str, str]]:
    return [(p.path, p.code) for p in check(THING, rules, systems=["sap", "coupa"])]


@pytest.mark.parametrize(
    "rule",
    [
        Rule("", ("source_rank", "recency")),
        Rule("tags", ("union",)),
        Rule("weight", ("sum",)),
        Rule("price", ("sum",)),
        Rule("share", ("max",)),
        Rule("since", ("min",)),
        Rule("terms", ("frequency", "oldest"), together=("method",)),
        Rule("addresses", ("completeness",), ranks={"sap": 1, "hub": 2}),
    ],
)
def test_what_makes_sense(rule):
    assert codes(rule) == []


@pytest.mark.parametrize(
    ("rule", "where", "code"),
    [
        (Rule("nonsense"), "nonsense/path", "unknown_path"),
        (Rule("terms", ()), "terms/order", "missing"),
        (Rule("terms", ("newest",)), "terms/order", "unknown_test"),
        (Rule("terms", ("recency", "recency")), "terms/order", "repeated"),
        (Rule("tags", ("union", "recency")), "tags/order", "aggregate_alone"),
        (Rule("", ("union",)), "*/order", "aggregate_path"),
        (Rule("terms", ("union",)), "terms/order", "aggregate_type"),
        (Rule("terms", ("max",)), "terms/order", "aggregate_type"),
        (Rule("terms", ("sum",)), "terms/order", "aggregate_type"),
        (Rule("active", ("max",)), "active/order", "aggregate_type"),
        (Rule("tags", ("sum",)), "tags/order", "aggregate_type"),
        (Rule("since", ("sum",)), "since/order", "aggregate_type"),
        (Rule("share", ("sum",)), "share/order", "aggregate_type"),  # three shares of 50 would be 150 per cent
        (Rule("addresses", ("union",)), "addresses/order", "aggregate_type"),
        (Rule("terms", together=("addresses",)), "terms/together", "group_rows"),
        (Rule("terms", together=("nonsense",)), "terms/together", "unknown_path"),
        (Rule("terms", together=("terms",)), "terms/together", "repeated"),
        (Rule("", together=("terms",)), "*/together", "group_path"),
        (Rule("weight", ("max",), together=("terms",)), "weight/together", "group_aggregate"),
        (Rule("terms", ranks={"oracle": 1}), "terms/ranks", "unknown_system"),
        (Rule("terms", ranks={"sap": 0}), "terms/ranks", "invalid_rank"),
        (Rule("terms", ranks={"sap": "1"}), "terms/ranks", "invalid_rank"),  # type: ignore[dict-item]
        (Rule("terms", ranks={"sap": True}), "terms/ranks", "invalid_rank"),
    ],
)
def test_what_does_not(rule, where, code):
    assert (where, code) in codes(rule)


def test_a_field_has_one_rule():
    assert codes(Rule("terms", together=("method",)), Rule("method")) == [("method/path", "twice")]
    assert codes(Rule("terms"), Rule("terms")) == [("terms/path", "twice")]


def test_messages_say_what_would_do():
    [problem] = check(THING, [Rule("terms", ("newest",))], systems=[])
    assert "source_rank, recency, oldest, frequency, completeness, union, min, max, sum" in problem.message


def test_json_there_and_back():
    rule = Rule("terms", ("recency",), {"sap": 1}, ("method",), keep_last=False)
    assert Rule.of(rule.as_json()) == rule


def test_every_registered_type_can_be_ruled():
    for kind in registry.all_types():
        assert check(kind, [Rule("")], systems=[]) == []
