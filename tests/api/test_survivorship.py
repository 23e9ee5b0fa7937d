"""Survivorship over REST: provenance with offers and rule, pins, taking a source off, rules and their rehearsal."""

from __future__ import annotations

import pytest

from mdm.models import Pin, RuleChange
from mdm.services import rule_changes
from tests.api.callers import caller
from tests.mdm.test_rule_changes import BUY_FIRST
from tests.mdm.test_survivorship import document, two_sources

pytestmark = pytest.mark.django_db


@pytest.fixture
def steward(db):
    return caller("steward")


def at(part: str = "") -> str:
    return f"suppliers/{document()['uid']}/{part}"


def test_provenance_says_who_offers_what_and_the_rule_in_words(steward):
    two_sources()
    found = {entry["path"]: entry for entry in steward.read(at("provenance/")).json()["results"]}
    terms = found["payment_terms"]
    assert (terms["rule"], terms["rule_text"], terms["system"]) == ("source_rank", "most trusted of 2", "erp")
    assert [(o["system"], o["value"], o["winner"], o["left"]) for o in terms["offers"]] == [
        ("erp", "NET30", True, False), ("buy", "NET45", False, False)
    ]  # fmt: skip
    assert terms["losing"] == [{"system": "buy", "key": "X9", "value": "NET45"}]
    bank = next(entry for path, entry in found.items() if path.startswith("bank_accounts/"))
    assert {o["value"]["iban"] for o in bank["offers"]} == {"DE89…3000"}


def test_a_pin_is_set_listed_and_lifted(steward):
    two_sources()
    assert steward.read(at("pins/")).json() == {"results": []}
    made = steward.post_json(at("pins/"), {"path": "payment_terms", "reason": "Contract", "until": "2099-12-31"})
    assert made.status_code == 201
    [shown] = steward.read(at("pins/")).json()["results"]
    assert shown == made.json()
    assert (shown["path"], shown["value"], shown["until"], shown["differs"]) == (
        "payment_terms",
        "NET30",
        "2099-12-31",
        False,
    )
    lifted = steward.post_json(at(f"pins/{shown['uid']}/lift/"), {"reason": "Over"})
    assert lifted.json() == {"came": "unchanged", "version": document()["version"]}
    assert not Pin.objects.exists()
    assert steward.post_json(at(f"pins/{shown['uid']}/lift/"), {"reason": "Over"}).status_code == 404


def test_another_value_is_proposed(steward):
    two_sources()
    for body in ({"source": {"system": "buy", "key": "X9"}}, {"value": "NET60"}):
        answer = steward.post_json(at("pins/"), {"path": "payment_terms", "reason": "Contract", **body})
        assert (answer.status_code, answer.json()["state"]) == (202, "in_review")
    assert (document()["payment_terms"], Pin.objects.count()) == ("NET30", 0)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"path": "nonsense"}, 400, "unknown_path"),
        ({"path": "addresses/00000000-0000-4000-8000-000000000000"}, 400, "unknown_path"),
        ({"path": "payment_terms", "until": "2001-01-01"}, 400, "past"),
        ({"path": "payment_terms", "value": "X", "source": {"system": "a", "key": "b"}}, 400, "one_of_two"),
    ],
)
def test_pins_that_make_no_sense(steward, body, status, code):
    two_sources()
    answer = steward.post_json(at("pins/"), {"reason": "x", **body})
    assert answer.status_code == status and answer.json()["errors"][0]["code"] == code
    assert not Pin.objects.exists()


def test_pinning_needs_its_scope(db):
    two_sources()
    answer = caller("requester").post_json(at("pins/"), {"path": "payment_terms", "reason": "x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_taking_a_source_off_is_proposed(steward):
    two_sources()
    answer = steward.post_json(at("detach/"), {"system": "buy", "key": "X9", "reason": "Another company"})
    assert answer.status_code == 202
    assert [item["action"] for item in answer.json()["items"]] == ["detach", "create"]
    assert steward.post_json(at("detach/"), {"system": "buy", "key": "X9", "reason": "x"}).status_code == 409
    assert steward.post_json(at("detach/"), {"system": "buy", "key": "?", "reason": "x"}).status_code == 404


def test_rules_are_proposed_rehearsed_and_read(steward):
    two_sources()
    governance = caller("governance")
    assert steward.read("survivorship-rules/?type=supplier").json() == {"results": [{"type": "supplier", "rules": []}]}
    rules = [rule.as_json() for rule in BUY_FIRST]
    body = {"type": "supplier", "reason": "Buyers know", "rules": rules}
    assert steward.post_json("rule-changes/", body).status_code == 403
    made = governance.post_json("rule-changes/", body)
    assert (made.status_code, made.json()["state"]) == (202, "rehearsing")
    rule_changes.run(RuleChange.objects.get().pk)
    shown = steward.read(f"rule-changes/{made.json()['uid']}/").json()
    assert (shown["state"], shown["progress"], shown["rehearsal"]["changed"]) == ("ready", 1.0, 1)
    [effect] = steward.read(f"rule-changes/{shown['uid']}/effects/").json()["results"]
    assert (effect["path"], effect["before"], effect["after"]) == ("payment_terms", "NET30", "NET45")
    change = steward.read(f"change-requests/{shown['change_request']}/").json()
    approved = steward.post_json(
        f"change-requests/{change['uid']}/approve/", {"content_hash": change["content_hash"], "comment": ""}
    )
    assert approved.status_code == 200
    assert steward.read("survivorship-rules/?type=supplier").json()["results"][0]["rules"] == rules
    assert len(steward.read("rule-changes/?type=supplier&state=applying").json()["results"]) == 1


def test_rules_that_make_no_sense_are_named(db):
    body = {"type": "supplier", "reason": "x", "rules": [{"path": "legal_name", "order": ["union"]}]}
    answer = caller("governance").post_json("rule-changes/", body)
    assert answer.json()["errors"][0] == {
        "path": "rules/legal_name/order",
        "code": "aggregate_type",
        "message": "Legal name holds one value: only a list can be the union of several.",
    }
