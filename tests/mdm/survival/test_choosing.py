"""Which offer survives: each test by itself, chains, aggregates, and laws that hold for any offers (Hypothesis)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.survival.choosing import Offer, choose, same_bytes
from mdm.survival.rules import AGGREGATES, TESTS, Rule, Rules

RANKS = {"sap": 10, "coupa": 20, "concur": 30}


def offer(system: str, value, since: str = "2026-01-01T00:00:00+00:00", key: str = "1") -> Offer:
    return Offer(system, key, value, since)


def pick(*offers: Offer, order: tuple[str, ...], path: str = "terms", **values):
    return choose(Rules([Rule(path, order, **values)], RANKS), path, offers)


OLD, MID, NEW = (f"2026-0{n}-01T00:00:00+00:00" for n in (1, 2, 3))
THREE = (offer("sap", "A", MID), offer("coupa", "B", OLD), offer("concur", "CCC", NEW))


@pytest.mark.parametrize(
    ("order", "value", "rule"),
    [
        (("source_rank",), "A", "source_rank"),
        (("recency",), "CCC", "recency"),
        (("oldest",), "B", "oldest"),
        (("completeness",), "CCC", "completeness"),
        (("frequency",), "CCC", "first_key"),  # one vote each: concur is the lowest word, and it is said so
        (("frequency", "oldest"), "B", "oldest"),
        (("frequency", "source_rank", "recency"), "A", "source_rank"),
    ],
)
def test_the_test_that_really_decided_is_named(order, value, rule):
    found = pick(*THREE, order=order)
    assert (found.value, found.rule, found.of) == (value, rule, 3)


def test_systems_vote_and_five_duplicates_in_one_are_one_vote():
    five = [offer("sap", "A", key=str(n)) for n in range(5)]
    found = pick(*five, offer("coupa", "B"), offer("concur", "B"), order=("frequency",))
    assert (found.value, found.rule, found.of, found.votes, found.system) == ("B", "frequency", 7, 2, "coupa")


def test_the_ranks_of_the_path_come_before_those_of_the_type_and_of_the_system():
    rules = Rules([Rule("", ranks={"concur": 1}), Rule("terms", ("source_rank",), ranks={"coupa": 1})], RANKS)
    assert (rules.rank("terms", "coupa"), rules.rank("name", "coupa")) == (1, 20)
    assert (rules.rank("terms", "concur"), rules.rank("terms", "sap"), rules.rank("terms", "hub")) == (1, 10, 1)
    assert rules.rank("terms", "nobody ranked it") == 99


def test_a_time_nobody_knows_is_neither_newest_nor_oldest():
    assert pick(offer("sap", "A", ""), offer("coupa", "B", NEW), order=("oldest",)).value == "B"
    assert pick(offer("sap", "A", ""), offer("coupa", "B", NEW), order=("recency",)).value == "B"


def test_a_union_has_each_value_once_the_most_trusted_first_and_says_who_gives_it():
    found = pick(offer("coupa", ["b", "c"], MID), offer("sap", ["a", "b"], OLD), order=("union",))
    assert (found.value, found.system, found.rule, found.since) == (["a", "b", "c"], None, "union", MID)
    assert [(p["value"], p["system"]) for p in found.parts] == [
        ("a", "sap"),
        ("b", "sap"),
        ("b", "coupa"),
        ("c", "coupa"),
    ]


def test_a_union_longer_than_the_field_keeps_the_most_trusted_and_says_what_it_left_out():
    rules = Rules([Rule("tags", ("union",))], RANKS)
    found = choose(rules, "tags", [offer("coupa", ["b", "c"]), offer("sap", ["a"])], most=2)
    assert (found.value, found.left_out) == (["a", "b"], 1)


@pytest.mark.parametrize(
    ("order", "values", "expected"),
    [
        ("min", [9, 10], 9),
        ("max", [9, 10], 10),
        ("min", ["9.50", "10.00"], "9.50"),
        ("max", ["9.50", "10.00"], "10.00"),
        ("max", ["2026-01-31", "2025-12-31"], "2026-01-31"),
        ("sum", [9, 10], 19),
        ("sum", ["0.10", "0.20"], "0.30"),
    ],
)
def test_numbers_are_compared_as_numbers_and_summed_exactly(order, values, expected):
    found = pick(*(offer(s, v) for s, v in zip(RANKS, values, strict=False)), order=(order,))
    assert (found.value, found.rule, found.of) == (expected, order, 2)


def test_sealed_numbers_agree_by_their_index_whatever_their_ciphertext():
    one, two = ({"ct": ct, "kid": "k", "bix": "same", "head": "DE89", "last4": "3000"} for ct in ("x", "y"))
    found = pick(offer("sap", {"iban": one}), offer("coupa", {"iban": two}), order=("recency",))
    assert (found.rule, found.votes) == ("agreed", 2)


VALUES = st.sampled_from(["A", "B", "CC", "DDD"])
TIMES = st.sampled_from([OLD, MID, NEW, ""])
OFFERS = st.lists(
    st.builds(Offer, st.sampled_from([*RANKS, "hub", "other"]), st.sampled_from("123"), VALUES, TIMES),
    min_size=1, max_size=7, unique_by=lambda o: (o.system, o.key),
)  # fmt: skip
ORDERS = st.lists(st.sampled_from(list(TESTS)), unique=True, min_size=1).map(tuple)


@given(OFFERS, ORDERS, st.randoms())
def test_the_order_of_the_offers_plays_no_part(offers, order, random):
    shuffled = random.sample(offers, len(offers))
    assert pick(*offers, order=order) == pick(*shuffled, order=order)


@given(OFFERS, ORDERS)
def test_what_survives_was_offered_by_whom_it_names(offers, order):
    found = pick(*offers, order=order)
    assert any(
        (o.system, o.key, o.value, o.since) == (found.system, found.key, found.value, found.since) for o in offers
    )
    assert found.of == len(offers) >= found.votes >= 1
    if found.rule in ("only", "agreed"):
        assert len({o.value for o in offers}) == 1


@given(OFFERS, ORDERS)
def test_the_rule_named_would_have_decided_alone(offers, order):
    """Of the chain up to the rule named, nothing before it left one value, and it did."""
    found = pick(*offers, order=order)
    if found.rule in order:
        so_far = order[: order.index(found.rule)]
        assert pick(*offers, order=(*so_far, found.rule)).value == found.value
        if so_far:
            assert pick(*offers, order=so_far).rule == "first_key"


@given(st.lists(st.tuples(st.sampled_from(list(RANKS)), st.lists(VALUES, min_size=1, unique=True)), min_size=1,
                unique_by=lambda pair: pair[0]), st.randoms())  # fmt: skip
def test_a_union_loses_and_invents_nothing_in_any_order(given_, random):
    offers = [offer(system, values) for system, values in given_]
    found = pick(*offers, order=("union",))
    assert found == pick(*random.sample(offers, len(offers)), order=("union",))
    assert sorted(found.value) == sorted({value for _, values in given_ for value in values})
    assert {(p["system"], p["value"]) for p in found.parts} == {(s, v) for s, values in given_ for v in values}


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_an_aggregate_of_one_offer_is_that_offer(aggregate):
    value = ["a"] if aggregate == "union" else 7
    assert same_bytes(pick(offer("sap", value), order=(aggregate,)).value) == same_bytes(value)
