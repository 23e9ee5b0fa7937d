"""Reading hierarchies over the API: branches, sums, the way down, what differs, the file; as of a day, as known at a time."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.utils import timezone

from mdm.services import changes
from mdm.services.changes import ProposedItem
from tests.api.callers import Caller, caller
from tests.people import SETUP, auto_approve, make

pytestmark = pytest.mark.django_db
ROOT = "hierarchies/code:ORG"


@pytest.fixture
def reader(db: None) -> Caller:
    """ALL: EMEA (DACH: CC1, CC2), APAC; DACH moves under APAC in 2030."""
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")
    for code in ("CC1", "CC2"):
        make("cost_center", code=code, name=f"Center {code}", legal_entity="NH10", category="sales")
    make("hierarchy", code="ORG", name="Organisation", members="cost_center")
    made = {}
    for node, parent in (
        ("ALL", None),
        ("EMEA", "ALL"),
        ("DACH", "EMEA"),
        ("APAC", "ALL"),
        ("CC1", "DACH"),
        ("CC2", "DACH"),
    ):
        values = {} if node.startswith("CC") else {"kind": "group", "name": node.title()}
        made[node] = make("hierarchy_node", hierarchy="ORG", node=node, parent=parent, **values)
    move(made["DACH"]["uid"], "APAC", "2030-01-01")
    return caller("requester")


def move(uid: str, parent: str, day: str) -> None:
    auto_approve("system")
    item = ProposedItem(type="hierarchy_node", uid=uid, patch={"parent": parent, "valid_from": day})
    changes.propose(items=[item], by=SETUP, origin="system")


def nodes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [one["node"] for one in answer.json()["results"]]


def test_a_branch_with_the_members_below(reader: Caller) -> None:
    found = reader.read(f"{ROOT}/tree/?under=ALL").json()["results"]
    assert [(one["node"], one["members"], one["depth"]) for one in found] == [("APAC", 0, 1), ("EMEA", 2, 1)]
    assert nodes(reader.read(f"{ROOT}/tree/")) == ["ALL"]
    (first, _) = reader.read(f"{ROOT}/tree/?under=DACH").json()["results"]
    assert (first["name"], first["record"]["code"], first["record"]["status"]) == ("Center CC1", "CC1", "active")


def test_pages_follow_one_another(reader: Caller) -> None:
    page = reader.read(f"{ROOT}/tree/?under=ALL&page_size=1")
    assert nodes(page) == ["APAC"]
    last = reader.read(page.json()["next"])
    assert nodes(last) == ["EMEA"] and last.json()["next"] is None
    page = reader.read(f"{ROOT}/members/?page_size=1")
    assert nodes(page) == ["CC1"] and nodes(reader.read(page.json()["next"])) == ["CC2"]


def test_on_another_day_and_as_known_before(reader: Caller) -> None:
    before = timezone.now().isoformat().replace("+00:00", "Z")
    uid = reader.read(f"{ROOT}/way/?node=DACH").json()["results"][-1]["uid"]
    move(uid, "ALL", "2031-01-01")
    way = f"{ROOT}/way/?node=CC1"
    assert nodes(reader.read(way)) == ["ALL", "EMEA", "DACH", "CC1"]
    assert nodes(reader.read(f"{way}&as_of=2030-01-01")) == ["ALL", "APAC", "DACH", "CC1"]
    assert nodes(reader.read(f"{way}&as_of=2031-01-01")) == ["ALL", "DACH", "CC1"]
    assert nodes(reader.read(f"{way}&as_of=2031-01-01&known_at={before}")) == ["ALL", "APAC", "DACH", "CC1"]
    assert nodes(reader.read(f"{ROOT}/members/?under=APAC&as_of=2030-01-01")) == ["CC1", "CC2"]
    assert nodes(reader.read(f"{ROOT}/members/?under=APAC")) == []


def test_two_days_are_compared(reader: Caller) -> None:
    found = reader.read(f"{ROOT}/compare/?other_as_of=2030-01-01").json()
    assert found["counts"] == {"added": 0, "gone": 0, "moved": 1, "renamed": 0}
    (one,) = found["results"]
    assert (one["node"], one["before"]["parent"], one["after"]["parent"]) == ("DACH", "EMEA", "APAC")


def test_two_hierarchies_are_compared(reader: Caller) -> None:
    make("hierarchy", code="FLAT", name="Flat", members="cost_center")
    make("hierarchy_node", hierarchy="FLAT", node="CC1")
    found = reader.read(f"{ROOT}/compare/?other=FLAT").json()
    assert found["counts"] == {"added": 0, "gone": 5, "moved": 1, "renamed": 0}
    make("hierarchy", code="PROFIT", name="Profit", members="profit_center")
    refused = reader.read(f"{ROOT}/compare/?other=PROFIT")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "other_members")


def test_the_file_lists_each_node_before_what_is_under_it(reader: Caller) -> None:
    answer = reader.read(f"{ROOT}/tree/export/?as_of=2030-01-01")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["node"], row["parent"], row["level"]) for row in rows] == [
        ("ALL", "", "1"), ("APAC", "ALL", "2"), ("DACH", "APAC", "3"), ("CC1", "DACH", "4"), ("CC2", "DACH", "4"),
        ("EMEA", "ALL", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize("call", ["tree/?under=NONE", "members/?under=NONE", "compare/?other=NONE", "tree/?after=NONE"])
def test_what_is_not_there_is_told(reader: Caller, call: str) -> None:
    assert reader.read(f"{ROOT}/{call}").status_code == 400
    assert reader.read("hierarchies/code:NONE/tree/").status_code == 404


@pytest.mark.parametrize("call", ["tree/", "tree/?under=DACH", "members/?under=ALL", "way/?node=CC1"])
def test_a_few_queries_whatever_the_size(reader: Caller, call: str, django_assert_max_num_queries: Any) -> None:
    reader.read(f"{ROOT}/tree/")
    with django_assert_max_num_queries(9):
        assert reader.read(f"{ROOT}/{call}").status_code == 200
