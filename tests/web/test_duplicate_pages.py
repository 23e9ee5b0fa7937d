"""Duplicates in the browser: the queue, a judgement and its undo, the merge that keeps every pick."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mdm import registry
from mdm.models import ChangeRequest, DuplicatePair, EntityScope, MatchDecision
from mdm.services import comparisons, judging, merging
from mdm.types import Document
from tests.people import actor, make, person, supplier, system
from tests.web.test_import_pages import signed_in

pytestmark = pytest.mark.django_db

IBAN = "DE89370400440532013000"
QUEUE_QUERIES, PAIR_QUERIES = 18, 44


@pytest.fixture
def mara() -> Client:
    return signed_in()


def twins(number: int = 1, **other: Any) -> tuple[DuplicatePair, Document, Document]:
    """Two records of one company that nobody linked."""
    address = {
        "kind": "registered",
        "lines": [f"Hafenstr. {number}"],
        "city": "Hamburg",
        "postal_code": "20457",
        "country": "DE",
    }
    same = {"addresses": [address], "contacts": [{"role": "primary", "phone": f"+49 40 12345{number:03}"}]}
    left = supplier(legal_name=f"Nordlicht Papier {number} GmbH", website=f"https://nordlicht{number}.example", **same)
    right = supplier(legal_name=f"NORDLICHT-PAPIER {number} Gmbh", currency="EUR", **{**same, **other})
    comparisons.find_pairs(kind=registry.get("supplier"), uids=[right["uid"]])
    pair = DuplicatePair.objects.get(left__in=[left["uid"], right["uid"]], right__in=[left["uid"], right["uid"]])
    return pair, left, right


def at(pair: DuplicatePair, view: str = "duplicate") -> str:
    return reverse(f"web:{view}", args=[pair.uid])


# --- queue and pair ---------------------------------------------------------------------------------------------------


def test_empty_hub_says_every_pair_is_judged(mara: Client) -> None:
    assert "Every pair is judged" in mara.get(reverse("web:duplicates")).content.decode()


def test_the_pair_shows_evidence_and_no_bank_number(mara: Client) -> None:
    pair, left, right = twins(bank_accounts=[{"iban": IBAN, "holder": "Nordlicht Papier"}])
    html = mara.get(at(pair)).content.decode()
    assert left["code"] in html and right["code"] in html
    assert IBAN not in html and "DE89…3000" in html
    assert "Starting point" in html and "a probability of" in html
    assert "Same phone" in html or "same phone" in html


def test_a_pair_of_a_confirmed_record_says_whose_word_makes_it_stricter(mara: Client) -> None:
    pair, left, right = twins()
    third = supplier(legal_name="Nordlicht Papier 1", website="https://nordlicht1.example")
    other = DuplicatePair.objects.exclude(pk=pair.pk).filter(state="open").first()
    assert other and third["uid"] in (str(other.left), str(other.right))
    assert "Stricter here" not in mara.get(at(other)).content.decode()
    judging.decide(pair=pair, judgement="same", by=actor("mara", "steward"))
    html = mara.get(at(other)).content.decode()
    assert "Stricter here than elsewhere, because Mara said on" in html and at(pair) in html
    assert "Shown to you from 1 points; linked without asking from 6" in html
    assert "Stricter here" not in mara.get(at(pair)).content.decode()
    url = reverse("web:compare", args=["suppliers"])
    assert "Stricter here" in mara.get(url, {"uid": [other.left, other.right]}).content.decode()


def test_htmx_gets_only_the_pair(mara: Client) -> None:
    pair, *_ = twins()
    html = mara.get(at(pair), headers={"HX-Request": "true", "HX-Target": "detail"}).content.decode()
    assert html.lstrip().startswith('<article class="split-detail is-open"') and "<html" not in html


def test_filters_and_names_narrow_the_queue(mara: Client) -> None:
    pair, left, _ = twins()
    url = reverse("web:duplicates")
    assert at(pair) in mara.get(url, {"q": "nordlicht"}).content.decode()
    assert "No pair is like that" in mara.get(url, {"q": "zzz"}).content.decode()
    assert "No pair is like that" in mara.get(url, {"state": "merged"}).content.decode()
    assert at(pair) in mara.get(url, {"record": left["uid"]}).content.decode()


def test_companies_of_others_stay_hidden() -> None:
    make("legal_entity", code="NH20", name="Nordhaven France SAS", country="FR", currency="EUR")
    pair, *_ = twins(extensions=[{"legal_entity": "NH20", "reconciliation_account": "160000"}])
    jan = signed_in("jan", "steward")
    assert "NH20" in jan.get(at(pair)).content.decode()
    EntityScope.objects.create(user=person("jan"), legal_entity="NH10")
    assert "NH20" not in signed_in("jan", "steward").get(at(pair)).content.decode()


# --- judging ----------------------------------------------------------------------------------------------------------


def test_a_judgement_goes_on_with_the_next_pair_and_can_be_taken_back(mara: Client) -> None:
    pair, *_ = twins()
    twins(2)
    html = mara.get(at(pair)).content.decode()
    following = re.search(r'name="next" value="([^"]+)"', html)
    assert following is not None
    answer = mara.post(
        at(pair, "duplicate-decide"), {"judgement": "different", "reason": "Other town", "next": following[1]}
    )
    assert answer.status_code == 302 and answer.headers["Location"] == following[1]
    pair.refresh_from_db()
    assert pair.state == "different"
    page = mara.get(following[1]).content.decode()
    assert at(pair, "duplicate-undo") in page  # the undo of the toast
    back = mara.post(at(pair, "duplicate-undo"))
    assert back.headers["Location"] == at(pair)
    pair.refresh_from_db()
    assert pair.state == "open"
    assert [d.judgement for d in MatchDecision.objects.filter(pair=pair)] == ["open", "different"]
    assert "Other town" in mara.get(at(pair)).content.decode()


def test_a_judgement_that_is_none_changes_nothing(mara: Client) -> None:
    pair, *_ = twins()
    answer = mara.post(at(pair, "duplicate-decide"), {"judgement": "maybe"})
    assert answer.status_code == 422 and "same, different, related or unsure" in answer.content.decode()
    pair.refresh_from_db()
    assert pair.state == "open"


def test_only_stewards_judge() -> None:
    pair, *_ = twins()
    nora = signed_in("nora", "requester")
    html = nora.get(at(pair)).content.decode()
    assert "Only data stewards judge pairs" in html and 'name="judgement"' not in html
    assert nora.post(at(pair, "duplicate-decide"), {"judgement": "same"}).status_code == 403
    assert nora.post(at(pair, "duplicate-undo")).status_code == 403


# --- merging ----------------------------------------------------------------------------------------------------------


def test_the_preview_keeps_picks_when_somebody_else_is_to_stay(mara: Client) -> None:
    pair, left, right = twins()
    url = at(pair, "merge")
    html = mara.post(
        url, {"survivor": left["uid"], "choice-legal_name": right["uid"], "reason": "Same house"}
    ).content.decode()
    assert re.search(rf'name="choice-legal_name" value="{right["uid"]}"[^>]* checked', html)
    assert re.search(rf'name="survivor" value="{left["uid"]}"[^>]* checked', html) and "Same house" in html
    swapped = mara.post(url, {"survivor": right["uid"], "choice-legal_name": left["uid"]}).content.decode()
    assert re.search(rf'name="survivor" value="{right["uid"]}"[^>]* checked', swapped)
    assert re.search(rf'name="choice-legal_name" value="{left["uid"]}"[^>]* checked', swapped)
    assert ChangeRequest.objects.filter(kind="merge").count() == 0


def test_sending_a_merge_makes_a_request(mara: Client) -> None:
    pair, left, right = twins()
    posted = {"survivor": left["uid"], "choice-legal_name": right["uid"], "reason": "Same house", "action": "submit"}
    answer = mara.post(at(pair, "merge"), posted)
    change = ChangeRequest.objects.get(kind="merge")
    assert answer.headers["Location"] == reverse("web:request", args=[10_000 + change.pk])
    item = change.items.order_by("position").first()
    assert item is not None and (change.state, change.reason) == ("in_review", "Same house")
    assert item.detail["choices"] == {"legal_name": right["uid"]}
    assert change.number in mara.get(at(pair)).content.decode()  # the pair says that a merge is proposed


def test_rows_are_kept_or_dropped_one_by_one(mara: Client) -> None:
    pair, left, right = twins(identifiers=[{"scheme": "DUNS", "value": "150483782"}])
    row = f"identifiers/{right['identifiers'][0]['uid']}"
    html = mara.get(at(pair, "merge")).content.decode()
    assert re.search(rf'name="keep" value="{row}"[^>]* checked', html)
    posted = {
        "survivor": left["uid"],
        "in": [left["uid"], right["uid"]],
        "row": [row],
        "choice-legal_name": right["uid"],
    }
    html = mara.post(at(pair, "merge"), posted).content.decode()
    assert re.search(rf'name="keep" value="{row}"(?![^>]* checked)', html)
    # Whoever stays now: what was unticked stays unticked, what was picked stays picked.
    html = mara.post(at(pair, "merge"), {**posted, "survivor": right["uid"]}).content.decode()
    assert re.search(rf'name="keep" value="{row}"(?![^>]* checked)', html)
    assert re.search(rf'name="choice-legal_name" value="{right["uid"]}"[^>]* checked', html)
    mara.post(at(pair, "merge"), {**posted, "action": "submit"})
    item = ChangeRequest.objects.get(kind="merge").items.get(position=0)
    assert item.detail["drops"] == [row]
    assert not [c for c in item.changes if c["path"].startswith("identifiers")]


def test_others_that_may_be_the_same_are_added_and_left_out_again(mara: Client) -> None:
    pair, left, right = twins()
    third = supplier(legal_name=left["legal_name"], website=left["website"])
    comparisons.find_pairs(kind=registry.get("supplier"), uids=[third["uid"]])
    url = at(pair, "merge")
    html = mara.get(url).content.decode()
    assert re.search(rf'name="in" value="{third["uid"]}"(?![^>]* checked)', html)
    everybody = [left["uid"], right["uid"], third["uid"]]
    posted = {
        "in": everybody,
        "survivor": left["uid"],
        "choice-currency": right["uid"],
        "choice-legal_name": third["uid"],
    }
    html = mara.post(url, posted).content.decode()
    assert re.search(rf'name="survivor" value="{third["uid"]}"', html)
    posted["in"] = everybody[:2]
    html = mara.post(url, posted).content.decode()
    assert not re.search(rf'name="survivor" value="{third["uid"]}"', html)
    answer = mara.post(url, {**posted, "in": [left["uid"]]})
    assert answer.status_code == 422 and "Tick at least two records" in answer.content.decode()
    mara.post(url, {**posted, "in": everybody, "action": "submit"})
    change = ChangeRequest.objects.get(kind="merge")
    assert change.items.filter(action="merge").count() == 3


def test_a_selection_of_the_list_is_merged_and_the_oldest_stays(mara: Client) -> None:
    _, left, right = twins()
    third = supplier(legal_name="Other")
    bulk = reverse("web:records-bulk", args=["suppliers"])
    alone = mara.post(bulk, {"uid": [left["uid"]], "do": "merge"})
    assert alone.status_code == 422 and "Select 2 to 20 suppliers" in alone.content.decode()
    answer = mara.post(bulk, {"uid": [third["uid"], right["uid"], left["uid"]], "do": "merge"})
    url = answer.headers["Location"]
    html = mara.get(url).content.decode()
    assert re.search(rf'name="survivor" value="{left["uid"]}"[^>]* checked', html)
    mara.post(url, {"action": "submit", "in": [left["uid"], third["uid"]], "reason": "One house"})
    head = ChangeRequest.objects.get(kind="merge").items.get(position=0)
    assert (head.detail["survivor"], head.detail["losers"]) == (left["uid"], [third["uid"]])
    assert mara.get(reverse("web:merge-records", args=["suppliers"])).status_code == 422


def test_what_cannot_be_merged_any_more_is_said(mara: Client) -> None:
    pair, left, right = twins()
    system("erp")
    from tests.people import auto_approve

    auto_approve("merge")
    merging.propose(
        kind=registry.get("supplier"), survivor=left["uid"], losers=[right["uid"]], by=actor("mara", "steward")
    )
    answer = mara.get(at(pair, "merge"))
    assert answer.status_code == 409 and "merged already" in answer.content.decode()
    assert mara.post(at(pair, "duplicate-undo")).status_code == 422


def test_auditors_do_not_merge() -> None:
    pair, *_ = twins()
    assert signed_in("jonas", "auditor").get(at(pair, "merge")).status_code == 403


# --- speed ------------------------------------------------------------------------------------------------------------


def test_queries_do_not_grow_with_the_queue(mara: Client) -> None:
    def look(url: str) -> int:
        with CaptureQueriesContext(connection) as caught:
            assert mara.get(url).status_code == 200
        return len(caught)

    pair, *_ = twins()
    url = reverse("web:duplicates")
    look(at(pair)), look(url)
    few, one = look(url), look(at(pair))
    for number in range(2, 7):
        twins(number)
    assert look(url) == few <= QUEUE_QUERIES
    assert look(at(pair)) <= one <= PAIR_QUERIES
