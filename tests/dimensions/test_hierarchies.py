"""Hierarchies: what may stand under what and when, the places made of it, and what the database itself refuses."""

from __future__ import annotations

import threading
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from dimensions.models import HierarchyNode, HierarchyNodePeriod, HierarchyPlace
from mdm import writing
from mdm.errors import CorrectInput
from mdm.models import ChangeRequest
from mdm.selectors import records
from mdm.services import changes
from mdm.services.changes import ProposedItem
from mdm.types import Document
from tests.people import SETUP, auto_approve, make

pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 15)


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "localdate", lambda value=None, timezone=None: TODAY)


@pytest.fixture
def tree() -> str:
    """ALL: EMEA (DACH: CC1, CC2), APAC."""
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")
    for code in ("CC1", "CC2", "CC3"):
        make("cost_center", code=code, name=f"Center {code}", legal_entity="NH10", category="sales")
    make("hierarchy", code="ORG", name="Organisation", members="cost_center")
    for node, parent in (("ALL", None), ("EMEA", "ALL"), ("DACH", "EMEA"), ("APAC", "ALL")):
        group(node, parent)
    for node in ("CC1", "CC2"):
        node_(node, "DACH")
    return "ORG"


def group(code: str, parent: str | None, **values: Any) -> Document:
    return node_(code, parent, kind="group", name=code.title(), **values)


def node_(code: str, parent: str | None, **values: Any) -> Document:
    return make("hierarchy_node", hierarchy="ORG", node=code, parent=parent, **values)


def of(code: str) -> Document:
    uid = HierarchyNode.objects.get(hierarchy="ORG", node=code).uid
    return records.current_document("hierarchy_node", uid)


def change(*patches: tuple[str, dict[str, Any]], submit: bool = True) -> ChangeRequest:
    auto_approve("system")
    items = [ProposedItem(type="hierarchy_node", uid=of(code)["uid"], patch=patch) for code, patch in patches]
    return changes.propose(items=items, by=SETUP, origin="system", submit=submit)


def refused(*patches: tuple[str, dict[str, Any]]) -> list[tuple[str, str]]:
    before = list(HierarchyPlace.objects.values_list("path", "valid_from", "valid_to"))
    with pytest.raises(CorrectInput) as error:
        change(*patches)
    assert list(HierarchyPlace.objects.values_list("path", "valid_from", "valid_to")) == before
    return [(problem.path, problem.code) for problem in error.value.problems]


def ways(on: str | None = None) -> dict[str, str]:
    """{node: the way down to it on a day}."""
    names = {str(pk): node for pk, node in HierarchyNode.objects.values_list("pk", "node")}
    day = date.fromisoformat(on) if on else TODAY
    return {
        place.record.node: " ".join(names[one] for one in place.path.split(".") if one)
        for place in HierarchyPlace.objects.select_related("record")
        if (place.valid_from or date.min) <= day < (place.valid_to or date.max)
    }


def test_places_tell_the_way_down(tree: str) -> None:
    assert ways() == {
        "ALL": "ALL",
        "EMEA": "ALL EMEA",
        "DACH": "ALL EMEA DACH",
        "APAC": "ALL APAC",
        "CC1": "ALL EMEA DACH CC1",
        "CC2": "ALL EMEA DACH CC2",
    }
    place = HierarchyPlace.objects.get(record__node="CC1")
    assert (place.depth, place.above.node, place.valid_from, place.valid_to) == (3, "DACH", None, None)


def test_a_subtree_moves_from_a_day_on(tree: str) -> None:
    change(("DACH", {"parent": "APAC", "valid_from": "2027-01-01"}))
    assert ways("2026-12-31")["CC1"] == "ALL EMEA DACH CC1"
    assert ways("2027-01-01")["CC1"] == "ALL APAC DACH CC1"
    assert ways("2027-01-01")["DACH"] == "ALL APAC DACH"


def test_rule_1_what_it_stands_under_exists(tree: str) -> None:
    assert refused(("CC1", {"parent": "NONE"})) == [("parent", "unknown_parent")]


def test_rule_2_only_groups_have_something_under_them(tree: str) -> None:
    assert refused(("CC1", {"parent": "CC2"})) == [("parent", "not_a_group")]


def test_rule_3_nothing_stands_under_what_does_not_hold(tree: str) -> None:
    change(("APAC", {"valid_to": "2027-01-01"}))
    assert refused(("CC1", {"parent": "APAC", "valid_from": "2026-12-01"})) == [("parent", "parent_not_valid")]
    change(("CC1", {"parent": "APAC", "valid_from": "2026-12-01", "valid_to": "2027-01-01"}))
    assert ways("2026-12-31")["CC1"] == "ALL APAC CC1"
    assert ways("2027-01-01")["CC1"] == "ALL EMEA DACH CC1"


def test_rule_4_nothing_stands_under_itself_on_any_day(tree: str) -> None:
    assert refused(("EMEA", {"parent": "DACH"})) == [("parent", "cycle")]
    change(("DACH", {"parent": "APAC", "valid_from": "2027-01-01"}))
    assert refused(("EMEA", {"parent": "DACH"})) == [("parent", "cycle")], "until 2027"
    change(("EMEA", {"parent": "DACH", "valid_from": "2027-01-01"}))
    assert ways("2026-12-31")["DACH"] == "ALL EMEA DACH"
    assert ways("2027-01-01")["EMEA"] == "ALL APAC DACH EMEA"


