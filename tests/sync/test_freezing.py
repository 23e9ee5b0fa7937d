"""Freeze windows: nothing leaves inside one whatever the load, blocks may, and a thaw sends what waited in its order."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from mdm.errors import CorrectInput, NotAllowed, NotNow
from mdm.models import AuditEntry
from sync.models import Attempt, Delivery, FreezeWindow, Lane, Target
from sync.services import claims, deliver, freezing, lanes, rounds
from tests.fixtures_processes import new_child
from tests.people import actor
from tests.sync import gate, world
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


def frozen(target: Target, **values) -> FreezeWindow:
    """A window that is open already, as one made a minute ago would be."""
    now = timezone.now()
    given = {"starts_at": now - timedelta(minutes=1), "ends_at": now + timedelta(hours=1), "reason": "Quarter close"}
    return FreezeWindow.objects.create(target=target, made_by="Greta", made_at=now, **{**given, **values})


def over(row: FreezeWindow) -> None:
    FreezeWindow.objects.filter(pk=row.pk).update(ends_at=timezone.now() - timedelta(milliseconds=1))


def entity(code: str) -> None:
    world.propose("legal_entity", {"code": code, "name": code, "country": "DE", "currency": "EUR"})


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


@pytest.mark.slow
def test_with_load_on_no_request_leaves_inside_the_window(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    with gate.before(started.url) as door:
        target = world.target("coupa", door.url, rate_per_s=60, burst=5, concurrency=6)
        for number in range(40):
            world.supplier(legal_name=f"Last {number} GmbH", tax_registrations=[])
        world.dispatch_now()
        workers = [
            new_child(f"freezing-{number}", [sys.executable, "-m", "tests.sync.worker", "never"]) for number in (1, 2)
        ]
        try:
            for worker in workers:
                worker.start()
            until = time.monotonic() + 30
            while len(door.came) < 20 and time.monotonic() < until:
                rounds.dispatch_round()
                time.sleep(0.1)
            now = timezone.now()
            window = freezing.open_window(
                target, starts_at=None, ends_at=now + timedelta(seconds=4), reason="Quarter close", by=ROBOT
            )
            begins, ends = window.starts_at.timestamp(), window.ends_at.timestamp()
            number = 0
            while time.time() < ends + 0.5:
                world.supplier(legal_name=f"Late {(number := number + 1)} GmbH", tax_registrations=[])
                rounds.dispatch_round()
                time.sleep(0.15)
            until = time.monotonic() + 60
            while set(states()) != {"posted"} and time.monotonic() < until:
                rounds.dispatch_round()
                time.sleep(0.2)
        finally:
            for worker in workers:
                worker.end(grace=3)
        assert len([1 for at, *_ in door.came if at < begins]) >= 20, "there was load before it"
        assert door.between(begins, ends) == []
        assert len(door.between(ends, time.time())) >= 20, "and after it"
    assert set(states()) == {"posted"} and Delivery.objects.count() == 40 + number
    inside = Attempt.objects.filter(started_at__gte=window.starts_at, started_at__lt=window.ends_at)
    assert not inside.exists()


def test_what_waits_is_held_by_the_window_and_goes_out_in_its_order(coupa):
    target, side = coupa
    Target.objects.update(concurrency=1)
    window = frozen(target)
    names = [f"Waiting {number} GmbH" for number in range(6)]
    for name in names:
        world.supplier(legal_name=name, tax_registrations=[])
        world.dispatch_now()
    assert not world.send_now(), "a claim asks for windows, before anything was held"
    freezing.keep()
    assert set(states()) == {"held"} and set(Lane.objects.values_list("hold_reason", flat=True)) == {
        f"freeze:{window.pk}"
    }
    assert freezing.keep() == 0 and lanes.ready_targets() == []
    world.supplier(legal_name="Last of all GmbH", tax_registrations=[])
    world.dispatch_now()
    freezing.keep()
    assert set(states()) == {"held"} and not side.effects()
    over(window)
    assert freezing.keep() == 7
    assert world.send_now() == {"posted": 7}
    made = [effect["key"] for effect in side.effects() if effect["kind"] == "created" and effect["type"] == "supplier"]
    assert [side.records()[key]["name"] for key in made] == [*names, "Last of all GmbH"]


def test_a_newer_version_takes_the_place_of_one_that_is_held(coupa):
    target, side = coupa
    window = frozen(target)
    uid = world.supplier()
    world.dispatch_now()
    freezing.keep()
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.dispatch_now()
    assert states() == ["superseded", "held"]
    over(window)
    freezing.keep()
    assert world.send_now() == {"posted": 1}
    assert [row["name"] for row in side.records().values()] == ["Nordlicht Papier SE"]


@pytest.mark.parametrize("flow", [True, False])
def test_safety_first_a_block_may_flow(coupa, flow):
    target, side = coupa
    uid, other = world.supplier(), world.supplier(legal_name="Anders GmbH", tax_registrations=[])
    world.send_now()
    frozen(target, blocks_flow=flow)
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.propose("supplier", {"legal_name": "Ganz Anders GmbH"}, uid=other)
    world.dispatch_now()
    freezing.keep()
    assert states()[2:] == ["held", "held"]
    world.propose("supplier", {}, uid=uid, action="block")
    world.dispatch_now()
    freezing.keep()
    sent = world.send_now()
    assert sent == ({"posted": 1} if flow else {})
    assert [row["status"] for row in side.records().values()] == (["inactive", "active"] if flow else ["active"] * 2)
    assert Delivery.objects.filter(state="held").count() == (1 if flow else 2)


def test_only_what_the_window_names(coupa):
    target, side = coupa
    for code in ("NH10", "NH20"):
        entity(code)
    frozen(target, entities=["NH10"])
    world.supplier(extensions=[{"legal_entity": "NH10"}, {"legal_entity": "NH20"}])
    world.supplier(legal_name="Other company GmbH", tax_registrations=[], extensions=[{"legal_entity": "NH20"}])
    world.supplier(legal_name="No company GmbH", tax_registrations=[])
    world.dispatch_now()
    freezing.keep()
    assert states() == ["held", "pending", "pending"]
    assert world.send_now() == {"posted": 2}
    frozen(target, type="payment_term")
    world.supplier(legal_name="Of another type GmbH", tax_registrations=[])
    assert world.send_now() == {"posted": 1}


def test_a_window_that_opens_while_a_push_is_prepared_stops_it(coupa, monkeypatch):
    """Between the claim and the intent: nothing was sent, so the lane is given back as it was."""
    target, side = coupa
    world.supplier()
    world.dispatch_now()
    (held,) = claims.claim(target, claims.PROCESS)
    window = frozen(target)
    assert deliver.deliver(held, claims.PROCESS) == "frozen"
    assert states() == ["pending"] and Delivery.objects.get().attempts == 0 and not side.effects()
    assert Lane.objects.get().lease_owner is None
    over(window)
    assert world.send_now() == {"posted": 1}


def test_one_window_follows_another_without_a_gap(coupa):
    target, _ = coupa
    first = frozen(target)
    world.supplier()
    world.dispatch_now()
    freezing.keep()
    second = frozen(target, ends_at=timezone.now() + timedelta(minutes=5))
    over(first)
    freezing.keep()
    assert Lane.objects.get().hold_reason == f"freeze:{second.pk}" and states() == ["held"]


def test_a_lane_held_by_poison_is_not_released_by_a_thaw(coupa):
    target, _ = coupa
    world.supplier()
    world.dispatch_now()
    lanes.hold(Lane.objects.get(), "poison: its connector broke three times")
    window = frozen(target)
    freezing.keep()
    over(window)
    freezing.keep()
    assert states() == ["held"] and not world.send_now()


def test_a_crashed_lane_waits_for_the_thaw_too(coupa):
    """Its lease ran out inside the window: nobody reads it back before, and nobody spins on it."""
    target, _ = coupa
    world.supplier()
    world.dispatch_now()
    claims.claim(target, claims.PROCESS)
    window = frozen(target)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sync_lane SET lease_until = now() - interval '1 second'")
    freezing.keep()
    assert lanes.ready_targets() == [] and not world.send_now()
    over(window)
    freezing.keep()
    assert world.send_until_settled()["posted"] == 1


def test_who_may_freeze_and_what_a_window_needs(coupa):
    target, _ = coupa
    greta, samir = actor("greta", "governance"), actor("samir", "operator")
    soon = timezone.now() + timedelta(hours=1)
    with pytest.raises(NotAllowed):
        freezing.open_window(target, starts_at=None, ends_at=soon, reason="x", by=samir)
    for wrong in (
        {"reason": " "}, {"type": "payment_term"}, {"ends_at": timezone.now()}, {"starts_at": soon + timedelta(hours=1)},
    ):  # fmt: skip
        with pytest.raises(CorrectInput):
            freezing.open_window(
                target, by=greta, **{"starts_at": None, "ends_at": soon, "reason": "Quarter close", **wrong}
            )
    row = freezing.open_window(target, starts_at=timezone.now(), ends_at=soon, reason="Quarter close", by=greta)
    assert row.starts_at > timezone.now() + timedelta(seconds=freezing.LEAD_S - 1), "nobody can be about to send then"
    with pytest.raises(CorrectInput):
        freezing.lift(row, reason="", by=greta)
    with pytest.raises(NotAllowed):
        freezing.lift(row, reason="Done early", by=samir)
    freezing.lift(row, reason="Done early", by=greta)
    with pytest.raises(NotNow):
        freezing.lift(row, reason="Done early", by=greta)
    assert list(AuditEntry.objects.filter(action__startswith="freeze.").values_list("action", flat=True)) == [
        "freeze.planned",
        "freeze.lifted",
    ]
    with pytest.raises(IntegrityError):
        frozen(target, ends_at=timezone.now() - timedelta(hours=2))
