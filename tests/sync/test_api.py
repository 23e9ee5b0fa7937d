"""Sync over REST: scopes, the ledger, exceptions, drift, and operating targets; every answer as documented."""

from __future__ import annotations

import pytest

from mdm import correlation
from mdm.models import ApprovalPolicy, Crosswalk
from sync.models import Delivery, ExceptionItem, Target
from sync.services import drift
from tests.api.callers import caller
from tests.sync import world
from tests.sync.world import Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


@pytest.fixture
def operator(transactional_db):
    return caller("operator", "steward")


@pytest.mark.parametrize(
    "path", ["targets/", "deliveries/", "exceptions/", "drift-runs/", "drift-findings/", "targets/coupa/"]
)
def test_reading_needs_the_scope(path, transactional_db):
    assert caller("requester").read(path).status_code == 403
    assert caller().read(path).status_code == 403


def test_operating_needs_more_than_reading(coupa):
    auditor = caller("auditor")
    assert auditor.read("targets/coupa/").status_code == 200
    for path, body in (
        ("targets/coupa/pause/", {"reason": "x"}),
        ("targets/coupa/check/", {}),
        ("deliveries/replay/", {"filter": {"target": "coupa"}}),
        ("drift-runs/", {"target": "coupa"}),
    ):
        assert auditor.post_json(path, body).status_code == 403, path


def test_targets_pause_resume_check_and_push(coupa, operator):
    uid = world.supplier()
    assert operator.post_json("targets/coupa/pause/", {}).status_code == 400
    paused = operator.post_json("targets/coupa/pause/", {"reason": "month end"}).json()
    assert paused["state"] == "paused" and paused["paused"]["reason"] == "month end"
    assert operator.post_json("targets/coupa/pause/", {"reason": "again"}).status_code == 409
    assert not world.send_now()
    waiting = operator.read("targets/coupa/").json()
    assert waiting["queue"]["open"] == 1
    assert operator.post_json("targets/coupa/resume/").json()["paused"] is None
    assert world.send_now() == {"posted": 1}

    checked = operator.post_json("targets/coupa/check/").json()
    assert checked["ok"] and checked["pushable"]["bank_accounts"] is False
    shown = operator.read("targets/coupa/").json()
    assert (shown["state"], shown["capability"], shown["types"]) == ("healthy", "C", ["supplier"])
    assert shown["last_success_at"] and shown["pushable"]["bank_accounts"] is False

    counted = operator.post_json("targets/coupa/push/", {"dry_run": True})
    assert counted.status_code == 202 and counted.json()["counts"]["queued"] == 1 and Delivery.objects.count() == 1
    assert counted.json()["job"] is None
    pushed = operator.post_json("targets/coupa/push/", {"type": "supplier", "records": [uid]}).json()
    assert len(pushed["deliveries"]) == 1
    again = operator.post_json("targets/coupa/push/", {"type": "supplier", "records": [uid]}).json()
    assert (again["counts"]["queued"], again["counts"]["already_waiting"]) == (0, 1)
    assert world.send_now() == {"posted": 1}
    assert Delivery.objects.latest("pk").effect == "unchanged"
    assert operator.post_json("targets/coupa/push/", {"records": [uid]}).status_code == 400
    assert operator.post_json("targets/coupa/push/", {"type": "unicorn"}).status_code in (400, 404, 409)
    assert operator.read("targets/nowhere/").status_code == 404


