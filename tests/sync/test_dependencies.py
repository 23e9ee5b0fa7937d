"""What a record refers to is made at a target first; nobody waits for ever, and nobody for what is there already."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from sync.models import Delivery, Lane
from sync.selectors import awaiting, record_status
from sync.services import drain, lanes
from tests.people import person
from tests.sync import world
from tests.sync.sandboxes import Platform, platform

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def concur(tmp_path: Path):
    world.allow_everything()
    with platform("concur", tmp_path / "state.sqlite") as running:
        yield running


def family(*, later: str = "Nordlicht Tochter GmbH") -> tuple[str, str]:
    """A parent and its child, the child made first in the queue."""
    parent = world.supplier()
    child = world.supplier(legal_name=later, parent=parent, tax_registrations=[], contacts=[])
    return parent, child


def hurry(uid: str) -> None:
    """Ahead of everybody, if only the order of the queue decided."""
    Lane.objects.filter(uid=uid).update(priority=lanes.URGENT)


def created(running: Platform) -> list[str]:
    return [effect["key"] for effect in running.effects() if effect["kind"] == "created"]


def state(uid: str) -> str:
    return Delivery.objects.filter(record=uid).order_by("-seq").values_list("state", flat=True)[0]


def test_a_parent_is_made_before_its_child(concur: Platform) -> None:
    world.target("concur", concur.url, concurrency=1)
    parent, child = family()
    world.dispatch_now()
    hurry(child)
    waiting = awaiting.awaited(Lane.objects.filter(uid=child).values_list("pk", flat=True))
    assert [one.uid for found in waiting.values() for one in found] == [parent]
    drain.drain_all()
    assert (state(parent), state(child)) == ("posted", "posted")
    first, second = (Lane.objects.get(uid=uid).target_key for uid in (parent, child))
    assert created(concur) == [first, second]


def test_a_child_whose_parent_cannot_leave_waits_and_says_so(concur: Platform, client: Client) -> None:
    world.target("concur", concur.url)
    parent, child = family()
    world.dispatch_now()
    held = Lane.objects.get(uid=parent)
    lanes.hold(held, "a test")
    assert drain.drain_all() == {} and created(concur) == []
    line = record_status.of_record("supplier", child)[0]
    assert line["message"].startswith("Waits for ") and "(held)" in line["message"]
    client.force_login(person("opal", "operator"))
    page = client.get(line["url"])
    assert page.status_code == 200 and "is made there first" in page.content.decode()
    lanes.release(held)
    drain.drain_all()
    assert (state(parent), state(child)) == ("posted", "posted")


def test_a_refused_parent_holds_nobody_up(concur: Platform) -> None:
    world.target("concur", concur.url, concurrency=1)
    parent, child = family()
    world.dispatch_now()
    concur.fail("refuse")
    drain.drain_all()
    assert (state(parent), state(child)) == ("rejected", "posted")


def test_a_change_of_a_parent_that_is_there_makes_nobody_wait(concur: Platform) -> None:
    world.target("concur", concur.url)
    parent = world.supplier()
    world.dispatch_now()
    drain.drain_all()
    world.propose("supplier", {"website": "https://nordlicht.example"}, uid=parent)
    child = world.supplier(legal_name="Nordlicht Tochter GmbH", parent=parent, tax_registrations=[], contacts=[])
    world.dispatch_now()
    lanes.hold(Lane.objects.get(uid=parent), "a test")
    drain.drain_all()
    assert state(child) == "posted"


def test_sisters_and_circles_do_not_wait_for_each_other(concur: Platform) -> None:
    world.target("concur", concur.url)
    one, other = family()
    world.dispatch_now()
    first, second = Lane.objects.get(uid=one), Lane.objects.get(uid=other)
    Lane.objects.filter(pk=first.pk).update(awaits=[other])  # no document can say so today; a later type might
    drain.drain_all()
    assert (state(one), state(other)) == ("posted", "posted")
    assert first.pk < second.pk
