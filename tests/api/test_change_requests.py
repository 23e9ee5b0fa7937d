"""Proposals and their review over REST: four eyes, what was seen, conflicts, edits, many at once."""

from __future__ import annotations

import pytest

from mdm.models import ApprovalPolicy, ChangeRequest, RecordVersion
from tests.api.callers import IBAN, OTHER_IBAN, Caller, caller, make_record

pytestmark = pytest.mark.django_db


def decide(by: Caller, request: dict, verdict: str = "approve", comment: str = "Because."):
    body = {"content_hash": request["content_hash"], "comment": comment}
    return by.post_json(f"change-requests/{request['uid']}/{verdict}/", body)


def propose_name(by: Caller, uid, name: str, version: int = 1):
    return by.patch_json(f"suppliers/{uid}/", {"legal_name": name, "_reason": "New name"}, If_Match=f'"{version}"')


def test_a_new_supplier_waits_for_approval_and_is_then_in_force(requester, approver):
    answer = requester.post_json("suppliers/", {"legal_name": "Neu GmbH", "country": "DE", "_reason": "We buy there."})
    assert answer.status_code == 202
    request = answer.json()
    assert answer["Location"].endswith(f"/api/v1/change-requests/{request['uid']}/")
    assert (request["state"], request["origin"], request["reason"]) == ("in_review", "api", "We buy there.")
    assert {d["path"] for d in request["items"][0]["diff"]} >= {"legal_name", "country"}
    decided = decide(approver, request)
    assert decided.status_code == 200 and decided.json()["state"] == "applied"
    uid = decided.json()["items"][0]["uid"]
    assert requester.read(f"suppliers/{uid}/").json()["legal_name"] == "Neu GmbH"


def test_policy_that_approves_by_itself_answers_with_the_record(steward):
    ApprovalPolicy.objects.create(name="Everything", auto_approve=True)
    made = steward.post_json("suppliers/", {"legal_name": "Sofort GmbH", "code": "X-1"})
    assert made.status_code == 201 and made["ETag"] == '"1"'
    body = made.json()
    assert body["change_request"]["state"] == "applied" and made["Location"].endswith(f"/suppliers/{body['uid']}/")
    changed = steward.patch_json(f"suppliers/{body['uid']}/", {"legal_name": "Später GmbH"}, If_Match='"1"')
    assert changed.status_code == 200 and changed.json()["version"] == 2 and changed["ETag"] == '"2"'
    blocked = steward.post_json(f"suppliers/{body['uid']}/block/")
    assert blocked.status_code == 200 and blocked.json()["status"] == "blocked"


def test_a_change_names_the_version_it_saw(requester):
    made = make_record("supplier")
    missing = requester.patch_json(f"suppliers/{made.uid}/", {"legal_name": "B"})
    assert missing.status_code == 428 and missing.json()["code"] == "precondition_required"
    stale = propose_name(requester, made.uid, "B", version=7)
    assert stale.status_code == 412 and stale.json()["current"] == "1"
    assert propose_name(requester, made.uid, "B").status_code == 202


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"legal_name": "A", "colour": "red"}, "colour"),
        ({"country": "DE"}, "legal_name"),
        ({"legal_name": "A", "country": "Germany"}, "country"),
        ({"legal_name": "A", "bank_accounts": [{"iban": "DE00"}]}, "bank_accounts/0/iban"),
        ({"legal_name": "A", "bank_accounts": [{"iban": "DE89…3000"}]}, "bank_accounts/0/iban"),
        ({"legal_name": "A", "bank_accounts": [{"iban": {"ct": "x", "bix": "y"}}]}, "bank_accounts/0/iban"),
        ({"legal_name": "A", "payment_terms": "NONE"}, "payment_terms"),
        ({"legal_name": "A", "addresses": "here"}, "addresses"),
        ({"legal_name": "A", "addresses": ["here"]}, "addresses/0"),
        ({"legal_name": "A", "version": 3}, "version"),
        ({"legal_name": "A", "code": "a b"}, "code"),
        ({"legal_name": "A", "code": 5}, "code"),
        ({"legal_name": "A", "_reason": 5}, "_reason"),
        ({"legal_name": "A", "_colour": 5}, "_colour"),
        ({"legal_name": "A", "_effective_on": "soon"}, "_effective_on"),
    ],
)
def test_what_is_wrong_with_a_document_is_said_with_its_path(requester, body, path):
    answer = requester.post_json("suppliers/", body)
    assert answer.status_code == 400
    assert path in [error["path"] for error in answer.json()["errors"]]
    assert not ChangeRequest.objects.exists()


