"""Dimensions through the hub, to platforms that know no periods: what holds today goes there, and each day's news on its day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from mdm.models import Crosswalk
from mdm.services import taking_effect
from mdm.services.background import SYSTEM
from sync.models import Delivery, DriftFinding, Subscription, Target
from sync.selectors import record_status
from sync.services import drift, targets
from tests.sync import world
from tests.sync.world import ROBOT, Side
from tests.web.visitors import browser, read

pytestmark = pytest.mark.django_db(transaction=True)
CENTER = {"code": "DE-7700", "name": "Harbour crane", "legal_entity": "NH10", "category": "logistics"}
TODAY = date.today()
SOON = TODAY + timedelta(days=40)


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hub's calendar, which a test may turn on."""
    now = [TODAY]
    monkeypatch.setattr(timezone, "localdate", lambda value=None, timezone=None: now[0])
    return lambda new: now.__setitem__(0, new)


def hub(sandbox: Any, name: str, *types: str, **options: Any) -> tuple[Target, Side]:
    world.allow_everything()
    started = sandbox(name)
    target = world.target(name, started.url, options=options)
    for type in types:
        Subscription.objects.create(target=target, type=type)
    world.propose("legal_entity", {"code": "NH10", "name": "Nordhaven", "country": "DE", "currency": "EUR"})
    return target, Side(f"{started.url}/_control")


def held(side: Side, type: str) -> dict[str, dict[str, Any]]:
    return {row["key"]: row["fields"] for row in side._call("GET", f"records?type={type}")["records"]}


def differing(target: Target, type: str) -> list[tuple[str, str]]:
    """What a look at everything finds, but for what was there before and is nobody's."""
    run = drift.run(drift.request(target, by=ROBOT, type=type).uid)
    assert run.state == "done", run.error
    found = DriftFinding.objects.filter(target=target, type=type, state="open").exclude(kind="extra")
    return list(found.values_list("kind", "field"))


def test_what_is_referred_to_is_made_first(sandbox) -> None:
    target, side = hub(sandbox, "coupa", "cost_center", "profit_center")
    world.propose("profit_center", {"code": "PC-77", "name": "Cranes"})
    uid = world.propose("cost_center", {**CENTER, "profit_center": "PC-77"})
    side.fault("503", "POST /api/lookup_values")
    world.send_until_settled()
    assert [effect["key"] for effect in side.effects()] == ["PC_77", "DE_7700"]
    delivery = Delivery.objects.get(record=uid)
    assert (delivery.state, delivery.verified) == ("posted", True)
    assert Crosswalk.objects.get(uid=uid, system=target.system).key == "DE_7700"
    assert differing(target, "cost_center") == differing(target, "profit_center") == []


def test_a_center_closed_from_a_day_on_stays_open_until_that_day(sandbox, day) -> None:
    target, side = hub(sandbox, "coupa", "cost_center")
    uid = world.propose("cost_center", {**CENTER, "valid_from": "2020-01-01"})
    world.propose("cost_center", {"valid_to": SOON.isoformat()}, uid=uid)
    world.send_until_settled()
    assert held(side, "cost_center")["DE_7700"]["active"] is True
    day(SOON - timedelta(days=1))
    assert taking_effect.take_effect(by=SYSTEM) == 0
    world.send_until_settled()
    assert held(side, "cost_center")["DE_7700"]["active"] is True and differing(target, "cost_center") == []
    day(SOON)
    assert taking_effect.take_effect(by=SYSTEM) == 1
    world.send_until_settled()
    assert held(side, "cost_center")["DE_7700"]["active"] is False
    last = Delivery.objects.filter(record=uid).latest("seq")
    assert (last.state, last.action, last.verified) == ("posted", "upsert", True)
    assert differing(target, "cost_center") == []
    effects = len(side.effects())
    assert taking_effect.take_effect(by=SYSTEM) == 0 and not world.send_now() and len(side.effects()) == effects


def test_what_begins_on_a_day_goes_there_on_that_day(sandbox, day) -> None:
    target, side = hub(sandbox, "coupa", "cost_center")
    uid = world.propose("cost_center", {**CENTER, "valid_from": "2020-01-01"})
    world.propose("cost_center", {"name": "Harbour cranes", "valid_from": SOON.isoformat()}, uid=uid)
    world.send_until_settled()
    assert held(side, "cost_center")["DE_7700"]["description"] == "Harbour crane"
    day(SOON)
    taking_effect.take_effect(by=SYSTEM)
    world.send_until_settled()
    assert held(side, "cost_center")["DE_7700"]["description"] == "Harbour cranes"
    assert differing(target, "cost_center") == []


