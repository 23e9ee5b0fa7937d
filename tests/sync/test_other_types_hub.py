"""Payment terms and legal entities through the hub: delivered to a platform that takes them, said where one does not."""

from __future__ import annotations

import pytest

from mdm.models import Crosswalk
from sync.models import Delivery, DriftFinding, Subscription
from sync.selectors import record_status
from sync.services import drift
from tests.sync import world
from tests.sync.world import ROBOT
from tests.web.visitors import browser, read

pytestmark = pytest.mark.django_db(transaction=True)
PATHS = {"payment_term": "payment-terms", "legal_entity": "legal-entities"}
NEW = {
    "payment_term": {"code": "NET75", "name": "75 days net", "net_days": 75},
    "legal_entity": {"code": "NH77", "name": "Nordhaven Atlantique SAS", "country": "FR", "currency": "EUR"},
}


@pytest.fixture
def netsuite(sandbox):
    world.allow_everything()
    started = sandbox("netsuite")
    target = world.target("netsuite", started.url)
    for type in PATHS:
        Subscription.objects.create(target=target, type=type)
    world.target("coupa", "http://127.0.0.1:9")  # takes neither, and is never asked
    world.propose("legal_entity", {"code": "NH01", "name": "Nordhaven Holding AG", "country": "DE", "currency": "EUR"})
    world.send_until_settled()
    yield target


@pytest.mark.parametrize("type", PATHS)
def test_a_change_arrives_is_verified_and_stays_clean(netsuite, type: str) -> None:
    uid = world.propose(type, NEW[type])
    world.send_until_settled()
    delivery = Delivery.objects.get(record=uid)
    assert (delivery.state, delivery.verified, delivery.target.code) == ("posted", True, "netsuite")
    key = Crosswalk.objects.get(uid=uid, system=netsuite.system).key
    world.propose(type, {"name": "Another name"}, uid=uid)
    world.send_until_settled()
    assert list(Delivery.objects.filter(record=uid).values_list("state", flat=True)) == ["posted", "posted"]
    held = netsuite_record(netsuite, type, key)
    assert held["name"] == "Another name"
    run = drift.run(drift.request(netsuite, by=ROBOT, type=type).uid)
    assert run.state == "done", run.error
    assert not DriftFinding.objects.filter(record=uid).exists(), "what was pushed is held there"


def netsuite_record(target, type: str, key: str) -> dict[str, object]:
    side = world.Side(f"{target.base_url}/_control")
    rows = side._call("GET", f"records?type={type}")["records"]
    return next(row["fields"] for row in rows if row["key"] == key)


@pytest.mark.parametrize("type", PATHS)
def test_the_record_page_says_what_is_not_pushable_here(netsuite, type: str) -> None:
    uid = world.propose(type, NEW[type])
    world.send_until_settled()
    lines = {line["target"]: line["state"] for line in record_status.of_record(type, uid)}
    assert lines == {"netsuite": "in_sync", "coupa": "not_pushable"}
    text = read(browser("mara", "steward"), f"/records/{PATHS[type]}/{uid}/sync/")
    assert "Not pushable here" in text and "Coupa takes no" in text
    assert "In sync everywhere" in read(browser("stan", "steward"), f"/records/{PATHS[type]}/{uid}/")
