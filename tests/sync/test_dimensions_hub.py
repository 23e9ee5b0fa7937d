"""Cost centers through the hub: to a platform with validity periods, to one with first and last day, to one with neither.

S/4HANA knows a planned end from the day it was approved on, Dynamics 365 too; NetSuite hears of it on its day.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from mdm.models import Crosswalk
from mdm.services import taking_effect
from mdm.services.background import SYSTEM
from sync.models import Delivery, DriftFinding, Lane, Subscription, Target
from sync.selectors import record_status
from sync.services import drain, drift, lanes
from tests.sync import world
from tests.sync.sandboxes import Platform, platform
from tests.sync.world import ROBOT
from tests.web.visitors import browser, read

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("s4hana", "dynamics365", "netsuite")
TYPES = ("profit_center", "cost_center", "gl_account")
TODAY = timezone.localdate()
LAST = TODAY + timedelta(days=40)  # the last day on which it holds
END = LAST + timedelta(days=1)
CENTER = {
    "code": "DE-7700",
    "name": "Foundry",
    "legal_entity": "NH10",
    "category": "production",
    "responsible": "Ida Beck",
    "profit_center": "PC-CORP",
    "valid_from": "2019-01-01",
}
Three = dict[str, Platform]


@pytest.fixture(autouse=True)
def turn_to(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hub's calendar, which a test may turn on; the machine's clock goes on as it is."""
    now = [TODAY]
    monkeypatch.setattr(timezone, "localdate", lambda value=None, timezone=None: now[0])
    return lambda day: now.__setitem__(0, day)


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    world.allow_everything()
    with ExitStack() as stack:
        running = {name: stack.enter_context(platform(name, tmp_path / f"{name}.sqlite")) for name in NAMES}
        for name, one in running.items():
            target = world.target(name, one.url, options={"company": "nh10"} if name == "dynamics365" else {})
            types = [type for type in TYPES if type != "profit_center" or name != "s4hana"]
            for type in types if name != "s4hana" else ["cost_center"]:
                Subscription.objects.create(target=target, type=type)
        world.propose("legal_entity", {"code": "NH10", "name": "Nordhaven", "country": "DE", "currency": "EUR"})
        world.propose("profit_center", {"code": "PC-CORP", "name": "Corporate"})
        yield running


def there(three: Three, name: str) -> dict[str, Any]:
    """What a platform holds of the one cost center, as its own raw fields."""
    rows = three[name].control("GET", "records?type=cost_center")["records"]
    return next(dict(row["fields"]) for row in rows if "7700" in repr(row))


def effects(three: Three) -> dict[str, int]:
    return {name: sum(one["type"] == "cost_center" for one in three[name].effects()) for name in NAMES}


def assert_no_drift() -> None:
    for target in Target.objects.all():
        run = drift.run(drift.request(target, by=ROBOT, type="cost_center").uid)
        assert run.state == "done", run.error
    assert not DriftFinding.objects.filter(state="open").exclude(record=None).exists(), "what was pushed is held there"


def send() -> None:
    world.send_until_settled()
    states = Delivery.objects.filter(type="cost_center").values_list("target__code", "state", "verified", "error_text")
    left = [row for row in states if row[1] != "superseded"]
    assert left and all(row[1] == "posted" and row[2] for row in left), left


def test_closing_a_cost_center_on_a_date_reaches_the_platforms_on_that_date(three: Three, turn_to: Any) -> None:
    uid = world.propose("cost_center", CENTER)
    send()
    made = effects(three)
    assert made == dict.fromkeys(NAMES, 1)

    world.propose("cost_center", {"valid_to": END.isoformat()}, uid=uid)
    send()
    assert there(three, "s4hana")[f"A_CostCenter_2[{LAST}].ValidityEndDate"] == LAST.isoformat()
    assert there(three, "dynamics365")["ActiveTo"].startswith(LAST.isoformat())
    assert there(three, "dynamics365")["IsSuspended"] == "No"
    assert there(three, "netsuite")["isInactive"] is False
    planned = effects(three)
    assert planned == {"s4hana": 2, "dynamics365": 2, "netsuite": 1}, "nothing is to be said where nobody could keep it"
    assert_no_drift()

    turn_to(LAST)
    assert taking_effect.take_effect(by=SYSTEM) == 0
    send()
    assert there(three, "netsuite")["isInactive"] is False, "the last day is still a day of it"
    assert effects(three) == planned
    assert_no_drift()

    turn_to(END)
    assert taking_effect.take_effect(by=SYSTEM) == 1
    send()
    assert there(three, "netsuite")["isInactive"] is True
    assert there(three, "dynamics365")["IsSuspended"] == "Yes"
    assert effects(three) == {"s4hana": 2, "dynamics365": 3, "netsuite": 2}, "S/4HANA knew it long since"
    assert_no_drift()
    assert taking_effect.take_effect(by=SYSTEM) == 0

    world.propose("cost_center", {"valid_to": None}, uid=uid)
    send()
    assert there(three, "netsuite")["isInactive"] is False and there(three, "dynamics365")["IsSuspended"] == "No"
    assert there(three, "s4hana")["A_CostCenter_2[9999-12-31].ValidityEndDate"] == "9999-12-31"
    assert_no_drift()