def test_a_patch_of_rows(requester, approver):
    made = make_record("supplier", bank_accounts=[{"iban": IBAN}], addresses=[{"kind": "registered", "city": "Ulm"}])
    account = made.document["bank_accounts"][0]["uid"]
    patch = {
        "bank_accounts": [{"uid": account, "iban": "DE89…3000", "holder": "Neu"}, {"iban": OTHER_IBAN}],
        "addresses": [{"uid": made.document["addresses"][0]["uid"], "_end": True}],
    }
    answer = requester.patch_json(f"suppliers/{made.uid}/", patch, If_Match='"1"')
    assert answer.status_code == 202, answer.content
    diff = answer.json()["items"][0]["diff"]
    assert OTHER_IBAN not in answer.content.decode()
    assert {d["path"].split("/")[0] for d in diff} == {"bank_accounts", "addresses"}
    assert f"bank_accounts/{account}/iban" not in [d["path"] for d in diff]
    assert decide(approver, answer.json()).json()["state"] == "applied"
    after = RecordVersion.objects.get(uid=made.uid, version=2).document
    assert len(after["bank_accounts"]) == 2 and after["addresses"] == []


def test_nobody_approves_their_own(approver):
    request = approver.post_json("suppliers/", {"legal_name": "Mine"}).json()
    answer = decide(approver, request)
    assert answer.status_code == 403 and answer.json()["code"] == "four_eyes"
    [approve] = [a for a in request["allowed_actions"] if a["action"] == "approve"]
    assert not approve["allowed"] and approve["why_not"]


def test_what_is_approved_is_what_was_seen(requester, approver):
    request = requester.post_json("suppliers/", {"legal_name": "One"}).json()
    shown = requester.read(f"change-requests/{request['uid']}/")
    edited = requester.patch_json(
        f"change-requests/{request['uid']}/",
        {"items": [{"type": "suppliers", "action": "create", "document": {"legal_name": "Two"}}]},
        If_Match=shown["ETag"],
    )
    assert edited.status_code == 200, edited.content
    answer = decide(approver, request)
    assert answer.status_code == 409 and answer.json()["code"] == "content_changed"
    stale = requester.patch_json(f"change-requests/{request['uid']}/", {"title": "X"}, If_Match=shown["ETag"])
    assert stale.status_code == 412
    assert decide(approver, edited.json()).json()["state"] == "applied"
    again = decide(approver, edited.json())
    assert again.status_code == 409 and again.json()["code"] == "wrong_state"


def test_twice_by_one_person_is_409(requester, approver):
    policy = ApprovalPolicy.objects.create(name="Two of them", types=["supplier"])
    policy.steps.create(order=1, role="approver", quorum=2)
    request = requester.post_json("suppliers/", {"legal_name": "One"}).json()
    assert decide(approver, request).json()["state"] == "in_review"
    again = decide(approver, request)
    assert again.status_code == 409 and again.json()["code"] == "already_done"
    second = caller("approver")
    assert decide(second, request).json()["state"] == "applied"


def test_rejecting_returning_and_withdrawing(requester, approver):
    def new() -> dict:
        return requester.post_json("suppliers/", {"legal_name": "One"}).json()

    assert decide(approver, new(), "reject", "").status_code == 400
    assert decide(approver, new(), "reject").json()["state"] == "rejected"
    returned = decide(approver, new(), "return").json()
    assert returned["state"] == "returned"
    assert requester.post_json(f"change-requests/{returned['uid']}/submit/").json()["state"] == "in_review"
    answer = requester.post_json(f"change-requests/{new()['uid']}/withdraw/", {"comment": "No longer needed."})
    assert answer.json()["state"] == "withdrawn"


def test_a_draft_with_several_items(requester, approver):
    made = make_record("supplier")
    items = [
        {"type": "suppliers", "uid": f"code:{made.document['code']}", "changes": {"legal_name": "Renamed"}},
        {"type": "payment_term", "action": "create", "document": {"name": "Net 7", "net_days": 7}},
        {"type": "supplier", "uid": str(made.uid), "action": "block"},
    ]
    answer = requester.post_json("change-requests/", {"title": "Both", "draft": True, "items": items[:2]})
    assert answer.status_code == 202, answer.content
    assert answer.json()["state"] == "draft" and answer.json()["items_count"] == 2
    submitted = requester.post_json(f"change-requests/{answer.json()['uid']}/submit/").json()
    assert decide(approver, submitted).json()["state"] == "applied"
    shown = requester.read(f"change-requests/{submitted['uid']}/items/?page_size=1").json()
    assert len(shown["results"]) == 1 and shown["next"]


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"type": "planets", "action": "create", "document": {}}, "items/0/type"),
        ({"type": "suppliers", "changes": {}}, "items/0/uid"),
        ({"type": "suppliers", "action": "create"}, "items/0/changes"),
        ({"type": "suppliers", "action": "merge", "uid": "x"}, "items/0/action"),
        ({"type": "suppliers", "action": "create", "document": {}, "colour": 1}, "items/0/colour"),
    ],
)
def test_items_that_are_wrong(requester, item, path):
    answer = requester.post_json("change-requests/", {"items": [item]})
    assert answer.status_code == 400
    assert path in [error["path"] for error in answer.json()["errors"]]


