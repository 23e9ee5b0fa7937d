"""Cost centers as analytic accounts of the real Tryton: made once, changed, closed from a day on, opened again."""

from __future__ import annotations

from typing import Any

import pytest

from sync import mapping
from sync.errors import Refused
from sync.protocol import Outcome, Push, Readable
from sync.sandbox import CLIENT_ID
from tests.sync.sandboxes import Platform, folder
from tests.sync.tryton.server import Tryton

MODEL = "analytic_account.account"
CENTER = {
    "code": "DE-7700",
    "name": "Harbour crane",
    "legal_entity": "NH10",
    "status": "active",
    "validity": "current",
    "blocked_for_costs": False,
}


@pytest.fixture
def company(tryton: Tryton, target: Platform) -> int:
    """What an implementation team sets up: a company, its root of cost centers, and our user's right to see it."""
    api = tryton.api("admin")
    (euro,) = api.search_read("currency.currency", [["code", "=", "EUR"]], ["code"])
    party = api.create("party.party", {"code": "NH10", "name": "Nordhaven"})
    made = api.create("company.company", {"party": party, "currency": euro["id"]})
    users = api.search_read("res.user", [["login", "in", ["admin", CLIENT_ID]]], ["login"])
    for user in users:
        api.write("res.user", user["id"], {"companies": [["add", [made]]], "company": made}, {})
    api.create(MODEL, {"name": "Cost Centers", "company": made, "type": "root", "state": "opened"})
    return made


def push(target: Platform, document: dict[str, Any], **changes: Any) -> Outcome:
    payload = mapping.load(folder("tryton") / "mapping.yaml", "cost_center").render(document)
    given = {"action": "upsert", "reference": "r", "idempotency_key": "1:x:1", "correlation_id": "c", **changes}
    return target.connector().push(Push(type="cost_center", payload=payload, **given))


def held(target: Platform, key: str) -> Any:
    connector = target.connector()
    assert isinstance(connector, Readable)
    return connector.read("cost_center", key)


@pytest.mark.usefixtures("company")
def test_made_changed_closed_and_opened(tryton: Tryton, target: Platform) -> None:
    made = push(target, CENTER)
    assert (made.effect, made.verified) == ("created", True)
    for key in (made.key, None):
        assert push(target, CENTER, key=key).effect == "unchanged"
    renamed = push(target, {**CENTER, "name": "Cranes"}, key=made.key)
    assert (renamed.effect, renamed.verified) == ("updated", True)
    ended = push(target, {**CENTER, "name": "Cranes", "validity": "ended"}, key=made.key)
    assert (ended.effect, ended.verified) == ("updated", True) and held(target, made.key).blocked
    opened = push(target, CENTER, key=made.key)
    assert (opened.effect, opened.verified) == ("updated", True)
    assert held(target, made.key).fields == {
        "code": "DE-7700",
        "name": "Harbour crane",
        "active": True,
        "company": "NH10",
    }
    block = Push("cost_center", "block", {}, "r", "1:x:2", "c", key=made.key)
    assert target.connector().push(block).effect == "blocked"
    found = tryton.api("admin").search_read(MODEL, [["code", "=", "DE-7700"]], ["active", "state"])
    assert [(one["active"], one["state"]) for one in found] == [(False, "opened")], "one, whatever was done"


def test_without_a_root_nothing_is_made(tryton: Tryton, target: Platform) -> None:
    with pytest.raises(Refused, match="no analytic root"):
        push(target, CENTER)
    assert tryton.api("admin").search_read(MODEL, [], ["code"]) == []
