"""First loads in one request: the promises of a single delivery, for every record in it.

In memory, where a process can be made to die and a lease to be lost at any point; at platforms: test_bulk_at_platforms.
"""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from django.db import connection
from django.db.models.functions import Now

from sync import platforms
from sync.connectors.concur.connector import ConcurConnector
from sync.models import (
    Delivery,
    ExceptionItem,
    FreezeWindow,
    Lane,
    PushJob,
    Subscription,
    Target,
)
from sync.services import bulk, claims, lanes
from tests.sync import made_up, world
from tests.sync.loads import MANY, deliver, load, states, suppliers
from tests.sync.made_up import Killed, Several

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def there(monkeypatch) -> Several:
    monkeypatch.setattr(platforms, "session", made_up.session)
    monkeypatch.setattr(platforms, "bulk", lambda _: Several)
    world.allow_everything()
    made = Several()
    made_up.target(made, max_inflight_s=60)
    return made


def claim() -> list[claims.Claim]:
    return claims.claim(Target.objects.get(), uuid.uuid4(), Several)


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def over() -> None:
    """Leases have run out, and every wait."""
    sql("UPDATE sync_lane SET lease_until = now() - interval '1 second' WHERE lease_owner IS NOT NULL")
    sql("UPDATE sync_lane SET next_at = now(), ambiguous_until = NULL")
    sql("UPDATE sync_target SET not_before = NULL")


def to_the_end(there: Several) -> None:
    for _ in range(20):
        over()
        world.send_now()
        if not Lane.objects.filter(open=True).exists():
            break
    assert max(Counter(key for key, _ in there.applied).values()) == 1


def test_as_many_as_the_platform_takes_and_one_request_of_the_concurrency(there):
    Target.objects.update(concurrency=2)
    suppliers(MANY + 2)
    load(Target.objects.get())
    first = claim()
    assert len(first) == Several.bulk_size
    assert len(claim()) == MANY + 2 - Several.bulk_size and claim() == [], "two requests are under way"
    over()
    Target.objects.update(concurrency=1)
    assert len(claim()) == 1, "a lane whose holder never came back goes alone"
    assert claim() == []


def test_what_is_urgent_goes_first_and_alone(there):
    suppliers()
    load(Target.objects.get())
    lane = Lane.objects.order_by("-pk").first()
    Lane.objects.filter(pk=lane.pk).update(priority=lanes.URGENT, target_key="K9")
    (head,) = claim()
    assert head.lane_id == lane.pk
    assert len(claim()) == MANY - 1


