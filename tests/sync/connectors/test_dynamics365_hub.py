"""Dynamics 365 driven by the hub: one supplier of two companies through two targets, drift, and a block."""

from __future__ import annotations

import pytest

from mdm.models import Crosswalk
from sync.models import Delivery, DriftFinding, ExceptionItem, Subscription, Target, ValueMapRow
from sync.services import drift
from tests.sync import world
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)


def target_of(company: str, legal_entity: str, url: str) -> Target:
    """One target per company, each with a system and a value map of its own."""
    made = world.target(f"d365-{company}", url, connector="dynamics365", options={"company": company})
    ValueMapRow.objects.create(target=made, table="companies", ours=legal_entity, theirs=company)
    return made


@pytest.fixture
def companies(sandbox):
    started = sandbox("dynamics365")
    world.allow_everything()
    for code in ("NH10", "NH20"):
        world.propose("legal_entity", {"code": code, "name": code, "country": "DE", "currency": "EUR"})
    yield (target_of("nh10", "NH10", started.url), target_of("nh20", "NH20", started.url)), Side(started.control)


def extensions(*codes: str) -> list[dict[str, str]]:
    return [{"legal_entity": code} for code in codes]


def test_a_supplier_of_two_companies_is_a_vendor_in_each_and_drift_is_clean(companies) -> None:
    targets, side = companies
    uid = world.supplier(extensions=extensions("NH10", "NH20"))
    world.send_until_settled()
    assert set(Delivery.objects.values_list("target__code", "state")) == {
        ("d365-nh10", "posted"),
        ("d365-nh20", "posted"),
    }
    keys = sorted(Crosswalk.objects.values_list("key", flat=True))
    assert [key[:5] for key in keys] == ["nh10/", "nh20/"] and sorted(side.records()) == keys
    for target in targets:
        run = drift.run(drift.request(target, by=ROBOT).uid)
        assert (run.state, run.counts["scanned"]) == ("done", 1), run.error
    assert not DriftFinding.objects.exists()
    world.propose("supplier", {"status": "blocked"}, uid=uid, action="block")
    world.send_until_settled()
    assert {fields["OnHoldStatus"] for fields in side.records().values()} == {"All"}


def test_a_supplier_of_one_company_stays_out_of_the_other(companies) -> None:
    (_, second), side = companies
    Subscription.objects.filter(target=second).update(filter={"extensions.legal_entity": ["NH20"]})
    world.supplier(extensions=extensions("NH10"))
    world.send_until_settled()
    assert [key[:5] for key in side.records()] == ["nh10/"]
    assert not ExceptionItem.objects.exists()
