"""One document of many sources: laws that hold whatever they say (Hypothesis), and each special case by example."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.survival.composing import Held, Source, compose
from mdm.survival.rules import Rule, Rules
from tests.mdm.survival.types import THING, body

RANKS = {"sap": 10, "coupa": 20, "concur": 30}
GROUP = ("terms", "method")
AT = "2026-01-01T00:00:00+00:00"


def source(system: str, key: str = "1", since: str = AT, left: bool = False, **values) -> Source:
    return Source(system, key, body(**values), since, left)


def run(*sources: Source, rules=(), current=None, provenance=None, **known):
    numbers = itertools.count(1)
    return compose(
        kind=THING, rules=Rules(rules, RANKS), sources=sources, current=current, provenance=provenance or {},
        new_uid=lambda: f"uid-{next(numbers)}", **known,
    )  # fmt: skip


def again(found, *sources: Source, rules=(), **known):
    return run(*sources, rules=rules, current=found.body, provenance=found.where, **known)


WORDS = st.sampled_from(["A", "B", "C"]) | st.none()
DOCUMENTS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["Thing", "Ding"]),
        "terms": WORDS,
        "method": WORDS,
        "tags": st.lists(st.sampled_from(["x", "y", "z"]), max_size=3),
        "weight": st.integers(0, 5) | st.none(),
        "addresses": st.lists(
            st.fixed_dictionaries({"kind": st.sampled_from(["registered", "remit"]), "street": WORDS, "city": WORDS}),
            max_size=3,
        ),
    }
)
SOURCES = st.lists(
    st.builds(
        lambda system, key, document, since, left: Source(system, key, body(**document), since, left),
        st.sampled_from([*RANKS, "other"]), st.sampled_from("12"), DOCUMENTS,
        st.sampled_from([AT, "2026-02-01T00:00:00+00:00"]), st.booleans(),
    ),
    max_size=5, unique_by=lambda s: (s.system, s.key),
)  # fmt: skip
TESTS = st.lists(
    st.sampled_from(["source_rank", "recency", "oldest", "frequency", "completeness"]), unique=True, min_size=1
).map(tuple)
RULES = st.tuples(TESTS, TESTS, st.booleans(), st.booleans()).map(
    lambda t: (
        Rule("", t[0], keep_last=t[3]),
        Rule("terms", t[1], together=("method",)),
        *((Rule("tags", ("union",)), Rule("weight", ("sum",))) if t[2] else ()),
    )
)


@given(SOURCES, RULES, st.randoms())
def test_the_order_of_the_sources_plays_no_part(sources, rules, random):
    one, two = run(*sources, rules=rules), run(*random.sample(sources, len(sources)), rules=rules)
    assert (one.body, one.where) == (two.body, two.where)


@given(SOURCES, RULES)
def test_composing_the_result_again_changes_nothing(sources, rules):
    found = run(*sources, rules=rules)
    twice = again(found, *sources, rules=rules)
    assert (twice.body, twice.where) == (found.body, found.where)


@given(SOURCES, SOURCES, RULES, RULES)
def test_what_was_there_before_plays_no_part_where_sources_speak(before, now, old, new):
    """A rebuild after any history is what a fresh start would give, for all values that a present source gives."""
    history = run(*before, rules=old)
    rebuilt, fresh = again(history, *now, rules=new), run(*now, rules=new)
    for path, origin in fresh.where.items():
        if "/" not in path and origin["rule"] != "last_known":
            assert (rebuilt.body[path], rebuilt.where[path]) == (fresh.body[path], origin)


@given(SOURCES, SOURCES, RULES)
def test_groups_are_never_mixed(before, now, rules):
    """The block is that of one source as a whole, or empty; never a bit of each, whatever held before."""
    found = again(run(*before, rules=rules), *now, rules=rules)
    block = tuple(found.body[name] for name in GROUP)
    theirs = {tuple(s.document[name] for name in GROUP) for s in now}
    assert block in theirs | {(None, None)}
    if block != (None, None):
        origins = [found.where[name] for name in GROUP]
        assert origins[0] == origins[1]
        [giver] = [s for s in now if (s.system, s.key) == (origins[0]["system"], origins[0]["key"])]
        assert tuple(giver.document[name] for name in GROUP) == block


@given(SOURCES, RULES)
def test_rows_are_blocks_of_one_source(sources, rules):
    found = run(*sources, rules=rules)
    for row in found.body["addresses"]:
        origin = found.where[f"addresses/{row['uid']}"]
        [giver] = [s for s in sources if (s.system, s.key) == (origin["system"], origin["key"])]
        plain = {name: value for name, value in row.items() if name != "uid"}
        assert plain in [{k: v for k, v in theirs.items() if k != "uid"} for theirs in giver.document["addresses"]]
    assert len({row["uid"] for row in found.body["addresses"]}) == len(found.body["addresses"])


@given(SOURCES, RULES, st.sampled_from(["P", None]))
def test_a_pin_holds_whatever_the_sources_say_and_lifting_it_gives_what_they_say(sources, rules, value):
    pinned = run(
        *sources, rules=rules, pins={"name": Held("Pinned"), "terms+method": Held({"terms": value, "method": "M"})}
    )
    assert (pinned.body["name"], pinned.body["terms"], pinned.body["method"]) == ("Pinned", value, "M")
    assert {pinned.where[name]["rule"] for name in ("name", *GROUP)} == {"pinned"}
    free = run(*sources, rules=rules)
    assert pinned.free["name"] == free.body["name"]
    if any(s.document["terms"] or s.document["method"] for s in sources if not s.left):
        lifted = again(pinned, *sources, rules=rules)
        assert all(lifted.body[name] == free.body[name] for name in GROUP)


# --- one by one ---------------------------------------------------------------------------------------------------

BY_RANK = (Rule("", ("source_rank",)),)


def entered(**values):
    """A record whose values people wrote here."""
    origin = {"system": "hub", "key": "T-1", "rule": "entered", "since": AT}
    return {"current": body(**values), "provenance": dict.fromkeys(values, origin)}


def test_what_people_enter_takes_part_with_the_rank_of_the_hub():
    found = run(source("sap", terms="A"), rules=BY_RANK, **entered(terms="mine"))
    assert (found.body["terms"], found.where["terms"]["rule"], found.where["terms"]["of"]) == ("mine", "source_rank", 2)
    lower = (Rule("", ("source_rank",), ranks={"hub": 90}),)
    assert run(source("sap", terms="A"), rules=lower, **entered(terms="mine")).body["terms"] == "A"


def test_what_people_entered_and_lost_comes_back_when_the_rule_turns():
    kept = {"terms": {"value": "mine", "since": AT, "key": "T-1"}}
    held = {"terms": {"system": "sap", "key": "1", "rule": "source_rank", "since": AT}}
    found = run(source("sap", terms="A"), rules=BY_RANK, current=body(terms="A"), provenance=held, entered=kept)
    assert (found.body["terms"], found.where["terms"]["system"]) == ("mine", "hub")


def test_a_source_that_stops_giving_a_value_takes_it_along():
    first = run(source("sap", terms="A"))
    assert again(first, source("sap")).body["terms"] is None


def test_a_source_that_is_gone_speaks_last_and_its_values_stay():
    gone = source("sap", terms="A", left=True)
    first = run(source("sap", terms="A"))
    found = again(first, gone)
    assert (found.body["terms"], found.where["terms"]["rule"], found.where["terms"]["system"]) == (
        "A",
        "last_known",
        "sap",
    )
    better = again(found, gone, source("concur", terms="B"))
    assert (better.body["terms"], better.where["terms"]["rule"]) == ("B", "only")


def test_unless_the_rule_says_otherwise_and_never_a_value_every_record_needs():
    rules = (Rule("", ("source_rank",), keep_last=False),)
    found = again(run(source("sap", terms="A"), rules=rules), source("sap", terms="A", left=True), rules=rules)
    assert (found.body["terms"], found.body["name"], found.where["name"]["rule"]) == (None, "Thing", "last_known")


def test_rows_of_a_source_that_is_gone_stay_and_rows_of_one_taken_off_go():
    row = {"kind": "remit", "street": "X"}
    first = run(source("sap", addresses=[row]), source("coupa"))
    stays = again(first, source("sap", addresses=[row], left=True), source("coupa"))
    assert [r["street"] for r in stays.body["addresses"]] == ["X"]
    assert stays.where[f"addresses/{stays.body['addresses'][0]['uid']}"]["rule"] == "last_known"
    assert again(stays, source("coupa")).body["addresses"] == []


def test_a_value_nobody_knows_the_origin_of_stays():
    found = run(source("sap"), current=body(terms="old"), provenance={})
    assert (found.body["terms"], "terms" in found.where) == ("old", False)


def test_two_rows_of_one_kind_are_two_rows_and_the_same_row_twice_is_one():
    rows = [{"kind": "remit", "street": "X"}, {"kind": "remit", "street": "Y"}, {"kind": "remit", "street": "X"}]
    found = run(source("sap", addresses=rows))
    assert [r["street"] for r in found.body["addresses"]] == ["X", "Y"]
    assert again(found, source("sap", addresses=rows)).body == found.body


def test_who_changes_one_field_of_a_group_here_owns_the_block():
    rules = (Rule("terms", ("source_rank",), together=("method",)),)
    first = run(source("sap", terms="A", method="M"), rules=rules)
    hub = {"system": "hub", "key": "T-1", "rule": "entered", "since": AT}
    edited = {**first.body, "terms": "mine"}
    found = run(
        source("sap", terms="A", method="N"), rules=rules, current=edited, provenance={**first.where, "terms": hub}
    )
    assert [found.body[name] for name in GROUP] == ["mine", "M"]
    assert {found.where[name]["system"] for name in GROUP} == {"hub"}


def test_a_pin_follows_its_field_into_a_group_and_out_of_one():
    rules = (Rule("terms", ("source_rank",), together=("method",)),)
    current = body(terms="A", method="M")
    joined = run(source("sap", terms="B", method="N"), rules=rules, current=current, pins={"terms": Held("A")})
    assert [joined.body[name] for name in GROUP] == ["A", "M"]
    block = {"terms+method": Held({"terms": "A", "method": "M"})}
    left = run(source("sap", terms="B", method="N"), current=current, pins=block)
    assert [left.body[name] for name in GROUP] == ["A", "M"]


def test_a_pin_older_than_kept_values_holds_what_holds():
    found = run(source("sap", terms="B"), current=body(terms="A"), pins={"terms": Held(None, known=False)})
    assert found.body["terms"] == "A"


@pytest.mark.parametrize("value", [None, "X"])
def test_a_pin_on_a_row_keeps_the_row(value):
    first = run(source("sap", addresses=[{"kind": "remit", "street": "X"}]))
    uid = first.body["addresses"][0]["uid"]
    pins = {f"addresses/{uid}": Held({"kind": "remit", "street": "X", "city": "Rome"})}
    now = source("sap", addresses=[{"kind": "remit", "street": value}] if value else [])
    assert again(first, now, pins=pins).body["addresses"] == [
        {"uid": uid, "kind": "remit", "street": "X", "city": "Rome"}
    ]


def test_people_s_share_of_a_union_stays_theirs():
    rules = (Rule("tags", ("union",)),)
    found = run(source("sap", tags=["a"]), rules=rules, **entered(name="Thing", tags=["mine"]))
    assert found.body["tags"] == ["mine", "a"]
    later = again(found, source("sap", tags=["b"]), rules=rules)
    assert later.body["tags"] == ["mine", "b"]
