"""Where a business object stands in the five words, and one id followed from the request to the target's answer."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now

from mdm import correlation, ports
from mdm.permissions import may
from sync.models import Delivery, ExceptionItem, Lane, Subscription, Target
from sync.selectors import chain
from sync.services import exceptions
from tests.api.callers import caller, person
from tests.people import actor
from tests.sync import world
from tests.sync.world import Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


def line(uid: str) -> dict:
    (found,) = ports.collect(ports.delivery_status, "supplier", uid)
    return found


def test_a_business_object_says_where_it_stands(coupa):
    target, side = coupa
    correlation.adopt("order-4711")
    uid = world.supplier()
    assert line(uid)["status"] == "not_sent"
    world.dispatch_now()
    assert line(uid)["status"] == "pending"
    Target.objects.update(retry_scale=10)
    side.fault("500", "GET /api/suppliers")
    world.send_now()
    assert Delivery.objects.get().state == "retrying" and line(uid)["status"] == "retried"
    Lane.objects.update(next_at=Now())
    side.fault("refuse", "POST /api/suppliers")
    world.send_until_settled()
    refused = line(uid)
    assert refused["status"] == "failed" and refused["message"] and refused["version"] is None
    exceptions.retry(ExceptionItem.objects.get(), by=actor("mara", "steward"))
    assert line(uid)["status"] == "pending"
    world.send_until_settled()
    posted = line(uid)
    assert (posted["status"], posted["verified"], posted["version"]) == ("corrected", True, 1)
    world.propose("supplier", {"website": "https://neu.example"}, uid=uid)
    world.send_now()
    posted = line(uid)
    assert (posted["status"], posted["version"], posted["correlation_id"]) == ("posted", 2, "order-4711")
    assert posted["since"]


def test_one_id_leads_from_the_request_to_the_answer(coupa, django_assert_max_num_queries):
    target, side = coupa
    correlation.adopt("order-4712")
    uid = world.supplier()
    correlation.adopt("another")
    world.supplier(legal_name="Andere GmbH", tax_registrations=[])
    world.send_now()
    reader = actor("jonas", "auditor")
    may(reader, "read:suppliers")  # his roles are known from here on
    with django_assert_max_num_queries(9):
        found = chain.of("order-4712", by=reader, entities=None, exchanges=True)
        chain.as_json(found)
    assert [change.items.get().uid for change in found.requests] == [Delivery.objects.get(record=uid).record]
    assert [(str(event.subject), event.version) for event in found.events] == [(uid, 1)]
    (delivery,) = found.deliveries
    assert delivery.state == "posted" and side.effects()
    assert chain.of("another", by=actor("nobody"), entities=None).requests == []
    assert not chain.of("nobody", by=reader, entities=None)

    operator = caller("operator")
    shown = operator.read("correlations/order-4712/").json()
    assert [row["number"] for row in shown["requests"]] == [found.requests[0].number]
    (sent,) = shown["deliveries"]
    assert sent["attempts"][-1]["exchanges"][-1]["status"] in (200, 201)
    assert operator.read("correlations/nobody/").status_code == 404
    assert caller("requester").read("correlations/order-4712/").status_code == 403


def test_the_search_box_follows_an_id(coupa):
    correlation.adopt("order-4713")
    world.supplier()
    world.send_now()
    groups = ports.collect(ports.search, "order-4713", person("operator"))
    assert [group["title"] for group in groups] == ["Correlation", "Deliveries"]
    assert groups[0]["results"][0]["url"].endswith("/correlation/order-4713/")
    assert ports.collect(ports.search, "order-4713", person("requester")) == []
    assert ports.collect(ports.search, "order-9999", person("operator")) == []


def test_a_push_job_is_a_link_of_the_chain(coupa):
    target, _ = coupa
    Subscription.objects.update(from_seq=10**9)
    world.supplier()
    operator = caller("operator")
    job = operator.post_json("targets/coupa/push/", {}, X_Correlation_ID="load-1").json()["job"]
    world.send_now()
    shown = operator.read("correlations/load-1/").json()
    assert [one["uid"] for one in shown["jobs"]] == [job]
    assert [(row["state"], row["reason"]) for row in shown["deliveries"]] == [("posted", "manual")]
    assert Target.objects.get().system is not None