def test_the_ledger(coupa, operator, django_assert_max_num_queries):
    correlation.adopt("the-first-one")
    uid = world.supplier()
    correlation.adopt("the-others")
    for number in range(4):
        world.supplier(legal_name=f"Liste {number} GmbH", tax_registrations=[])
    world.send_now()
    with django_assert_max_num_queries(9):
        page = operator.read("deliveries/?target=coupa&state=posted&page_size=4").json()
    assert len(page["results"]) == 4 and page["next"]
    assert len(operator.read(page["next"]).json()["results"]) == 1
    (mine,) = operator.read(f"deliveries/?record={uid}").json()["results"]
    assert {"uid", "target", "type", "record", "target_key", "version", "seq", "reason", "state", "correlation_id",
            "created_at", "posted_at", "verified", "attempts"} <= set(mine)  # fmt: skip
    assert "exchanges" not in mine["attempts"][0]
    one = operator.read(f"deliveries/{mine['uid']}/").json()
    methods = [exchange["method"] for exchange in one["attempts"][0]["exchanges"]]
    assert "POST" in methods and "mdm-sandbox-secret" not in str(one)
    found = operator.read(f"deliveries/?correlation_id={mine['correlation_id']}").json()["results"]
    assert [row["uid"] for row in found] == [mine["uid"]] and mine["correlation_id"] == "the-first-one"
    assert operator.read("deliveries/?colour=red").status_code == 400
    assert operator.read("deliveries/?state=lost").status_code == 400
    assert operator.read("deliveries/no-uid/").status_code == 404
    status = operator.read(f"suppliers/{uid}/deliveries/").json()["results"]
    assert [(row["target"], row["state"], row["version"]) for row in status] == [("coupa", "in_sync", 1)]


def test_exceptions_are_assigned_retried_and_cancelled(coupa, operator):
    _, side = coupa
    side.fault("refuse", "POST /api/suppliers", 3)
    for number in range(3):
        world.supplier(legal_name=f"Nein {number} GmbH", tax_registrations=[])
    assert world.send_now() == {"rejected": 3}
    page = operator.read("exceptions/?state=open&target=coupa").json()["results"]
    assert len(page) == 3 and page[0]["message"]
    first, second, third = (row["uid"] for row in page)

    assert operator.post_json(f"exceptions/{first}/assign/").json()["assignee"] == operator.user.username
    assert operator.post_json(f"exceptions/{first}/assign/", {"user": "nobody"}).status_code == 400
    retried = operator.post_json(f"exceptions/{first}/retry/").json()
    assert (retried["state"], retried["corrected"]) == ("retrying", False) and retried["corrected_by"]
    assert operator.post_json(f"exceptions/{first}/retry/").status_code == 409
    assert world.send_now() == {"posted": 1}
    arrived = operator.read(f"exceptions/{first}/").json()
    assert (arrived["state"], arrived["corrected"]) == ("corrected", True)
    followed = operator.read(f"deliveries/{arrived['corrected_by']}/").json()
    assert followed["corrects"] == [arrived["delivery"]]
    assert operator.read(f"deliveries/{arrived['delivery']}/").json()["exception"] == first

    assert operator.post_json(f"exceptions/{second}/cancel/", {}).status_code == 400
    assert operator.post_json(f"exceptions/{second}/cancel/", {"reason": "not needed"}).json()["state"] == "cancelled"
    assert operator.post_json(f"exceptions/{third}/resolve/", {"note": "entered by hand"}).json()["state"] == "resolved"
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["cancelled", "posted", "rejected", "rejected"]


def test_a_missing_value_is_mapped_by_the_exception(coupa, operator):
    world.propose("payment_term", {"code": "NET37", "name": "Odd", "net_days": 37})
    world.supplier(payment_terms="NET37")
    world.supplier(payment_terms="NET37", legal_name="Auch GmbH", tax_registrations=[])
    assert world.send_now() == {"rejected": 2}
    item = ExceptionItem.objects.first()
    shown = operator.post_json(f"exceptions/{item.uid}/resolve/", {"theirs": "Net 30"}).json()
    assert shown["state"] == "retrying" and shown["path"] == "payment_terms"
    assert world.send_now() == {"posted": 2}
    assert set(ExceptionItem.objects.values_list("state", flat=True)) == {"corrected"}


