"""Undoing merges over REST: preview, proposal by request or by record, the blocker by number, and the block lifted."""

from __future__ import annotations

import pytest
from django.utils import timezone

from mdm.models import ChangeRequest, MergeBlock, SourceRecord
from mdm.services import crosswalks
from tests.api.callers import IBAN, caller, make_record
from tests.people import system

pytestmark = pytest.mark.django_db


def approved(answer, approver):
    assert answer.status_code == 202, answer.content
    body = answer.json()
    done = approver.post_json(f"change-requests/{body['uid']}/approve/", {"content_hash": body["content_hash"]}).json()
    assert done["state"] == "applied", done
    return done


@pytest.fixture
def merged(requester, approver):
    """Two suppliers, each with a key, and the applied merge of the second into the first."""
    one = str(make_record("supplier", legal_name="Bergbau Nord GmbH").uid)
    two = str(
        make_record(
            "supplier", legal_name="Bergbau Nord", website="nord.example", bank_accounts=[{"iban": IBAN, "holder": "B"}]
        ).uid
    )
    for key, uid in (("1", one), ("2", two)):
        crosswalks.link(system=system("erp"), type="supplier", key=key, uid=uid)
    change = approved(requester.post_json("suppliers/merge/", {"losers": [two, one]}), approver)
    return one, two, change


def test_preview_proposal_and_what_is_there_afterwards(requester, approver, merged):
    one, two, change = merged
    path = f"change-requests/{change['number']}/unmerge/"
    answer = requester.post_json(f"{path}preview/", {})
    assert answer.status_code == 200, answer.content
    assert IBAN not in answer.content.decode()
    seen = answer.json()
    assert (seen["survivor"]["uid"], [r["document"]["uid"] for r in seen["restored"]]) == (one, [two])
    assert seen["targets"] == [
        {
            "system": "erp",
            "title": "Erp",
            "told": False,
            "updates": ["1"],
            "unblocks": ["2"],
            "blocks": [],
            "creates": [],
        }
    ]
    assert [(k["key"], k["uid"], k["after"]) for k in seen["crosswalks"]] == [("1", one, one), ("2", one, two)]
    assert ChangeRequest.objects.filter(kind="unmerge").count() == 0

    done = approved(requester.post_json(path, {"reason": "Two companies."}), approver)
    assert (done["kind"], done["reverts"]) == ("unmerge", change["uid"])
    back = requester.read(f"suppliers/{two}/").json()
    assert back["status"] == "active" and "merged_into" not in back and back["website"] == "nord.example"
    assert requester.read(f"suppliers/{one}/").json()["website"] is None
    assert requester.read("crosswalks/?system=erp&key=2").json()["results"][0]["uid"] == two
    again = requester.post_json(path, {})
    assert again.status_code == 409 and done["number"] in again.json()["detail"]


def test_by_the_record_that_comes_back(requester, approver, merged):
    one, two, _ = merged
    assert requester.post_json(f"suppliers/{two}/unmerge/", {"merged_uid": one}).status_code == 400
    stranger = str(make_record("supplier", legal_name="Other").uid)
    refused = requester.post_json(f"suppliers/{stranger}/unmerge/", {"merged_uid": two})
    assert refused.status_code == 400 and refused.json()["errors"][0]["path"] == "merged_uid"
    approved(requester.post_json(f"suppliers/{one}/unmerge/", {"merged_uid": two, "reason": "No."}), approver)
    assert requester.read(f"suppliers/{two}/").json()["status"] == "active"


def source(code, key, uid):
    """What a platform said of a record, linked to it."""
    crosswalks.link(system=system(code), type="supplier", key=key, uid=uid)
    document = {"legal_name": f"{code} {key}", "country": "DE"}
    return SourceRecord.objects.create(
        system=system(code), type="supplier", key=key, golden_uid=uid, digest=key, document=document,
        received_at=timezone.now(), outcome="new",
    )  # fmt: skip


