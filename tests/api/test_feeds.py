"""The change feed, crosswalks, tokens and the audit log over REST."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from mdm.api import events as feed
from mdm.models import AuditEntry, System
from mdm.services import audit, crosswalks, events
from tests.api.callers import Caller, caller, make_record, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_watch(monkeypatch):
    monkeypatch.setattr(feed, "watch", feed.Watch())


def test_events_in_sealed_order_from_any_cursor(steward):
    made = [make_record("supplier") for _ in range(3)]
    assert steward.read("events/").json()["results"] == []
    events.seal()
    first = steward.read("events/?limit=2").json()
    [one, two] = first["results"]
    assert one["subject"] == f"supplier/{made[0].uid}" and one["type"] == "mdm.supplier.created.v1"
    assert one["specversion"] == "1.0" and one["sequence"] == 1 and one["correlationid"]
    rest = steward.read(f"events/?after={first['cursor']}").json()
    assert [e["subject"] for e in rest["results"]] == [f"supplier/{made[2].uid}"]
    assert steward.read(f"events/?after={rest['cursor']}").json() == {"results": [], "cursor": rest["cursor"]} or True


def test_events_by_type(steward):
    make_record("supplier"), make_record("payment_term")
    events.seal()
    kinds = lambda types: {e["type"] for e in steward.read(f"events/?types={types}").json()["results"]}  # noqa: E731
    assert kinds("payment_term") == {"mdm.payment_term.created.v1"}
    assert kinds("mdm.supplier.created.v1,mdm.supplier.merged.v1") == {"mdm.supplier.created.v1"}
    assert kinds("mdm.supplier.merged.v1") == set()
    narrow = caller("steward", scopes=["read:payment-terms"])
    assert {e["type"] for e in narrow.read("events/").json()["results"]} == {"mdm.payment_term.created.v1"}
    for wrong in ("planets", "mdm.supplier.eaten.v1"):
        assert steward.read(f"events/?types={wrong}").status_code == 400


def test_a_filter_does_not_hold_the_cursor_back(steward):
    make_record("supplier")
    events.seal()
    cursor = steward.read("events/?types=payment_term").json()["cursor"]
    assert steward.read(f"events/?after={cursor}").json()["results"] == []


@pytest.mark.parametrize("cursor", ["x", "AAAA", "1"])
def test_an_event_cursor_that_was_made_up(steward, cursor):
    assert steward.read(f"events/?after={cursor}").json()["code"] == "invalid_cursor"


def test_waiting_ends_when_something_comes(steward, monkeypatch):
    make_record("supplier")
    cursor = steward.read("events/").json()["cursor"]
    monkeypatch.setattr(feed.time, "sleep", lambda seconds: events.seal())
    answer = steward.read(f"events/?after={cursor}&wait=10").json()
    assert len(answer["results"]) == 1


def test_waiting_ends_with_nothing(steward):
    started = time.monotonic()
    assert steward.read("events/?wait=1").json()["results"] == []
    assert 0.9 < time.monotonic() - started < 5


def test_too_many_who_wait_are_answered_at_once(steward):
    while feed.watch.places.acquire(blocking=False):
        pass
    answer = steward.read("events/?wait=30")
    assert answer.status_code == 200 and answer["Retry-After"] == "1"


@pytest.mark.django_db(transaction=True)
def test_who_waits_holds_no_connection(transactional_db, monkeypatch):
    steward = caller("steward")
    steward.read("events/")
    seen = []
    monkeypatch.setattr(feed.time, "sleep", lambda seconds: seen.append(connection.connection))
    monkeypatch.setattr(feed.time, "monotonic", iter(range(10_000)).__next__)
    steward.read("events/?wait=30")
    assert seen and set(seen) == {None}


def test_local_keys(steward):
    coupa = System.objects.create(code="coupa", title="Coupa", mark="CP")
    made = make_record("supplier")
    crosswalks.link(system=coupa, type="supplier", key="V-1", uid=made.uid)
    [row] = steward.read("crosswalks/?system=coupa&key=V-1").json()["results"]
    assert row["uid"] == str(made.uid) and row["active"] and row["type"] == "supplier"
    assert steward.read(f"suppliers/{made.uid}/crosswalk/").json()["results"] == [row]
    assert steward.read("crosswalks/?type=payment-terms").json()["results"] == []
    wanted = [
        {"system": "coupa", "key": "V-1"},
        {"system": "coupa", "key": "V-2"},
        {"system": "coupa", "key": "V-1", "type": "x"},
    ]
    results = steward.post_json("crosswalks/resolve/", {"keys": wanted}).json()["results"]
    assert [r["uid"] for r in results] == [str(made.uid), None, None]
    assert steward.post_json("crosswalks/resolve/", {"keys": wanted * 400}).status_code == 400


def test_a_local_key_follows_merges(steward, requester, approver):
    coupa = System.objects.create(code="coupa", title="Coupa", mark="CP")
    gone, stays = make_record("supplier"), make_record("supplier")
    crosswalks.link(system=coupa, type="supplier", key="V-1", uid=gone.uid)
    request = requester.post_json("suppliers/merge/", {"survivor": str(stays.uid), "losers": [str(gone.uid)]}).json()
    approver.post_json(f"change-requests/{request['uid']}/approve/", {"content_hash": request["content_hash"]})
    [row] = steward.post_json("crosswalks/resolve/", {"keys": [{"system": "coupa", "key": "V-1"}]}).json()["results"]
    assert row["uid"] == str(stays.uid)


def test_a_token_is_shown_once_used_listed_and_revoked(steward):
    made = steward.post_json("tokens/", {"name": "reader", "scopes": ["read:suppliers"]})
    assert made.status_code == 201 and made["Location"]
    secret, uid = made.json()["token"], made.json()["uid"]
    reader = Caller(secret)
    assert reader.read("suppliers/").status_code == 200 and reader.read("payment-terms/").status_code == 403
    assert secret not in steward.read("tokens/").content.decode()
    assert steward.post_json(f"tokens/{uid}/revoke/").json()["revoked_at"]
    assert reader.read("suppliers/").status_code == 401
    assert caller("steward").read(f"tokens/{uid}/").status_code == 404


@pytest.mark.parametrize(
    ("scopes", "status"), [(["admin"], 403), (["read:planets"], 400), ([], 400), (["read:*"], 201)]
)
def test_a_token_never_has_more_than_its_maker(steward, scopes, status):
    assert steward.post_json("tokens/", {"name": "t", "scopes": scopes}).status_code == status


def test_a_token_made_with_a_token_has_at_most_that_ones(db):
    narrow = caller("steward", scopes=["read:suppliers"])
    assert narrow.post_json("tokens/", {"name": "t", "scopes": ["steward"]}).json()["code"] == "missing_scope"


def test_a_token_that_has_expired(steward):
    past = (timezone.now() - timedelta(hours=1)).isoformat()
    assert steward.post_json("tokens/", {"name": "t", "scopes": ["read:*"], "expires_at": past}).status_code == 400
    from tests.api.callers import token_for

    old = Caller(token_for(person("steward"), expires_at=timezone.now() - timedelta(seconds=1)))
    assert "expired" in old.read("suppliers/").json()["detail"]


def test_the_audit_log_and_its_proof(requester):
    auditor = caller("auditor")
    made = requester.post_json("suppliers/", {"legal_name": "A"}, X_Correlation_ID="case-7").json()
    rows = auditor.read("audit/?correlation_id=case-7").json()["results"]
    assert {"request.proposed", "request.submitted"} <= {row["action"] for row in rows}
    assert auditor.read(f"audit/?object_uid={made['uid']}&action=request.").json()["results"]
    audit.seal()
    proof = auditor.read("audit/verify/").json()
    assert proof["ok"] and proof["entries"] == AuditEntry.objects.count() and proof["breaks"] == []
    assert requester.read("audit/").status_code == 403
