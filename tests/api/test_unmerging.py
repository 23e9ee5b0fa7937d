"""Undoing merges over REST: preview, proposal by request or by record, the blocker by number, and the block lifted."""

from __future__ import annotations

import pytest

from mdm.models import ChangeRequest, MergeBlock
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
