"""Undoing a merge in the browser: the preview, its choices, what stands in the way, the block, and the lanes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mdm import registry
from mdm.models import ChangeRequest, EntityScope, MergeBlock, SourceRecord
from mdm.selectors import records
from mdm.services import changes, crosswalks, merging, unmerging
from mdm.types import Document
from tests.people import actor, make, person, propose, supplier, system
from tests.web.test_import_pages import signed_in
from tests.web.visitors import IBAN, number_of, queries

pytestmark = pytest.mark.django_db
TIMELINE_QUERIES = 45


@pytest.fixture
def mara() -> Client:
    return signed_in()


def approve(change: ChangeRequest) -> ChangeRequest:
    return changes.approve(change=change, by=actor("ann", "approver"), content_hash=change.content_hash)


def merge(survivor: Document, *losers: Document) -> ChangeRequest:
    kind, uids = registry.get("supplier"), [one["uid"] for one in losers]
    return approve(merging.propose(kind=kind, survivor=survivor["uid"], losers=uids, by=actor("nora", "steward")))


def twins() -> tuple[Document, Document]:
    one = supplier(legal_name="Nordlicht Papier GmbH")
    two = supplier(
        legal_name="Nordlicht", website="nordlicht.example", bank_accounts=[{"iban": IBAN, "holder": "Nordlicht"}]
    )
    for key, document in (("100", one), ("200", two)):
        crosswalks.link(system=system("erp"), type="supplier", key=key, uid=document["uid"])
    return one, two


def at(change: ChangeRequest, view: str = "unmerge") -> str:
    return reverse(f"web:{view}", args=[number_of(change)])


def read(client: Client, url: str, status: int = 200, **posted: Any) -> str:
    answer = client.post(url, posted) if posted else client.get(url)
    assert answer.status_code == status, answer.content.decode()[:3000]
    return answer.content.decode()


def test_a_source_record_that_a_merge_brought_leads_to_its_undoing(mara: Client) -> None:
    one, two = twins()
    for code, key, document in (("erp", "100", one), ("erp", "200", two), ("buy", "7", two)):
        SourceRecord.objects.create(
            system=system(code), type="supplier", key=key, golden_uid=document["uid"], digest=key, outcome="new",
            document={"legal_name": document["legal_name"], "country": "DE"}, received_at=timezone.now(),
        )  # fmt: skip
    sources = reverse("web:record-sources", args=["suppliers", one["uid"]])
    assert "?member=" not in read(mara, sources)
    merged = merge(one, two)
    html = read(mara, sources)
    assert html.count(f"{at(merged)}?member={two['uid']}") == 2 and f"Undo {merged.number}" in html
    assert html.count("Propose to detach") == 3, "one of two that came together is detached alone"
    approve(unmerging.propose(merge=merged, by=actor("nora", "steward"), reason="Two companies"))
    assert "?member=" not in read(mara, sources)


def test_the_merge_leads_to_its_undoing_which_says_what_goes_back(mara: Client) -> None:
    one, two = twins()
    child = supplier(legal_name="Daughter", parent=two["uid"])
    merged = merge(one, two)
    assert at(merged) in read(mara, at(merged, "request"))
    html = read(mara, at(merged))
    assert two["code"] in html and "nordlicht.example" in html and child["code"] in html
    assert IBAN not in html and "DE89…3000" in html
    text = re.sub(r"<[^>]+>|\s+", " ", html)
    text = re.sub(r"\s+", " ", text)
    assert f"200 goes back to {two['code']}" in text and f"100 stays with {one['code']}" in text
    assert "updates 100 , unblocks 200" in text and "by hand: nobody delivers there" in text


def test_sending_it_makes_a_request_and_the_merge_says_it_was_undone(mara: Client) -> None:
    one, two = twins()
    merged = merge(one, two)
    answer = mara.post(at(merged), {"in": [two["uid"]], "reason": "Two houses", "action": "submit"})
    change = ChangeRequest.objects.get(kind="unmerge")
    assert answer.headers["Location"] == at(change, "request") and change.reason == "Two houses"
    html = read(mara, at(change, "request"))
    assert f"This undoes {merged.number}" in html and "unblocks 200" not in html  # no target is connected
    approve(change)
    assert records.current_document("supplier", two["uid"])["status"] == "active"
    assert f"Undone by {change.number}" in read(mara, at(merged, "request"))
    again = read(mara, at(merged), 409)
    assert "was undone already" in again and 'name="action"' not in again


def test_choices_about_what_changed_since_hold_while_the_page_is_drawn_anew(mara: Client) -> None:
    one, two = twins()
    three = supplier(legal_name="Drei", currency="EUR")
    merged = merge(one, two, three)
    approve(
        propose(records.current_document("supplier", one["uid"]), actor("rita", "requester"), website="new.example")
    )
    html = read(mara, at(merged))
    assert re.search(rf'name="holder-website" value="{one["uid"]}"[^>]* checked', html)
    posted = {"in": [two["uid"], three["uid"]], "holder-website": two["uid"], "reason": "Kept"}
    html = read(mara, at(merged), **posted)
    assert re.search(rf'name="holder-website" value="{two["uid"]}"[^>]* checked', html) and "Kept" in html
    html = read(mara, at(merged), **{**posted, "in": [three["uid"]]})
    assert f'value="{two["uid"]}"' in html and "stays merged" in html
    assert re.search(rf'name="holder-website" value="{one["uid"]}"[^>]* checked', html)  # the other one is not there
    mara.post(at(merged), {**posted, "action": "submit"})
    approve(ChangeRequest.objects.get(kind="unmerge"))
    assert records.current_document("supplier", two["uid"])["website"] == "new.example"
    assert records.current_document("supplier", one["uid"])["website"] is None


def test_nobody_ticked_is_said_and_nothing_is_proposed(mara: Client) -> None:
    one, two = twins()
    merged = merge(one, two)
    html = read(mara, at(merged), 422, action="submit")
    assert "Tick at least one record" in html and not ChangeRequest.objects.filter(kind="unmerge").exists()


def test_a_later_merge_in_the_way_is_named_with_a_way_there(mara: Client) -> None:
    one, two = twins()
    merged = merge(one, two)
    later = merge(supplier(legal_name="Dachfirma"), one)
    html = read(mara, at(merged), 409)
    assert f"Undo {later.number} first" in html and at(later, "request") in html
    html = read(mara, at(merged), 409, action="submit", **{"in": two["uid"]})
    assert not ChangeRequest.objects.filter(kind="unmerge").exists()


def test_who_may_not(mara: Client) -> None:
    one, two = twins()
    merged = merge(one, two)
    assert signed_in("jonas", "auditor").get(at(merged)).status_code == 403
    edit = propose(records.current_document("supplier", one["uid"]), actor("rita", "requester"), currency="EUR")
    assert mara.get(at(edit)).status_code == 409


def test_what_belongs_to_other_companies_is_left_to_others() -> None:
    make("legal_entity", code="NH20", name="Nordhaven France SAS", country="FR", currency="EUR")
    one, two = supplier(legal_name="A"), supplier(legal_name="B", extensions=[{"legal_entity": "NH20"}])
    merged = merge(one, two)
    EntityScope.objects.create(user=person("jan", "steward"), legal_entity="NH10")
    answer = signed_in("jan", "steward").get(at(merged))
    assert answer.status_code == 403 and "NH20" not in answer.content.decode()


def test_the_preview_of_a_merge_says_that_records_are_kept_apart_and_a_steward_lifts_that(mara: Client) -> None:
    one, two = twins()
    change = approve(unmerging.propose(merge=merge(one, two), by=actor("nora", "steward"), reason="Two houses"))
    url = f"{reverse('web:merge-records', args=['suppliers'])}?uid={one['uid']}&uid={two['uid']}"
    html = read(mara, url)
    assert "are kept apart" in html and change.number in html and "Two houses" in html
    refused = read(mara, url, 409, action="submit", reason="Once more")
    assert "taken apart by" in refused and ChangeRequest.objects.filter(kind="merge").count() == 1
    lift = reverse("web:merge-block-lift", args=[MergeBlock.objects.get().uid])
    assert lift in html
    assert signed_in("rita", "requester").post(lift, {"reason": "I say so"}).status_code == 403
    assert mara.post(lift, {"reason": ""}).status_code == 422
    assert MergeBlock.objects.get().lifted_at is None
    assert mara.post(lift, {"reason": "The register says so"}).status_code == 302
    assert "are kept apart" not in read(mara, url)
    assert mara.post(url, {"action": "submit"}).status_code == 302


def test_the_timeline_draws_lanes_that_join_and_part(mara: Client) -> None:
    one, two = twins()
    timeline = reverse("web:record-timeline", args=["suppliers", one["uid"]])
    assert "Merged and unmerged" not in read(mara, timeline)
    merged = merge(one, two)
    undone = approve(unmerging.propose(merge=merged, by=actor("nora", "steward")))
    three = supplier(legal_name="Drei")
    again = merge(one, three)
    for document in (one, two):
        html = read(mara, reverse("web:record-timeline", args=["suppliers", document["uid"]]))
        across, down = html.split('<svg class="lanes family"')[1:3]
        for drawn in (across, down.split("</svg>")[0]):
            assert drawn.count('class="family-bend') == 3 and drawn.count("is-parting") == 2
            assert drawn.count('class="family-end') == 2, "what is alive today"
        for change in (merged, undone, again):
            assert at(change, "request") in html
        assert f"{two['code']} became part of {one['code']}" in html
        assert f"{two['code']} came back out of {one['code']}" in html
        assert at(again) in html and f'href="{at(merged)}"' not in html  # only what is left to undo
    gone = read(mara, reverse("web:record", args=["suppliers", three["uid"]]))
    assert f"{at(again)}?member={three['uid']}" in gone


def test_a_long_family_costs_no_more_queries_for_each_version(mara: Client) -> None:
    one, two = twins()
    merge(one, two)
    timeline = reverse("web:record-timeline", args=["suppliers", one["uid"]])
    few = queries(mara, timeline)
    for number in range(4):
        approve(
            propose(
                records.current_document("supplier", one["uid"]),
                actor("rita", "requester"),
                website=f"w{number}.example",
            )
        )
    assert queries(mara, timeline) == few <= TIMELINE_QUERIES
