"""The pages of hierarchies: the tree on a day with what is pending in place, changes gathered in a draft, two days compared."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dimensions.models import HierarchyNode
from mdm.models import ChangeRequest
from mdm.services import changes
from tests.people import actor, make
from tests.web.visitors import browser, queries, read

pytestmark = pytest.mark.django_db
URL = "/hierarchies/ORG/"
OPEN = f"{URL}?open=ALL,EMEA,DACH&on=2031-01-01"


@pytest.fixture
def mara(db: None) -> Client:
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")
    for code in ("CC1", "CC2", "CC3"):
        make("cost_center", code=code, name=f"Center {code}", legal_entity="NH10", category="sales")
    make("hierarchy", code="ORG", name="Organisation", members="cost_center")
    for node, parent in (("ALL", None), ("EMEA", "ALL"), ("DACH", "EMEA"), ("APAC", "ALL")):
        make("hierarchy_node", hierarchy="ORG", node=node, parent=parent, kind="group", name=node.title())
    for node in ("CC1", "CC2"):
        make("hierarchy_node", hierarchy="ORG", node=node, parent="DACH")
    return browser("mara", "steward", "requester")


def uid(node: str) -> str:
    return str(HierarchyNode.objects.get(node=node).uid)


def do(client: Client, what: str, status: int = 302, /, **posted: str) -> Any:
    answer = client.post(OPEN, {"do": what, **posted})
    assert answer.status_code == status, answer.content
    return answer


def rows(page: str) -> list[tuple[str, int, str]]:
    """(node, level, what is pending) of the tree, top down."""
    found = []
    for row in re.findall(r"<tr role=\"row\" id=\"row-.*?</tr>", page, re.S):
        node, level = re.search(r'data-node="([^"]+)"', row), re.search(r'aria-level="(\d)"', row)
        words = re.search(r"state--loud.*?</svg>([^<]*)</span>", row, re.S)
        assert node and level
        found.append((node[1], int(level[1]), words[1] if words else ""))
    return found


def test_hierarchies_are_listed_with_what_they_hold(mara: Client) -> None:
    page = read(mara, reverse("dimensions:hierarchies"))
    assert "Organisation" in page and URL in page and "Cost centers" in page
    assert re.findall(r'class="num[^"]*"[^>]*>\s*(\d+)', page) == ["4", "2"]


def test_a_tree_opens_branch_by_branch(mara: Client) -> None:
    assert rows(read(mara, URL)) == [("ALL", 1, ""), ("APAC", 2, ""), ("EMEA", 2, "")]
    assert rows(read(mara, OPEN))[2:] == [("EMEA", 2, ""), ("DACH", 3, ""), ("CC1", 4, ""), ("CC2", 4, "")]
    assert "Center CC1" in read(mara, OPEN)
    assert rows(read(mara, f"{URL}?open=")) == [("ALL", 1, "")]


def test_changes_are_gathered_and_shown_in_place(mara: Client) -> None:
    do(mara, "move", uid=uid("CC1"), parent="APAC", **{"from": "2031-01-01"})
    do(mara, "close", uid=uid("CC2"), **{"from": "2030-07-01"})
    do(mara, "add", kind="member", code="CC3", parent="EMEA", **{"from": "2031-01-01"})
    do(mara, "rename", uid=uid("DACH"), name="Alps", **{"from": "2031-01-01"})
    draft = ChangeRequest.objects.get(state="draft")
    assert draft.items.count() == 4
    assert rows(read(mara, f"{OPEN},APAC".replace("&on=2031-01-01,APAC", ",APAC&on=2031-01-01"))) == [
        ("ALL", 1, ""), ("APAC", 2, ""), ("CC1", 3, "Moves here from DACH"), ("EMEA", 2, ""),
        ("CC3", 3, "New from 1 Jan 2031"), ("DACH", 3, "Called Alps"), ("CC1", 4, "Moves to APAC"),
        ("CC2", 4, "Closes 1 Jul 2030"),
    ]  # fmt: skip
    before = read(mara, OPEN.replace("2031-01-01", "2030-01-01"))
    assert ("CC1", 4, "Moves to APAC on 1 Jan 2031") in rows(before)
    assert ("CC2", 4, "Closes on 1 Jul 2030") in rows(before)
    assert all(not words for _, _, words in rows(read(mara, f"{OPEN}&show=as-is")))
    other = read(browser("nina", "steward"), OPEN)
    assert all(not words for _, _, words in rows(other)), "a draft is its maker's own"


def test_a_draft_is_proposed_as_one_request_that_others_see(mara: Client) -> None:
    do(mara, "move", uid=uid("DACH"), parent="APAC", **{"from": "2031-01-01"})
    answer = do(mara, "submit", reason="New region")
    change = ChangeRequest.objects.get() if ChangeRequest.objects.count() == 1 else ChangeRequest.objects.latest("pk")
    assert answer.url == reverse("web:request", args=[change.pk + 10000])
    assert (change.state, change.reason, change.title) == ("in_review", "New region", "Change ORG: 1 node")
    page = read(browser("nina", "steward"), OPEN)
    assert ("DACH", 3, "Moves to APAC") in rows(page)
    changes.approve(change=change, by=actor("stan", "steward"), content_hash=change.content_hash)
    assert ("DACH", 3, "") not in rows(read(mara, OPEN)) and ("APAC", 2, "") in rows(read(mara, OPEN))


def test_what_does_not_fit_is_refused_and_the_draft_stays(mara: Client) -> None:
    do(mara, "move", uid=uid("DACH"), parent="APAC", **{"from": "2031-01-01"})
    page = do(mara, "move", 422, uid=uid("APAC"), parent="DACH", **{"from": "2031-01-01"}).content.decode()
    assert "APAC would stand under itself: APAC under DACH under APAC." in page and "This does not fit" in page
    assert ChangeRequest.objects.get(state="draft").items.get().label == "DACH"
    page = do(mara, "add", 422, kind="member", code="CC9", parent="EMEA").content.decode()
    assert "There is no cost center CC9." in page and 'value="CC9"' in page, "what was typed stays"


def test_changes_of_one_node_become_one_item(mara: Client) -> None:
    do(mara, "add", kind="group", code="NEW", name="New", parent="EMEA")
    new = str(ChangeRequest.objects.get(state="draft").items.get().uid)
    do(mara, "move", uid=new, parent="APAC")
    do(mara, "move", uid=uid("CC1"), parent="NEW", **{"from": "2031-01-01"})
    do(mara, "move", uid=uid("CC1"), parent="APAC", **{"from": "2032-01-01"})
    draft = ChangeRequest.objects.get(state="draft")
    assert [(item.action, item.label) for item in draft.items.all()] == [("create", "NEW"), ("update", "CC1")]
    assert do(mara, "drop", 422, uid=new).content.decode().count("There is no node NEW in this hierarchy.") >= 1
    do(mara, "drop", uid=uid("CC1"))
    do(mara, "drop", uid=new)
    assert ChangeRequest.objects.get(pk=draft.pk).state == "withdrawn"


def test_a_draft_is_thrown_away(mara: Client) -> None:
    do(mara, "close", uid=uid("CC2"), **{"from": "2030-07-01"})
    do(mara, "discard")
    assert not ChangeRequest.objects.filter(state="draft").exists()
    assert "Nothing is lost" not in do(mara, "submit", 422).content.decode()


def test_who_may_only_read_sees_no_forms_and_changes_nothing(mara: Client) -> None:
    jonas = browser("jonas", "auditor")
    assert "Change it" not in read(jonas, f"{OPEN}&node=CC1")
    before = ChangeRequest.objects.count()
    assert jonas.post(OPEN, {"do": "close", "uid": uid("CC1")}).status_code == 403
    assert ChangeRequest.objects.count() == before


def test_a_search_opens_the_way(mara: Client) -> None:
    page = read(mara, f"{URL}?q=center+cc2")
    assert "All › Emea › Dach" in page and "open=ALL%2CDACH%2CEMEA&amp;node=CC2" in page
    assert "No node of this hierarchy" in read(mara, f"{URL}?q=nothing")


def test_two_days_are_compared(mara: Client) -> None:
    do(mara, "move", uid=uid("CC1"), parent="APAC", **{"from": "2031-01-01"})
    do(mara, "submit")
    change = ChangeRequest.objects.latest("pk")
    changes.approve(change=change, by=actor("stan", "steward"), content_hash=change.content_hash)
    page = read(mara, f"{URL}compare/?with=2031-01-01")
    assert "under DACH" in page and "under APAC" in page and "Center CC1" in page
    assert "Nothing differs" in read(mara, f"{URL}compare/?with=2030-12-31")


def test_the_file_is_what_stands_on_the_day(mara: Client) -> None:
    answer = mara.get(f"{URL}export/?format=csv&on={timezone.localdate()}")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert [line.split(",")[2] for line in text.splitlines()] == ["node", "ALL", "APAC", "EMEA", "DACH", "CC1", "CC2"]
    assert mara.get(f"{URL}export/?format=pdf").status_code == 422


def test_queries_do_not_grow(mara: Client) -> None:
    read(mara, OPEN)
    few = queries(mara, OPEN)
    for code in range(30):
        make("hierarchy_node", hierarchy="ORG", node=f"G{code}", parent="DACH", kind="group", name=f"Group {code}")
    many = queries(mara, OPEN)
    assert few == many <= 26


def test_a_long_branch_shows_its_first_and_offers_the_rest(mara: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from dimensions.web import tree_page

    make("hierarchy_node", hierarchy="ORG", node="CC3", parent="DACH")
    monkeypatch.setattr(tree_page, "BRANCH", 2)
    page = read(mara, OPEN)
    assert "Only 2 are shown" in page and ("CC3", 4, "") not in rows(page)
    assert ("CC3", 4, "") in rows(read(mara, f"{OPEN}&every=DACH"))


def test_what_names_nothing_here_is_refused_in_words(mara: Client) -> None:
    make("hierarchy", code="OTHER", name="Other", members="cost_center")
    foreign = str(make("hierarchy_node", hierarchy="OTHER", node="X", kind="group", name="X")["uid"])
    for wrong in ("", "nonsense", "x" * 36, foreign):
        do(mara, "close", 404, uid=wrong)
    assert mara.get(f"{URL}?open=%00&node=%00").status_code == 422
    assert mara.get("/hierarchies/NONE/").status_code == 404
    assert not ChangeRequest.objects.filter(state="draft").exists()
