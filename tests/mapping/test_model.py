"""Against the naive model: random rows, contexts and days."""

from __future__ import annotations

import itertools
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from mdm.mapping import Between, Equals, Like, Row, check, compile, when
from mdm.mapping.coverage import Coverage, Example
from tests.mapping import model

SOURCES = st.sampled_from([Equals("0"), Between("0", "1"), Like("0*")])
SOME_DAYS = st.sampled_from([None, *model.DAYS])


@settings(max_examples=150, deadline=None)
@given(
    model.some_rows(), st.lists(st.sampled_from(model.contexts()), min_size=1, max_size=3), st.sampled_from(model.DAYS)
)
def test_the_same_row_wins(rows, contexts, on):
    built = compile(rows, model.DIMENSION)
    for context in contexts:
        for found in built.resolve_many(model.CODES, context, on):
            expected = model.winner(rows, found.value, context, on)
            assert found.row == expected
            assert (found.target is None) == (expected is None)
            assert found.sign == (-1 if expected and expected.flip else 1)


@settings(max_examples=100, deadline=None)
@given(model.some_rows(), st.sampled_from(model.contexts()), st.sampled_from(model.DAYS), st.sampled_from(model.CODES))
def test_a_trace_names_every_row_that_matches_in_order_of_rank(rows, context, on, code):
    found = compile(rows, model.DIMENSION).resolve(code, context, on, trace=True)
    seen = {**context, model.DIMENSION: code}
    considered = [
        row
        for row in sorted(rows, key=model.rank)
        if model.matches(row.source, code)
        and (row.source or any(d in seen and model.matches(test, seen[d]) for d, test in row.conditions))
    ]
    assert [step.row for step in found.trace] == considered
    assert [step.row for step in found.trace if step.won] == ([found.row] if found.row else [])
    assert all(step.reason for step in found.trace)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_many_rows_of_one_code_are_found_by_context_and_day(data):
    """More rows than are looked at one by one: they stand on shelves."""
    test = st.sampled_from([Equals("E1"), Equals("E2"), Between("E1", "E3"), Like("E*")])
    rows = [
        Row(
            uuid.UUID(int=number + 1),
            data.draw(SOURCES),
            f"T{number}",
            conditions=when({"entity": data.draw(test)}) if data.draw(st.booleans()) else (),
            valid_from=data.draw(SOME_DAYS),
            valid_to=data.draw(SOME_DAYS),
            active=data.draw(st.integers(0, 9)) > 0,
        )
        for number in range(60)
    ]
    built = compile(rows)
    for context, on in itertools.product(({}, {"entity": "E1"}, {"entity": "E3"}), model.DAYS):
        assert built.resolve("0", context, on).row == model.winner(rows, "0", context, on)


@settings(max_examples=150, deadline=None)
@given(model.some_rows(most=7))
def test_what_is_not_unreachable_wins_where_it_is_said_to(rows):
    live = [row for row in rows if row.active]
    built = compile(rows, model.DIMENSION)
    never = {f.row for f in check(built) if f.kind in ("unreachable", "empty_range", "empty_period")}
    for number in built.table.numbers([row.uid for row in live]):
        if built.table.uid(number) not in never:
            example = Coverage(built).verdict(number)
            assert isinstance(example, Example)
            assert model.winner(live, example.value, example.context, example.on) == built.table.row(number)


@settings(max_examples=120, deadline=None)
@given(
    model.some_rows(most=7),
    st.lists(st.sampled_from(model.contexts()), min_size=4, max_size=4),
    st.sampled_from(model.DAYS),
)
def test_unreachable_rows_win_nowhere(rows, contexts, on):
    findings = check(rows, dimension=model.DIMENSION)
    assert not any(f.kind == "undecided" for f in findings)
    never = {f.row for f in findings if f.kind in ("unreachable", "empty_range", "empty_period")}
    won = {
        row.uid
        for context, code in itertools.product(contexts, [*model.CODES, "Q", "0QQ1", "AAAA"])
        if (row := model.winner(rows, code, context, on))
    }
    assert not won & never


@settings(max_examples=150, deadline=None)
@given(model.some_rows(most=6))
def test_shadowed_and_overlapping_rows_meet_where_it_is_said_and_others_nowhere(rows):
    by_uid = {row.uid: row for row in rows}
    findings = check(rows, dimension=model.DIMENSION)
    silent = {row.uid for row in rows if row.active} - {f.row for f in findings}
    for finding in findings:
        if finding.kind in ("shadowed", "overlap"):
            loser, better = by_uid[finding.row], by_uid[finding.others[0]]
            where = (finding.example.value, finding.example.context, finding.example.on)
            assert model.applies(loser, *where) and model.applies(better, *where)
            assert model.rank(better) < model.rank(loser)
            if finding.kind == "overlap":
                assert model.rank(better)[:-1] == model.rank(loser)[:-1]
    for context, on, code in itertools.product(model.contexts()[:8], model.DAYS[::2], model.CODES):
        holding = [row for row in rows if model.applies(row, code, context, on)]
        best = min(holding, key=model.rank, default=None)
        assert not {row.uid for row in holding if row != best} & silent