def test_what_was_planned_begins_on_its_day(three: Three, turn_to: Any) -> None:
    """A name and a person from a day on: periods where there are some, today's values where there are none."""
    uid = world.propose("cost_center", CENTER)
    world.propose("cost_center", {"name": "Foundry South", "valid_from": END.isoformat()}, uid=uid)
    send()
    s4 = there(three, "s4hana")
    assert (s4[f"A_CostCenter_2[{LAST}].CostCenterName"], s4["A_CostCenter_2[9999-12-31].CostCenterName"]) == (
        "Foundry",
        "Foundry South",
    )
    assert there(three, "dynamics365")["Description"] == "Foundry"
    assert "ActiveTo" not in there(three, "dynamics365") or there(three, "dynamics365")["ActiveTo"].startswith("1900")
    assert there(three, "netsuite")["name"] == "DE-7700 Foundry"
    turn_to(END)
    assert taking_effect.take_effect(by=SYSTEM) == 1
    send()
    assert there(three, "dynamics365")["Description"] == "Foundry South"
    assert there(three, "netsuite")["name"] == "DE-7700 Foundry South"
    assert_no_drift()


def test_what_holds_later_is_no_use_before_where_there_is_no_validity(three: Three, turn_to: Any) -> None:
    world.propose("cost_center", {**CENTER, "valid_from": END.isoformat()})
    send()
    assert there(three, "netsuite")["isInactive"] is True
    assert there(three, "dynamics365")["ActiveFrom"].startswith(END.isoformat())
    assert there(three, "s4hana")["A_CostCenter_2[9999-12-31].ValidityStartDate"] == END.isoformat()
    turn_to(END)
    assert taking_effect.take_effect(by=SYSTEM) == 1
    send()
    assert there(three, "netsuite")["isInactive"] is False and there(three, "dynamics365")["IsSuspended"] == "No"
    assert_no_drift()


def test_a_profit_center_is_made_before_the_cost_center_that_names_it(three: Three) -> None:
    world.propose("profit_center", {"code": "PC-PUMPS", "name": "Pumps"})
    uid = world.propose("cost_center", {**CENTER, "profit_center": "PC-PUMPS"})
    world.dispatch_now()
    Lane.objects.filter(uid=uid).update(priority=lanes.URGENT)
    drain.drain_all()
    made = [one["key"] for one in three["dynamics365"].effects() if one["kind"] == "created"]
    assert [key.rpartition("/")[2] for key in made][-2:] == ["PC-PUMPS", "DE-7700"]
    assert Delivery.objects.filter(record=uid, state="posted").count() == 3


def test_what_somebody_entered_before_is_linked_by_its_code(three: Three) -> None:
    uid = world.propose("cost_center", {**CENTER, "code": "DE-2100", "name": "Foundry"})
    send()
    keys = dict(Crosswalk.objects.filter(uid=uid).values_list("system__code", "key"))
    assert (keys["s4hana"], keys["dynamics365"]) == ("A000/DE-2100", "DE-2100")
    for name, words in (("s4hana", "Giesserei"), ("dynamics365", "Giesserei")):
        rows = three[name].control("GET", "records?type=cost_center")["records"]
        assert len(rows) == 3 and words not in repr(rows), "kept current, not doubled"
    assert_no_drift()


def test_the_record_page_says_why_a_platform_takes_none(three: Three) -> None:
    uid = world.propose(
        "tax_code", {"code": "DE-S", "name": "Standard", "country": "DE", "kind": "input", "rate": "19"}
    )
    found = {line["target"]: (line["state"], line["note"]) for line in record_status.of_record("tax_code", uid)}
    assert {state for state, _ in found.values()} == {"not_pushable"}
    assert "No released service writes tax codes" in found["s4hana"][1]
    page = read(browser("mara", "steward"), f"/records/tax-codes/{uid}/sync/")
    assert "REST web services know no legacy tax features" in page and "holds no rate" in page
    page = read(browser("otto", "operator"), reverse("sync:mapping", args=["s4hana"]))
    assert "Not pushable here: GL accounts" in page and "The released service of accounts only reads" in page