@pytest.mark.parametrize(
    "change",
    [
        {"attempts": 1},
        {"error_code": "separately"},
        {"state": "retrying"},
        {"action": "block"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_tried_before_or_is_no_creation_goes_alone(there, change):
    suppliers()
    load(Target.objects.get())
    row = Delivery.objects.order_by("lane__next_at", "lane").first()
    if change.get("state") == "retrying":
        Delivery.objects.filter(pk=row.pk).update(state="in_flight")
    Delivery.objects.filter(pk=row.pk).update(**change)
    Lane.objects.filter(pk=row.lane_id).update(next_at="2026-01-01T00:00Z")
    assert [held.delivery_id for held in claim()] == [row.pk]


def test_without_a_job_at_work_everything_goes_alone(there):
    suppliers()
    job = load(Target.objects.get())
    PushJob.objects.filter(pk=job.pk).update(state="paused")
    assert len(claim()) == 1


def test_a_lane_that_was_lost_meanwhile_is_left_out(there):
    suppliers(4)
    load(Target.objects.get())
    held = claim()
    Lane.objects.filter(pk=held[1].lane_id).update(lease_until=Now())
    (other,) = claims.claim(Target.objects.get(), uuid.uuid4())
    assert other.lane_id == held[1].lane_id
    assert Counter(deliver(held)) == {"posted": 3, "lost_lease": 1}
    assert len(there.requests) == 1 and len(there.requests[0]) == 3
    over()
    to_the_end(there)
    assert states() == {"posted": 4} and len(there.held) == 4


def test_a_lease_lost_after_the_intents_keeps_everything_here(there, monkeypatch):
    """One of them is somebody else's by now, and the request is one: nothing of it leaves."""
    suppliers(4)
    target = Target.objects.get()
    load(target)
    held = claim()
    Target.objects.update(timeout_s=0)
    before = bulk.announce

    def announce(work):
        work.delivery.target.timeout_s = 0  # asked for again at once, as after a long freeze
        before(work)
        if work.claim.lane_id == held[-1].lane_id:
            sql(f"UPDATE sync_lane SET epoch = epoch + 1 WHERE id = {held[0].lane_id}")

    monkeypatch.setattr(bulk, "announce", announce)
    assert deliver(held) == ["lost_lease"] * 4
    assert there.requests == [] and there.held == {} and states() == {"unknown": 4}
    Target.objects.update(timeout_s=2)
    monkeypatch.setattr(bulk, "announce", before)
    to_the_end(there)
    assert states() == {"posted": 4} and len(there.held) == 4


def test_frozen_between_the_claim_and_the_intent(there):
    suppliers(4)
    target = Target.objects.get()
    load(target)
    held = claim()
    FreezeWindow.objects.create(
        target=target,
        starts_at="2026-01-01T00:00Z",
        ends_at="2099-01-01T00:00Z",
        made_by="Greta",
        made_at=Now(),
        reason="Close",
    )
    assert deliver(held) == ["frozen"] * 4
    assert there.requests == [] and states() == {"pending": 4}
    assert not Lane.objects.exclude(lease_owner=None).exists()


@pytest.mark.parametrize("way", ["killed", "broken", "lost_applied", "lost_late", "lost_not_applied"])
def test_whatever_happens_to_the_request_there_is_one_effect_each(there, way):
    suppliers(4)
    load(Target.objects.get())
    there.way = way
    try:
        assert deliver(claim()) == ["unknown"] * 4
    except Killed:
        assert way == "killed"
    assert states() == {"unknown": 4} and len(there.requests) == 1
    assert set(Delivery.objects.values_list("crashes", flat=True)) == {int(way == "broken")}
    uid = str(Delivery.objects.order_by("pk").first().record)
    Subscription.objects.update(from_seq=0)
    world.propose("supplier", {"website": "https://neu.example"}, uid=uid)
    world.dispatch_now()
    assert states() == {"unknown": 4, "pending": 1}, "a newer version waits for the end of the doubt"
    if way == "lost_late":
        while there.late:
            there.arrive()
    to_the_end(there)
    assert states() == {"posted": 5} and len(there.held) == 4 and len(there.requests) == 1


def test_refused_ones_are_refused_and_the_next_version_corrects_them(there):
    uids = suppliers(4)
    load(Target.objects.get())
    there.wrong = {"Viele 2 GmbH"}
    assert Counter(deliver(claim())) == {"posted": 3, "rejected": 1}
    assert str(ExceptionItem.objects.get().record) == uids[2] and len(there.held) == 3
    Subscription.objects.update(from_seq=0)
    world.propose("supplier", {"legal_name": "Besser GmbH"}, uid=uids[2])
    world.send_until_settled()
    assert ExceptionItem.objects.get().state == "corrected" and len(there.held) == 4


def test_never_inside_a_transaction(there):
    from django.db import transaction

    suppliers(2)
    load(Target.objects.get())
    held = claim()
    with pytest.raises(RuntimeError, match="inside a transaction"), transaction.atomic():
        deliver(held)
    assert there.requests == []


def test_the_registry_knows_which_platforms_have_it():
    assert platforms.bulk("concur") is ConcurConnector
    assert platforms.bulk("coupa") is None and platforms.bulk("nobody") is None