def test_replay_looks_first_and_repeating_it_changes_nothing(coupa, operator):
    _, side = coupa
    Target.objects.update(max_attempts=1)
    side.fault("500", "GET /api/suppliers", 2)
    for number in range(2):
        world.supplier(legal_name=f"Nochmal {number} GmbH", tax_registrations=[])
    assert world.send_until_settled() == {"failed": 2}
    dry = operator.post_json("deliveries/replay/", {"filter": {"target": "coupa"}})
    assert dry.status_code == 200 and dry.json()["counts"]["queued"] == 2 and dry.json()["jobs"] == []
    assert Delivery.objects.count() == 2
    go = {"filter": {"target": "coupa"}, "dry_run": False}
    (job,) = operator.post_json("deliveries/replay/", go).json()["jobs"]
    assert (job["kind"], job["state"], job["total"]) == ("replay", "running", 2)
    again = operator.post_json("deliveries/replay/", go).json()
    assert (again["counts"]["found"], again["jobs"]) == (0, [])
    assert world.send_until_settled() == {"posted": 2}
    assert {row.corrected_by.state for row in Delivery.objects.filter(state="failed")} == {"posted"}
    for wrong in ({}, {"filter": {}}, {"filter": {"colour": "red"}}, {"filter": {"created_from": "soon"}}):
        assert operator.post_json("deliveries/replay/", wrong).status_code == 400, wrong


def test_drift_from_the_request_to_the_repair(coupa, operator):
    _, side = coupa
    uid = world.supplier()
    world.send_now()
    key = Crosswalk.objects.get().key
    side.mutate(key, "name", "Somebody Else Ltd")
    side.mutate(key, "website", "https://else.example")
    asked = operator.post_json("drift-runs/", {"target": "coupa", "type": "supplier"})
    assert asked.status_code == 202 and asked.json()["state"] == "queued"
    drift.run(asked.json()["uid"])
    run = operator.read(asked["Location"]).json()
    assert (run["state"], run["counts"]["different"], run["progress"]) == ("done", 2, 1.0)
    found = operator.read(f"drift-findings/?run={run['uid']}&state=open").json()["results"]
    assert {(row["field"], row["cause"], row["record"]) for row in found} == {
        ("name", "changed_in_target", uid),
        ("website", "changed_in_target", uid),
    }
    name, website = sorted(found, key=lambda row: row["field"])
    assert (name["golden"], name["target_value"]) == ("Nordlicht Papier GmbH", "Somebody Else Ltd")

    pushed = operator.post_json(f"drift-findings/{name['uid']}/push/").json()
    assert pushed["state"] == "pushed" and pushed["delivery"]
    ignored = operator.post_json(f"drift-findings/{website['uid']}/ignore/", {"reason": "theirs to keep"}).json()
    assert ignored["state"] == "ignored"
    assert operator.post_json(f"drift-findings/{website['uid']}/ignore/", {}).status_code == 400
    assert world.send_now() == {"posted": 1}
    for waiting in drift.waiting():
        drift.run(waiting)
    assert operator.read(f"drift-findings/{name['uid']}/").json()["state"] == "resolved"
    assert operator.post_json(f"drift-findings/{name['uid']}/push/").status_code == 409

    assert operator.post_json("drift-runs/", {"target": "nowhere"}).status_code == 400
    assert operator.post_json("drift-runs/", {"target": "coupa", "type": "unicorn"}).status_code == 400


def test_adopting_asks_for_approval_like_any_change(coupa, operator):
    _, side = coupa
    world.supplier()
    world.send_now()
    side.mutate(Crosswalk.objects.get().key, "primary-address.city", "Kiel")
    run = operator.post_json("drift-runs/", {"target": "coupa"}).json()
    drift.run(run["uid"])
    ApprovalPolicy.objects.all().delete()
    (found,) = operator.read("drift-findings/?state=open").json()["results"]
    adopted = operator.post_json(f"drift-findings/{found['uid']}/adopt/", {"reason": "they moved"}).json()
    assert adopted["state"] == "adopting" and adopted["change_request"]
    request = operator.read(f"change-requests/{adopted['change_request']}/").json()
    assert request["state"] == "in_review"
    assert [(row["before"], row["after"]) for row in request["items"][0]["diff"]] == [("Hamburg", "Kiel")]
