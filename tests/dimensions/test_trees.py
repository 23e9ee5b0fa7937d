"""Hierarchies against naive models: the rules day by day, and what is read on any day as known at any time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dimensions.models import Hierarchy, HierarchyNode
from dimensions.selectors import trees
from dimensions.selectors.trees import Stored, Tree
from dimensions.tree import Node, Span, troubles
from mdm.errors import CorrectInput
from mdm.periods import FIRST, LAST
from mdm.selectors import records
from mdm.services import changes
from mdm.services.changes import ProposedItem
from mdm.types import Document
from tests.people import SETUP, auto_approve, make

MONTHS = [f"2026-{month:02d}-01" for month in range(1, 7)]
BOUNDS = [FIRST, *MONTHS, LAST]
DAYS = ["2025-12-01", *MONTHS]
GROUPS, MEMBERS = ["A", "B", "C", "D"], ["M1", "M2"]

# --- the rules --------------------------------------------------------------------------------------------------------


PARENTS = st.sampled_from([None, None, *GROUPS, *MEMBERS])
CUTS = st.sets(st.sampled_from(BOUNDS), min_size=2, max_size=4)


@st.composite
def nodes(draw: st.DrawFn) -> dict[str, Node]:
    made = {}
    for code in draw(st.lists(st.sampled_from([*GROUPS, *MEMBERS]), min_size=1, unique=True)):
        cuts = sorted(draw(CUTS))
        spans = tuple(Span(*pair, draw(PARENTS)) for pair in zip(cuts, cuts[1:], strict=False))
        made[code] = Node(code, code in GROUPS, spans[draw(st.integers(0, len(spans) - 1)) :])
    return made


def wrong_on(made: dict[str, Node], day: str) -> bool:
    held = {n.code: s.parent for n in made.values() for s in n.spans if s.start <= day < s.end}
    for code, parent in held.items():
        seen = {code}
        while parent is not None:
            if parent in seen or parent not in held or not made[parent].group:
                return True
            seen.add(parent)
            parent = held[parent]
    return False


@given(nodes())
@settings(max_examples=400)
def test_something_is_wrong_if_and_only_if_it_is_on_some_day(made: dict[str, Node]) -> None:
    assert bool(troubles(made, list(made))) == any(wrong_on(made, day) for day in DAYS)


@given(nodes(), st.sampled_from(GROUPS))
@settings(max_examples=400)
def test_a_change_of_one_node_is_judged_by_what_is_around_it(made: dict[str, Node], changed: str) -> None:
    """Where everything else was right, looking at the changed node alone finds what looking at all finds."""
    others = {code: node for code, node in made.items() if code != changed}
    if changed not in made or any(wrong_on(others, day) for day in DAYS):
        return
    assert bool(troubles(made, [changed])) == any(wrong_on(made, day) for day in DAYS)


# --- what is read -----------------------------------------------------------------------------------------------------

Edit = tuple[str, str | None, str | None]
"""Node, the group it goes under (None: it ends), from which month (None: today, which is the first day)."""
edits = st.lists(
    st.tuples(st.sampled_from([*GROUPS, *MEMBERS]), st.sampled_from([None, "ALL", *GROUPS]), st.sampled_from(MONTHS)),
    min_size=1,
    max_size=6,
)
State = dict[str, dict[str, str | None]]
"""{day: {node: what it stands under}}."""


@pytest.fixture
def planted(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "localdate", lambda value=None, timezone=None: date.fromisoformat(DAYS[0]))
    auto_approve("system")
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")
    for code in MEMBERS:
        make("cost_center", code=code, name=code, legal_entity="NH10", category="sales")


def plant() -> State:
    code = f"T{Hierarchy.objects.count()}"
    make("hierarchy", code=code, name=code, members="cost_center")
    for node, parent in (("ALL", None), ("A", "ALL"), ("B", "ALL"), ("C", "A"), ("D", "C"), ("M1", "C"), ("M2", "B")):
        group = node not in MEMBERS
        values = {"kind": "group", "name": node} if group else {}
        make("hierarchy_node", hierarchy=code, node=node, parent=parent, **values)
    start = {"ALL": None, "A": "ALL", "B": "ALL", "C": "A", "D": "C", "M1": "C", "M2": "B"}
    return {day: dict(start) for day in DAYS}


def document(hierarchy: str, node: str) -> Document:
    return records.current_document(
        "hierarchy_node", HierarchyNode.objects.values_list("uid", flat=True).get(hierarchy=hierarchy, node=node)
    )


def after(state: State, edit: Edit) -> State | None:
    """The naive model: month by month. None when that would be wrong on some day."""
    node, parent, month = edit
    told = {day: dict(held) for day, held in state.items()}
    until_changed = state[month].get(node)
    if parent is None:
        for day in DAYS:
            if day >= month:
                told[day].pop(node, None)
    else:
        for day in DAYS:
            if day < month:
                continue
            if node in state[month] and state[day].get(node, "gone") != until_changed:
                break  # that very value was planned to change
            told[day][node] = parent
    for held in told.values():
        for code, above in held.items():
            seen = {code}
            while above is not None:
                if above in seen or above not in held:
                    return None
                seen.add(above)
                above = held[above]
    return told


def shown(tree: Tree) -> dict[str, str | None]:
    return {one.node: one.parent for one in tree.all()}


def walked(tree: Tree, above: str | None = None) -> Iterator[tuple[str, str | None]]:
    page: Any = None
    while page is None or page:
        page = tree.children(above, after=page[-1].cursor if page else None, limit=2)
        for one in page:
            yield one.node, one.parent
            yield from walked(tree, one.node)


@given(edits=edits)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_day_as_known_at_any_time(planted: None, edits: list[Edit]) -> None:
    state = plant()
    code = Hierarchy.objects.latest("pk").code
    known: list[tuple[datetime, State]] = [(timezone.now(), state)]
    for edit in edits:
        node, parent, month = edit
        now = document(code, node)
        held = {day for day in DAYS if node in state[day]}
        if not held or any(later not in held for later in DAYS if later < month):
            continue  # it has ended: opening it again is another rule, tested with periods
        patch = {"valid_to": month} if parent is None else {"parent": parent, "valid_from": month}
        expected = after(state, edit)
        item = ProposedItem(type="hierarchy_node", uid=now["uid"], patch=patch)
        try:
            changes.propose(items=[item], by=SETUP, origin="system")
        except CorrectInput as error:
            assert expected in (None, state), error.problems
        else:
            assert expected is not None
            state = expected
        known.append((timezone.now(), state))
    for at, then in known:
        for day in DAYS:
            on = date.fromisoformat(day)
            assert shown(trees.Known(code, on, at)) == then[day]
    for day in DAYS:
        stored = Stored(code, date.fromisoformat(day))
        assert shown(stored) == state[day] == dict(walked(stored))
        assert_same(stored, trees.Known(code, stored.on, timezone.now()))


def assert_same(stored: Tree, known: Tree) -> None:
    for node in ("ALL", *GROUPS, *MEMBERS, "NONE"):
        assert stored.find(node) == known.find(node)
        assert stored.way(node) == known.way(node)
        assert stored.below(node, limit=10) == known.below(node, limit=10)
    nodes = ["ALL", *GROUPS, *MEMBERS, "NONE"]
    assert stored.counts(nodes) == known.counts(nodes)
    assert stored.counts(nodes, most=1) == known.counts(nodes, most=1)
    above = [None, "ALL", *GROUPS]
    assert dict(stored.branches(above, limit=2)) == known.branches(above, limit=2)
    assert stored.below(None, limit=10) == known.below(None, limit=10)
    assert stored.below("ALL", after="M1", limit=10) == known.below("ALL", after="M1", limit=10)
    assert stored.with_codes(["A", "M1", "X"]) == known.with_codes(["A", "M1", "X"])


def test_a_group_that_moved_is_not_closed_over_what_stands_under_it(planted: None) -> None:
    plant()
    code = Hierarchy.objects.latest("pk").code
    uid = document(code, "B")["uid"]
    moved = ProposedItem(type="hierarchy_node", uid=uid, patch={"parent": "C", "valid_from": "2026-01-01"})
    assert changes.propose(items=[moved], by=SETUP, origin="system").state == "applied"
    closed = ProposedItem(type="hierarchy_node", uid=uid, patch={"valid_to": "2026-04-01"})
    with pytest.raises(CorrectInput) as refused:
        changes.propose(items=[closed], by=SETUP, origin="system")
    assert [(problem.path, problem.message) for problem in refused.value.problems] == [
        ("valid_to", "M2 still stands under it from 2026-04-01 on: move or close that first.")
    ]
    assert shown(Stored(code, date(2026, 4, 1)))["B"] == "C"