def test_a_conflict_is_settled_by_a_person(requester, approver):
    made = make_record("supplier", legal_name="Base")
    mine = propose_name(requester, made.uid, "Mine").json()
    theirs = propose_name(caller("requester"), made.uid, "Theirs").json()
    assert decide(approver, theirs).json()["state"] == "applied"
    conflicted = decide(approver, mine).json()
    assert conflicted["state"] == "conflicted"
    [conflict] = conflicted["items"][0]["conflicts"]
    assert (conflict["base"], conflict["proposed"], conflict["current"]) == ("Base", "Mine", "Theirs")
    unsettled = requester.post_json(f"change-requests/{mine['uid']}/resolve/", {"choices": {}})
    assert unsettled.status_code == 400
    settled = requester.post_json(f"change-requests/{mine['uid']}/resolve/", {"choices": {"legal_name": "proposed"}})
    assert settled.status_code == 200 and settled.json()["state"] == "in_review", settled.content


def test_undoing_proposes_the_inverse(requester, approver):
    made = make_record("supplier", legal_name="Before")
    request = propose_name(requester, made.uid, "After").json()
    decide(approver, request)
    undo = requester.post_json(f"change-requests/{request['uid']}/revert/", {"comment": "A mistake."})
    assert undo.status_code == 202, undo.content
    assert undo.json()["reverts"] == request["uid"]
    assert undo.json()["items"][0]["diff"] == [{"path": "legal_name", "before": "After", "after": "Before"}]


def test_many_decisions_at_once(requester, approver):
    good = requester.post_json("suppliers/", {"legal_name": "Good"}).json()
    own = approver.post_json("suppliers/", {"legal_name": "Own"}).json()
    wanted = [{"uid": r["uid"], "content_hash": r["content_hash"]} for r in (good, own)]
    wanted.append({"uid": "00000000-0000-0000-0000-000000000000", "content_hash": "x"})
    answer = approver.post_json("change-requests/bulk-decision/", {"verdict": "approve", "requests": wanted})
    assert [(r["ok"], r["code"]) for r in answer.json()["results"]] == [
        (True, None),
        (False, "four_eyes"),
        (False, "not_found"),
    ]
    assert ChangeRequest.objects.get(uid=good["uid"]).state == "applied"


def test_inbox_and_lists(requester, approver):
    request = requester.post_json("suppliers/", {"legal_name": "One"}).json()
    uids = lambda answer: [r["uid"] for r in answer.json()["results"]]  # noqa: E731
    assert uids(approver.read("inbox/")) == [request["uid"]]
    assert uids(requester.read("inbox/")) == []
    assert uids(requester.read("inbox/?tab=sent")) == [request["uid"]]
    assert uids(requester.read("change-requests/?requester=me&state__in=in_review,draft")) == [request["uid"]]
    assert uids(requester.read("change-requests/?type=payment-terms")) == []
    assert uids(requester.read(f"change-requests/?record={request['items'][0]['uid']}")) == [request["uid"]]
    assert uids(requester.read(f"change-requests/?number={request['number']}")) == [request["uid"]]
    assert requester.read(f"change-requests/{request['number']}/").json()["uid"] == request["uid"]
    assert requester.read("change-requests/?state__in=asleep").status_code == 400


def test_a_list_of_requests_takes_a_fixed_number_of_queries(requester, approver, django_assert_max_num_queries):
    for number in range(6):
        requester.post_json("suppliers/", {"legal_name": f"Firma {number}"})
    approver.read("change-requests/")
    with django_assert_max_num_queries(12):
        assert len(approver.read("change-requests/").json()["results"]) == 6


def test_comments_are_shown(requester, approver):
    request = requester.post_json("suppliers/", {"legal_name": "One"}).json()
    answer = approver.post_json(f"change-requests/{request['uid']}/comment/", {"comment": "Which one?"})
    assert [c["text"] for c in answer.json()["comments"]] == ["Which one?"]
    assert approver.post_json(f"change-requests/{request['uid']}/comment/", {"comment": " "}).status_code == 400


def test_nobody_decides_on_what_they_cannot_see(requester):
    for code in ("NH01", "NH20"):
        make_record("legal_entity", code=code, name=code)
    body = {"legal_name": "Both", "extensions": [{"legal_entity": "NH01"}, {"legal_entity": "NH20"}]}
    request = requester.post_json("suppliers/", body).json()
    scoped = caller("approver", "steward", entities=("NH01",))
    shown = scoped.read(f"change-requests/{request['uid']}/").json()
    assert shown["items"][0]["hidden"] > 0 and "NH20" not in str(shown["items"])
    answer = decide(scoped, request)
    assert answer.status_code == 403 and answer.json()["code"] == "hidden_paths"
    foreign = scoped.post_json("suppliers/", {"legal_name": "X", "extensions": [{"legal_entity": "NH20"}]})
    assert foreign.status_code == 400 and foreign.json()["errors"][0]["code"] == "foreign_entity"


def test_a_request_with_a_type_one_may_not_read_is_not_there(requester):
    request = requester.post_json("suppliers/", {"legal_name": "One"}).json()
    narrow = caller("steward", scopes=["read:payment-terms"])
    assert narrow.read(f"change-requests/{request['uid']}/").status_code == 404
    assert narrow.read("change-requests/").json()["results"] == []