@pytest.fixture
def of_sources(requester, approver):
    """A record with a source, a linked one besides, and a merged record that brought two more."""
    one = str(make_record("supplier", legal_name="Bergbau Nord GmbH").uid)
    two = str(make_record("supplier", legal_name="Bergbau Nord").uid)
    source("erp", "1", one)
    source("buy", "9", one)
    source("erp", "2", two)
    source("pay", "2", two)
    approved(requester.post_json("suppliers/merge/", {"survivor": one, "losers": [two]}), approver)
    return one, two


def named(*pairs):
    return {"source_records": [{"system": code, "key": key} for code, key in pairs], "reason": "Two companies."}


def test_by_the_source_records_that_leave_the_merge_they_came_with_is_undone(requester, approver, of_sources):
    one, two = of_sources
    path = f"suppliers/{one}/unmerge/"
    partly = requester.post_json(path, named(("erp", "2")))
    assert partly.status_code == 400 and partly.json()["errors"][0]["code"] == "goes_along"
    assert "pay 2 came with it" in partly.json()["detail"]
    done = approved(requester.post_json(path, named(("erp", "2"), ("pay", "2"))), approver)
    assert done["kind"] == "unmerge" and {item["uid"] for item in done["items"]} == {one, two}
    assert requester.read(f"suppliers/{two}/").json()["status"] == "active"
    at = dict(SourceRecord.objects.values_list("system__code", "golden_uid").filter(key="2"))
    assert {str(uid) for uid in at.values()} == {two}
    gone = requester.post_json(path, named(("erp", "2")))
    assert gone.status_code == 400 and gone.json()["errors"][0]["code"] == "unknown_source"


def test_source_records_that_were_linked_go_to_a_record_of_their_own(requester, approver, of_sources):
    one, two = of_sources
    path = f"suppliers/{one}/unmerge/"
    source("crm", "9", one)
    silent = requester.post_json(path, {**named(("buy", "9")), "reason": ""})
    assert silent.status_code == 400 and silent.json()["errors"][0]["path"] == "reason"
    done = approved(requester.post_json(path, named(("buy", "9"), ("crm", "9"))), approver)
    assert [item["action"] for item in done["items"]] == ["detach", "create"]
    fresh = done["items"][1]["uid"]
    assert {str(s.golden_uid) for s in SourceRecord.objects.filter(key="9")} == {fresh}
    assert {row["uid"] for row in requester.read("crosswalks/?key=9").json()["results"]} == {fresh}
    assert fresh not in (one, two) and str(SourceRecord.objects.get(key="1").golden_uid) == one


def test_source_records_that_came_in_different_ways_are_named_separately(requester, of_sources):
    one, _ = of_sources
    answer = requester.post_json(f"suppliers/{one}/unmerge/", named(("buy", "9"), ("erp", "2"), ("pay", "2")))
    assert answer.status_code == 400 and answer.json()["errors"][0]["code"] == "came_differently"
    assert "buy 9 was linked here" in answer.json()["detail"] and "erp 2 came with CR-" in answer.json()["detail"]
    for body in ({}, {**named(("erp", "2")), "merged_uid": one}):
        assert requester.post_json(f"suppliers/{one}/unmerge/", body).status_code == 400
    assert not ChangeRequest.objects.filter(kind__in=("unmerge", "detach")).exists()


def test_of_two_merges_the_last_that_brought_a_source_record_is_undone(requester, approver, of_sources):
    one, two = of_sources
    three = str(make_record("supplier", legal_name="Three").uid)
    source("erp", "3", three)
    later = approved(requester.post_json("suppliers/merge/", {"survivor": three, "losers": [one]}), approver)
    path = f"suppliers/{three}/unmerge/"
    partly = requester.post_json(path, named(("erp", "2"), ("pay", "2"))).json()
    assert partly["errors"][0]["code"] == "goes_along" and later["number"] in partly["detail"]
    everything = named(("erp", "1"), ("buy", "9"), ("erp", "2"), ("pay", "2"))
    approved(requester.post_json(path, everything), approver)
    assert [requester.read(f"suppliers/{uid}/").json()["status"] for uid in (one, two)] == ["active", "merged"]
    approved(requester.post_json(f"suppliers/{one}/unmerge/", named(("erp", "2"), ("pay", "2"))), approver)
    assert requester.read(f"suppliers/{two}/").json()["status"] == "active"