def test_rule_5_a_group_holds_as_long_as_something_stands_under_it(tree: str) -> None:
    assert refused(("DACH", {"valid_to": "2027-01-01"})) == [("valid_to", "not_empty")]
    change(
        ("DACH", {"valid_to": "2027-01-01"}),
        ("CC1", {"parent": "EMEA", "valid_from": "2027-01-01"}),
        ("CC2", {"valid_to": "2027-01-01"}),
    )
    assert ways("2027-01-01") == {"ALL": "ALL", "EMEA": "ALL EMEA", "APAC": "ALL APAC", "CC1": "ALL EMEA CC1"}


def test_a_group_with_something_under_it_is_not_retired(tree: str) -> None:
    with pytest.raises(CorrectInput, match="CC1, CC2 still stand under it"):
        changes.propose(
            items=[ProposedItem(type="hierarchy_node", uid=of("DACH")["uid"], action="retire")],
            by=SETUP,
            origin="system",
        )
    assert of("DACH")["status"] == "active"


def test_rule_6_a_member_is_a_record_and_stands_there_once(tree: str) -> None:
    with pytest.raises(CorrectInput, match="There is no cost center CC9"):
        node_("CC9", "DACH")
    with pytest.raises(CorrectInput, match="ORG/CC1 has the same hierarchy and node"):
        node_("CC1", "APAC")
    assert node_("CC3", "APAC")["parent"] == "APAC"


def test_rule_7_a_node_stays_what_it_is(tree: str) -> None:
    assert refused(("CC1", {"node": "CC3"})) == [("node", "fixed")]
    assert refused(("APAC", {"kind": "member"})) == [("kind", "fixed")]


def test_accounts_are_members_by_their_number_in_a_chart(db: None) -> None:
    make("chart_of_accounts", code="GROUP", name="Group")
    make("gl_account", chart="GROUP", number="400000", name="Travel", kind="expense")
    with pytest.raises(CorrectInput, match="give the code of it"):
        make("hierarchy", code="ORG", name="Accounts", members="gl_account")
    make("hierarchy", code="ORG", name="Accounts", members="gl_account", within="GROUP")
    group("COST", None)
    assert node_("400000", "COST")["node"] == "400000"
    with pytest.raises(CorrectInput, match="There is no GL account 400001 in GROUP"):
        node_("400001", "COST")


def test_new_groups_and_what_goes_under_them_are_proposed_together(tree: str) -> None:
    auto_approve("system")
    changes.propose(
        items=[
            ProposedItem(
                type="hierarchy_node",
                action="create",
                patch={"hierarchy": "ORG", "node": "NEW", "kind": "group", "name": "New", "parent": "EMEA"},
            ),
            ProposedItem(type="hierarchy_node", uid=of("DACH")["uid"], patch={"parent": "NEW"}),
        ],
        by=SETUP,
        origin="system",
    )
    assert ways()["CC2"] == "ALL EMEA NEW DACH CC2"


def test_what_no_longer_fits_when_it_is_applied_is_a_conflict(tree: str) -> None:
    """Two requests, each fine by itself, would close a circle."""
    one = change(("EMEA", {"parent": "APAC"}), submit=False)
    change(("APAC", {"parent": "DACH"}), submit=False)
    other = ChangeRequest.objects.order_by("-pk")[0]
    ChangeRequest.objects.update(state="approved")
    from mdm.services import applying

    assert applying.apply(change=one, by=SETUP).state == "applied"
    assert applying.apply(change=other, by=SETUP).state == "conflicted"
    (conflict,) = other.items.get().conflicts
    assert "APAC would stand under itself" in conflict["why"] and conflict["proposed"] == "DACH"
    assert ways()["APAC"] == "ALL APAC" and ways()["EMEA"] == "ALL APAC EMEA"


@pytest.mark.database
def test_the_database_refuses_a_circle(tree: str) -> None:
    approved = ChangeRequest.objects.filter(state="applied").latest("pk")
    ChangeRequest.objects.filter(pk=approved.pk).update(state="approved")
    period = HierarchyNodePeriod.objects.get(record__node="EMEA")
    with pytest.raises(IntegrityError, match="would stand under itself"), transaction.atomic():
        with writing.applying(approved.pk):
            HierarchyNodePeriod.objects.filter(pk=period.pk).update(parent="DACH")
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_close_no_circle(tree: str) -> None:
    drafts = [change(("EMEA", {"parent": "APAC"}), submit=False), change(("APAC", {"parent": "EMEA"}), submit=False)]
    ChangeRequest.objects.filter(state="draft").update(state="approved")
    from mdm.services import applying

    start, states = threading.Barrier(2), []

    def apply(request: ChangeRequest) -> None:
        start.wait()
        try:
            states.append(applying.apply(change=request, by=SETUP).state)
        finally:
            connection.close()

    threads = [threading.Thread(target=apply, args=(draft,)) for draft in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == ["applied", "conflicted"]
    assert len(ways()) == 6
