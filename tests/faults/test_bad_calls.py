"""Calls that must be refused: each with a problem a program can read, and nothing changed by it."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from tests import people
from tests.fixtures_story import Caller, Story

pytestmark = [pytest.mark.xdist_group("story-browser")]
_BEATS = {"Heartbeat", "DispatchCursor", "DriftObservation"}  # signs of life, no data


def everything() -> dict[str, int]:
    """How many rows every table of the hub has: what a refused call must leave as it is."""
    models = [m for label in ("mdm", "suppliers", "dimensions", "sync") for m in apps.get_app_config(label).get_models()]
    return {model.__name__: model._default_manager.count() for model in models if model.__name__ not in _BEATS}


@pytest.fixture
def supplier(house: Story) -> dict[str, Any]:
    made = people.make("supplier", legal_name="Bergbau Nord GmbH", country="DE", payment_terms="NET30")
    return dict(house.by("steward").get(f"suppliers/{made['uid']}/"))


def test_calls_that_are_refused_change_nothing(house: Story, supplier: dict[str, Any]) -> None:
    path = f"suppliers/{supplier['uid']}/"
    house.by("auditor"), house.by("requester")
    before = everything()
    stranger = Caller(house.hub.base_url)
    stranger.refused("GET", path, status=401, code="not_authenticated")
    stranger.refused("POST", "suppliers/", status=401, code="not_authenticated", json={"legal_name": "X"})
    Caller(house.hub.base_url, "mdm_made-up").refused("GET", path, status=401, code="not_authenticated")

    auditor = house.by("auditor")
    for call in ("suppliers/", f"{path}block/", "change-requests/", "imports/", "suppliers/merge/"):
        problem = auditor.refused("POST", call, status=403, code="missing_scope", json={})
        assert problem["scope"].startswith("propose"), "it names the scope that is missing"
    auditor.refused("POST", "targets/s4hana/push/", status=403, code="missing_scope", json={})

    requester = house.by("requester")
    for body, at in (
        ({"legal_name": "X", "country": "DE", "colour": "blue"}, "colour"),
        ({"legal_name": "X", "addresses": [{"kind": "registered", "stret": "1"}]}, "stret"),
        ({"country": "DE"}, "legal_name"),
        ({"legal_name": "X", "country": "Atlantis"}, "country"),
        ({"legal_name": "X", "payment_terms": "NET31"}, "payment_terms"),
        ({"legal_name": "X", "bank_accounts": [{"iban": "DE00 1234"}]}, "iban"),
    ):
        problem = requester.refused("POST", "suppliers/", status=400, code="invalid", json=body)
        assert any(at in error["path"] for error in problem["errors"]), problem
    change = {"payment_terms": "NET45"}
    requester.refused("PATCH", path, status=428, code="precondition_required", json=change)
    for tag in ('"99"', 'W/"1"', "1"):
        requester.refused("PATCH", path, status=412, code="stale_version", json=change, headers={"If-Match": tag})
    requester.refused("GET", "suppliers/00000000-0000-4000-8000-000000000000/", status=404, code="not_found")
    requester.refused("GET", "suppliers/?colour=blue", status=400, code="invalid")
    assert everything() == before
    assert house.by("steward").get(path) == supplier


def test_a_record_that_moved_meanwhile_is_not_overwritten(house: Story, supplier: dict[str, Any]) -> None:
    path = f"suppliers/{supplier['uid']}/"
    change = house.by("requester").patch(path, {"payment_terms": "NET60"}, version=supplier["version"])
    house.approve(change, "steward")
    before = everything()
    problem = house.by("integrator").refused(
        "PATCH", path, status=412, code="stale_version", json={"currency": "USD"},
        headers={"If-Match": f'"{supplier["version"]}"'},
    )  # fmt: skip
    assert problem["current"] == str(supplier["version"] + 1)
    assert everything() == before
    assert house.by("steward").get(path)["payment_terms"] == "NET60"


def test_approvals_that_are_refused(house: Story, supplier: dict[str, Any]) -> None:
    steward, approver = house.by("steward"), house.by("approver")
    change = steward.patch(f"suppliers/{supplier['uid']}/", {"payment_terms": "NET45"}, version=supplier["version"])
    own, path = {"content_hash": change["content_hash"]}, f"change-requests/{change['uid']}/"
    before = everything()
    steward.refused("POST", f"{path}approve/", status=403, code="four_eyes", json=own)
    approver.refused("POST", f"{path}approve/", status=400, code="invalid", json={})
    house.by("auditor").refused("POST", f"{path}approve/", status=403, code="missing_scope", json=own)
    assert everything() == before
    assert steward.get(path)["state"] == "in_review"

    items = [{"type": "supplier", "uid": supplier["uid"], "action": "update", "changes": {"payment_terms": "NET90"}}]
    tag = steward.http.get(path).headers["ETag"]
    edited = steward.call("PATCH", path, expect=200, json={"items": items}, headers={"If-Match": tag})
    assert edited["content_hash"] != change["content_hash"]
    before = everything()
    approver.refused("POST", f"{path}approve/", status=409, code="content_changed", json=own)
    assert everything() == before
    assert steward.get(f"suppliers/{supplier['uid']}/") == supplier, "nothing of it is in force"

    assert house.approve(change, "approver")["state"] == "applied"
    before = everything()
    approver.refused("POST", f"{path}approve/", status=409, code="already_done",
                     json={"content_hash": edited["content_hash"]})  # fmt: skip
    assert everything() == before
    assert steward.get(f"suppliers/{supplier['uid']}/")["payment_terms"] == "NET90"