def test_a_later_merge_is_named(requester, approver, merged):
    one, _, change = merged
    three = str(make_record("supplier", legal_name="Three").uid)
    later = approved(requester.post_json("suppliers/merge/", {"survivor": three, "losers": [one]}), approver)
    for part in ("unmerge/preview/", "unmerge/"):
        refused = requester.post_json(f"change-requests/{change['uid']}/{part}", {})
        assert refused.status_code == 409
        assert refused.json()["blocker"] == later["number"] and f"Undo {later['number']}" in refused.json()["detail"]


def test_kept_apart_until_a_steward_lifts_it(requester, approver, steward, merged):
    one, two, change = merged
    done = approved(requester.post_json(f"change-requests/{change['uid']}/unmerge/", {}), approver)
    refused = requester.post_json("suppliers/merge/", {"survivor": one, "losers": [two]})
    assert (refused.status_code, refused.json()["code"]) == (409, "kept_apart")
    (block,) = steward.read(f"merge-blocks/?record={two}").json()["results"]
    assert (block["uid"], block["change_request"], block["lifted_at"]) == (
        refused.json()["block"],
        done["number"],
        None,
    )
    (shown,) = requester.post_json("suppliers/merge/preview/", {"losers": [one, two]}).json()["blocks"]
    assert shown["uid"] == block["uid"]
    lift = f"merge-blocks/{block['uid']}/lift/"
    assert requester.post_json(lift, {"reason": "One after all."}).status_code == 403
    assert steward.post_json(lift, {"reason": " "}).status_code == 400
    assert MergeBlock.objects.filter(lifted_at=None).count() == 1
    lifted = steward.post_json(lift, {"reason": "One after all."}).json()
    assert (lifted["lifted_by"], lifted["lift_reason"]) == (steward.user.get_username(), "One after all.")
    assert steward.read(f"merge-blocks/?record={two}").json()["results"] == []
    assert requester.post_json("suppliers/merge/", {"survivor": one, "losers": [two]}).status_code == 202


def test_what_belongs_to_other_companies_is_not_undone_unseen(approver, requester):
    make_record("legal_entity", code="NH20", name="Nordhaven France SAS", country="FR", currency="EUR")
    one = str(make_record("supplier", legal_name="A").uid)
    two = str(make_record("supplier", legal_name="B", extensions=[{"legal_entity": "NH20"}]).uid)
    change = approved(requester.post_json("suppliers/merge/", {"survivor": one, "losers": [two]}), approver)
    stranger = caller("steward", entities=("NH10",))
    for part in ("unmerge/preview/", "unmerge/"):
        refused = stranger.post_json(f"change-requests/{change['uid']}/{part}", {})
        assert (refused.status_code, refused.json()["code"]) == (403, "hidden_paths")
    assert not ChangeRequest.objects.filter(kind="unmerge").exists()


def test_rows_that_are_not_to_survive(requester):
    address = {"kind": "remit_to", "lines": ["1"], "city": "Bonn", "country": "DE"}
    one = str(make_record("supplier", legal_name="A").uid)
    two = str(make_record("supplier", legal_name="B", addresses=[address]).uid)
    row = requester.read(f"suppliers/{two}/").json()["addresses"][0]["uid"]
    body = {"survivor": one, "losers": [two]}
    kept = requester.post_json("suppliers/merge/preview/", body).json()
    dropped = requester.post_json("suppliers/merge/preview/", {**body, "drops": [f"addresses/{row}"]}).json()
    assert [r["city"] for r in kept["result"]["addresses"]] == ["Bonn"] and dropped["result"]["addresses"] == []
    assert requester.post_json("suppliers/merge/preview/", {**body, "drops": ["addresses/x"]}).status_code == 400