def test_what_was_there_is_linked_by_its_code_and_brought_up_to_date(sandbox) -> None:
    target, side = hub(sandbox, "coupa", "cost_center")
    before = held(side, "cost_center")
    assert before["DE_2100"]["name"] == "Giesserei"
    uid = world.propose("cost_center", {**CENTER, "code": "DE-2100", "name": "Foundry"})
    world.send_until_settled()
    now = held(side, "cost_center")
    assert now.keys() == before.keys() and now["DE_2100"]["id"] == before["DE_2100"]["id"]
    assert (now["DE_2100"]["name"], now["DE_2100"]["description"]) == ("DE-2100 Foundry", "Foundry")
    assert Crosswalk.objects.get(uid=uid, system=target.system).key == "DE_2100"


def test_two_codes_that_become_one_are_a_question_for_a_person(sandbox) -> None:
    """`DE-7700` and `DE_7700` are two records here and one value there: the second is refused, the first untouched."""
    target, side = hub(sandbox, "coupa", "cost_center")
    world.propose("cost_center", CENTER)
    world.send_until_settled()
    other = world.propose("cost_center", {**CENTER, "code": "DE_7700", "name": "Somebody else"})
    world.send_until_settled()
    delivery = Delivery.objects.get(record=other)
    assert (delivery.state, delivery.error_code) == ("rejected", "linked_elsewhere")
    assert Crosswalk.objects.filter(system=target.system, type="cost_center", key="DE_7700").count() == 1


def test_concur_deletes_what_is_closed_only_when_the_target_says_so(sandbox, day) -> None:
    target, side = hub(sandbox, "concur", "cost_center")
    targets.check(target, by=ROBOT)
    uid = world.propose("cost_center", {**CENTER, "valid_from": "2020-01-01", "valid_to": SOON.isoformat()})
    world.send_until_settled()
    day(SOON)
    taking_effect.take_effect(by=SYSTEM)
    world.send_until_settled()
    assert held(side, "cost_center")["DE_7700"]["isDeleted"] is False
    last = Delivery.objects.filter(record=uid).latest("seq")
    assert last.state == "cancelled" and "delete_closed" in last.error_text
    assert differing(target, "cost_center") == [], "what this target does not close is no finding"
    Target.objects.filter(pk=target.pk).update(options={"delete_closed": True})
    target.refresh_from_db()
    targets.check(target, by=ROBOT)
    assert differing(target, "cost_center") == [("different", "closing_of_list_items.isDeleted")]
    targets.push(target, by=ROBOT, type="cost_center", uids=[uid])
    world.send_until_settled()
    assert held(side, "cost_center")["DE_7700"]["isDeleted"] is True and differing(target, "cost_center") == []


def test_concur_is_not_sent_what_does_not_hold_yet(sandbox, day) -> None:
    """Nothing is made there before its day, and that is no finding either."""
    target, side = hub(sandbox, "concur", "cost_center", delete_closed=True)
    targets.check(target, by=ROBOT)
    uid = world.propose("cost_center", {**CENTER, "valid_from": SOON.isoformat()})
    world.send_until_settled()
    assert "DE_7700" not in held(side, "cost_center") and side.effects() == []
    assert Delivery.objects.get(record=uid).state == "posted" and differing(target, "cost_center") == []
    day(SOON)
    taking_effect.take_effect(by=SYSTEM)
    assert world.dispatch_now()
    world.send_until_settled()
    assert held(side, "cost_center")["DE_7700"]["value"] == "Harbour crane" and differing(target, "cost_center") == []


def test_the_record_page_says_what_is_not_pushable_here_and_why(sandbox) -> None:
    hub(sandbox, "coupa", "cost_center")
    uid = world.propose("tax_code", {"code": "DE-S77", "name": "VAT", "country": "DE", "kind": "input", "rate": "19"})
    (line,) = record_status.of_record("tax_code", uid)
    assert (line["target"], line["state"]) == ("coupa", "not_pushable")
    text = read(browser("mara", "steward"), f"/records/tax-codes/{uid}/sync/")
    assert "Not pushable here" in text and "no address to write them to" in text
