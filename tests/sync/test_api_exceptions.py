"""Exceptions, alerts and freeze windows over REST; every answer as documented."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from sync.models import Delivery, ExceptionItem, FreezeWindow
from sync.services import alerts, freezing, lanes
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


def test_exceptions_are_filtered_owned_and_decided_together(coupa, operator):
    _, side = coupa
    side.fault("refuse", "POST /api/suppliers", 3)
    for number in range(3):
        world.supplier(legal_name=f"Nein {number} GmbH", tax_registrations=[])
    world.send_now()
    first, second, third = (row["uid"] for row in operator.read("exceptions/").json()["results"])
    shown = operator.read(f"exceptions/{first}/").json()
    assert (shown["owner"], shown["overdue"]) == ("steward", False) and shown["due_at"] and shown["hint"]
    ExceptionItem.objects.filter(uid=second).update(due_at=timezone.now() - timedelta(hours=1))

    def listed(query):
        return [row["uid"] for row in operator.read(f"exceptions/?{query}").json()["results"]]

    assert listed("overdue=true") == [second] and listed("overdue=false") == [first, third]
    assert listed("owner=operator") == [] and len(listed("owner=steward")) == 3
    assert listed(f"code={shown['code']}&target=coupa") == [first, second, third] and listed("code=none") == []

    asked = {"uids": [first, second], "action": "assign"}
    assert operator.post_json("exceptions/decide/", asked).json() == {"done": 2, "left": []}
    assert listed(f"assignee={operator.user.username}") == [first, second] and listed("assignee=-") == [third]
    assert operator.post_json("exceptions/decide/", {"uids": [first], "action": "cancel"}).status_code == 400
    cancelled = operator.post_json(
        "exceptions/decide/", {"uids": [first], "action": "cancel", "reason": "Never"}
    ).json()
    assert cancelled["done"] == 1
    strange = "00000000-0000-4000-8000-000000000000"
    again = operator.post_json("exceptions/decide/", {"uids": [first, third, strange], "action": "retry"}).json()
    assert again["done"] == 1 and [one["uid"] for one in again["left"]] == [first, strange]
    assert "cancelled already" in again["left"][0]["why"]


def test_rules_are_there_to_read(operator):
    rules = operator.read("exception-rules/").json()["results"]
    assert [rule["position"] for rule in rules] == sorted(rule["position"] for rule in rules)
    assert {"name": "Object locked", "category": "self_healing", "tries": 6}.items() <= rules[0].items()


def test_a_lane_that_was_set_aside_is_released(coupa, operator):
    world.supplier()
    world.dispatch_now()
    delivery = Delivery.objects.get()
    assert operator.post_json(f"deliveries/{delivery.uid}/release/").status_code == 409
    for state in ("in_flight", "poison"):
        Delivery.objects.filter(pk=delivery.pk).update(state=state)
    lanes.hold(delivery.lane, "poison: its connector broke three times")
    assert operator.post_json(f"deliveries/{delivery.uid}/release/").json()["state"] == "cancelled"
    assert world.send_now() == {"posted": 1}


def test_alerts_are_read_and_looked_after(coupa, operator):
    target, _ = coupa
    alerts.alert(target, "dead_letters", "Given up after 12 attempts: no answer.")
    (one,) = operator.read("alerts/?state=open&target=coupa").json()["results"]
    assert (one["code"], one["state"], one["notifications"]) == ("dead_letters", "open", [])
    taken = operator.post_json(f"alerts/{one['uid']}/acknowledge/", {"note": "Called them"}).json()
    assert (taken["state"], taken["note"]) == ("acknowledged", "Called them")
    assert operator.post_json(f"alerts/{one['uid']}/acknowledge/").status_code == 409
    assert operator.read("targets/coupa/").json()["alerts"][0]["acknowledged_by"]
    alerts.close_alerts(target, "dead_letters")
    assert operator.read("alerts/?state=open").json()["results"] == []
    assert operator.read(f"alerts/{one['uid']}/").json()["state"] == "resolved"


def test_a_target_is_frozen_and_thawed(coupa, operator):
    target, _ = coupa
    until = (timezone.now() + timedelta(hours=2)).isoformat()
    asked = {"target": "coupa", "ends_at": until, "reason": "Quarter close", "legal_entities": []}
    assert operator.post_json("freeze-windows/", asked).status_code == 403
    lead = caller("governance")
    assert lead.post_json("freeze-windows/", {**asked, "target": "nowhere"}).status_code == 400
    assert lead.post_json("freeze-windows/", {**asked, "ends_at": "2020-01-01T00:00:00Z"}).status_code == 400
    made = lead.post_json("freeze-windows/", asked)
    assert made.status_code == 201 and made.json()["state"] == "coming"
    FreezeWindow.objects.update(starts_at=timezone.now())
    uid = world.supplier()
    world.dispatch_now()
    freezing.keep()
    shown = operator.read("targets/coupa/").json()
    assert (shown["state"], shown["frozen"], len(shown["freezes"])) == ("frozen", 1, 1)
    assert "Quarter close" in shown["message"]
    (held,) = operator.read("deliveries/").json()["results"]
    assert (held["state"], held["held"][:7]) == ("held", "freeze:") and held["frozen_until"]
    (line,) = operator.read(f"suppliers/{uid}/deliveries/").json()["results"]
    assert line["state"] == "held" and line["message"].startswith("Frozen until")
    freeze = f"freeze-windows/{made.json()['uid']}/"
    assert lead.post_json(f"{freeze}lift/", {"reason": "Done early"}).json()["state"] == "lifted"
    assert lead.post_json(f"{freeze}lift/", {"reason": "Done early"}).status_code == 409
    assert operator.read("freeze-windows/?state=open").json()["results"] == []
    assert len(operator.read("freeze-windows/?state=lifted&target=coupa").json()["results"]) == 1
    freezing.keep()
    assert world.send_now() == {"posted": 1}
