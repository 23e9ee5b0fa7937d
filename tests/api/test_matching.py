"""Search before create, explanations, the queue of duplicates and merges over REST."""

from __future__ import annotations

import json

import pytest

from mdm.models import DuplicatePair
from mdm.registry import get
from mdm.services import comparisons
from tests.api.callers import IBAN, caller, make_record

pytestmark = pytest.mark.django_db
ADDRESS = {
    "kind": "registered",
    "lines": ["Hafenstraße 12"],
    "postal_code": "20457",
    "city": "Hamburg",
    "country": "DE",
}


def twins() -> tuple[str, str]:
    one = make_record("supplier", legal_name="Bergbau Nord GmbH", addresses=[ADDRESS], bank_accounts=[{"iban": IBAN}])
    two = make_record("supplier", legal_name="Bergbau Nord Gesellschaft mbH", addresses=[ADDRESS])
    make_record("supplier", legal_name="Ganz Andere Ltd", country="GB")
    return str(one.uid), str(two.uid)


def test_candidates_with_a_score_that_adds_up(requester):
    one, two = twins()
    known = DuplicatePair.objects.count()
    answer = requester.post_json(
        "suppliers/match/", {"document": {"legal_name": "Bergbau Nord", "addresses": [ADDRESS]}}
    )
    assert answer.status_code == 200, answer.content
    found = answer.json()["candidates"]
    assert {one, two} == {c["uid"] for c in found[:2]}
    for candidate in found:
        total = candidate["base"] + sum(part["weight"] for part in candidate["explanation"])
        assert abs(total - candidate["score"]) < 1e-6
    assert [c["score"] for c in found] == sorted((c["score"] for c in found), reverse=True)
    assert DuplicatePair.objects.count() == known


def test_a_search_takes_few_queries_however_much_it_finds(requester, django_assert_max_num_queries):
    twins()
    asked = {"document": {"legal_name": "Bergbau Nord", "addresses": [ADDRESS]}}
    requester.post_json("suppliers/match/", asked)
    with django_assert_max_num_queries(8):
        assert requester.post_json("suppliers/match/", asked).json()["candidates"]


def test_a_plain_account_number_finds_its_holder_and_is_never_shown(requester):
    one, _ = twins()
    body = {"document": {"bank_accounts": [{"iban": IBAN}]}, "threshold": -100}
    answer = requester.post_json("suppliers/match/", body)
    assert one in [c["uid"] for c in answer.json()["candidates"]]
    assert IBAN not in answer.content.decode()


def test_many_documents_at_once(requester):
    twins()
    documents = [{"legal_name": "Bergbau Nord"}, {"legal_name": "Nobody knows"}, {}]
    results = requester.post_json("suppliers/match/", {"documents": documents, "limit": 1}).json()["results"]
    assert [len(r["candidates"]) for r in results] == [1, 0, 0]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"document": {}, "documents": [{}]},
        {"document": {"colour": "red"}},
        {"document": {"legal_name": 5}},
        {"document": {"addresses": "here"}},
        {"document": {"bank_accounts": [{"iban": "DE00"}]}},
        {"documents": [{}] * 1001},
        {"document": {}, "limit": 0},
    ],
)
def test_a_search_that_is_none(requester, body):
    answer = requester.post_json("suppliers/match/", body)
    assert answer.status_code == 400 and answer.json()["errors"]


def test_why_two_records_are_alike(requester):
    one, two = twins()
    body = requester.read(f"suppliers/{one}/why/{two}/").json()
    assert body["why"] and body["band"] in ("link", "review", "none")
    assert body["thresholds"]["link"] > body["thresholds"]["review"] and body["confirmed"] == []
    assert requester.read(f"suppliers/{one}/why/code:none/").status_code == 404


def test_the_queue_and_a_judgement(steward):
    one, two = twins()
    comparisons.find_pairs(kind=get("supplier"), uids=[one, two])
    [pair] = steward.read("duplicates/?state=open").json()["results"]
    assert {pair["left"]["uid"], pair["right"]["uid"]} == {one, two}
    assert steward.read(f"duplicates/?record={one}").json()["results"][0]["uid"] == pair["uid"]
    decided = steward.post_json(f"duplicates/{pair['uid']}/decide/", {"judgement": "different", "reason": "Two sites."})
    assert decided.json()["state"] == "different"
    assert steward.read("duplicates/?state=open").json()["results"] == []
    assert caller("requester").post_json(f"duplicates/{pair['uid']}/decide/", {"judgement": "same"}).status_code == 403
    assert steward.post_json(f"duplicates/{pair['uid']}/decide/", {"judgement": "maybe"}).status_code == 400


def test_a_merge_is_previewed_proposed_and_approved(requester, approver):
    one, two = twins()
    body = {"survivor": one, "losers": [two], "choices": {"legal_name": two}}
    preview = requester.post_json("suppliers/merge/preview/", body)
    assert preview.status_code == 200, preview.content
    assert preview.json()["result"]["legal_name"] == "Bergbau Nord Gesellschaft mbH"
    assert IBAN not in preview.content.decode() and "bix" not in preview.content.decode()
    proposed = requester.post_json("suppliers/merge/", {**body, "reason": "One company."})
    assert proposed.status_code == 202 and proposed["Location"], proposed.content
    assert "bix" not in json.dumps(proposed.json())
    request = proposed.json()
    decided = approver.post_json(
        f"change-requests/{request['uid']}/approve/", {"content_hash": request["content_hash"]}
    )
    assert decided.json()["state"] == "applied", decided.content
    merged = requester.read(f"suppliers/{two}/")
    assert merged.status_code == 200
    assert merged.json()["status"] == "merged" and merged.json()["merged_into"] == one
    assert merged["Link"].endswith('rel="successor-version"') and one in merged["Link"]


@pytest.mark.parametrize("part", ["survivor", "losers", "choices"])
def test_a_merge_of_what_is_not_there(requester, part):
    one, two = twins()
    nobody = "00000000-0000-0000-0000-000000000000"
    body = {"survivor": one, "losers": [two], "choices": {}}
    body[part] = {"survivor": nobody, "losers": [nobody], "choices": {"legal_name": nobody}}[part]
    assert requester.post_json("suppliers/merge/preview/", body).status_code == 400
