"""From an applied change to the target and back: created once, linked, updated, superseded, refused, several keys."""

from __future__ import annotations

import pytest
from django.utils import timezone

from mdm.models import Crosswalk
from mdm.services import crosswalks
from sync.models import Attempt, Delivery, ExceptionItem, Lane, Target
from sync.services import dispatch, exceptions
from tests.sync import world
from tests.sync.world import Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def coupa(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    return world.target("coupa", started.url), Side(started.control)


def states(**filter):
    return list(Delivery.objects.filter(**filter).order_by("pk").values_list("state", flat=True))


def test_a_new_supplier_is_created_once_and_linked(coupa):
    target, side = coupa
    uid = world.supplier()
    assert world.send_now() == {"posted": 1}

    delivery = Delivery.objects.get()
    assert (delivery.effect, delivery.verified, delivery.reason) == ("created", True, "event")
    assert (delivery.seq, delivery.version, delivery.generation) == (1, 1, 1)
    link = Crosswalk.objects.get(system=target.system)
    assert str(link.uid) == uid and link.key in side.records()
    assert delivery.target_key == link.key == Lane.objects.get().target_key
    assert Attempt.objects.get().result.outcome == "created"
    lane = Lane.objects.get()
    assert (lane.open, lane.lease_owner, lane.ambiguous_until, lane.confirmed_version) == (False, None, None, 1)
    assert lane.confirmed_hash == delivery.payload_hash != ""
    assert delivery.correlation_id == delivery.event.correlation_id != ""


def test_a_change_updates_the_same_record_there(coupa):
    _, side = coupa
    uid = world.supplier()
    world.send_now()
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    assert world.send_now() == {"posted": 1}
    assert [row["name"] for row in side.records().values()] == ["Nordlicht Papier SE"]
    assert list(Delivery.objects.order_by("pk").values_list("seq", "version", "effect")) == [
        (1, 1, "created"),
        (2, 2, "updated"),
    ]


def test_versions_nobody_sent_are_superseded_by_the_newest(coupa):
    _, side = coupa
    uid = world.supplier()
    for number in range(3):
        world.propose("supplier", {"legal_name": f"Nordlicht {number}"}, uid=uid)
    world.dispatch_now()
    assert states() == ["superseded"] * 3 + ["pending"]
    assert set(Delivery.objects.filter(state="superseded").values_list("superseded_by__version", flat=True)) == {4}
    assert world.send_now() == {"posted": 1}
    assert [row["name"] for row in side.records().values()] == ["Nordlicht 2"]


def test_events_are_dispatched_once_and_in_order(coupa):
    world.supplier()
    assert world.dispatch_now() == Delivery.objects.count() + 3  # three payment terms nobody is subscribed to
    assert world.dispatch_now() == 0
    assert dispatch.dispatch() == 0
    assert Delivery.objects.count() == 1


def test_a_refusal_becomes_an_exception_and_the_next_version_corrects_it(coupa):
    _, side = coupa
    uid = world.supplier()
    side.fault("refuse", "POST /api/suppliers")
    assert world.send_now() == {"rejected": 1}
    item = ExceptionItem.objects.get()
    assert (item.state, item.kind) == ("open", "refused")
    assert "not allowed" in item.words and item.problems[0]["message"] in item.words
    rejected = Delivery.objects.get()
    assert rejected.error_text == item.words and not Lane.objects.get().open

    world.propose("supplier", {"legal_name": "Nordlicht Papier KG"}, uid=uid)
    assert world.send_now() == {"posted": 1}
    rejected.refresh_from_db()
    item.refresh_from_db()
    assert (rejected.state, rejected.corrected_by.version, item.state) == ("rejected", 2, "corrected")
    assert len(side.records()) == 1


def test_a_value_without_counterpart_waits_for_a_row_of_the_value_map(coupa):
    target, side = coupa
    world.propose("payment_term", {"code": "NET37", "name": "Odd", "net_days": 37})
    world.supplier(payment_terms="NET37")
    assert world.send_now() == {"rejected": 1}
    item = ExceptionItem.objects.get()
    assert (item.kind, item.table, item.value) == ("unmapped", "payment_terms", "NET37")
    assert not side.effects()

    _, queued = exceptions.map_value(target, table="payment_terms", ours="NET37", theirs="Net 30", by=world.ROBOT)
    assert queued == 1
    assert world.send_now() == {"posted": 1}
    assert next(iter(side.records().values()))["payment-term.code"] == "Net 30"
    item.refresh_from_db()
    assert item.state == "corrected"
    again = Delivery.objects.latest("pk")
    assert (again.reason, again.seq) == ("mapping_changed", 2)


def test_several_keys_at_one_target_one_line_each(coupa):
    """The primary key is updated, the other one blocked there."""
    target, side = coupa
    uid = world.supplier()
    other = world.supplier(legal_name="Nordlicht Papier Doppel", tax_registrations=[])
    world.send_now()
    keys = {str(row.uid): row.key for row in Crosswalk.objects.all()}
    crosswalks.link(system=target.system, type="supplier", key=keys[other], uid=uid, primary=False, move=True)
    world.propose("supplier", {"legal_name": "Nordlicht Papier AG"}, uid=uid)
    assert world.send_now() == {"posted": 2}

    lines = Delivery.objects.filter(record=uid, version=2).values_list("target_key", "action", "state")
    assert sorted(lines) == sorted([(keys[uid], "upsert", "posted"), (keys[other], "block", "posted")])
    held = side.records()
    assert held[keys[uid]]["name"] == "Nordlicht Papier AG" and held[keys[other]]["status"] == "inactive"
    assert Lane.objects.count() == 2, "the lane follows its key"

    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    assert world.send_now() == {"posted": 1}, "a key that is blocked already is left alone"


def test_a_record_found_there_is_linked_never_doubled(coupa):
    target, side = coupa
    uid = world.supplier()
    world.send_now()
    Crosswalk.objects.all().delete()
    Lane.objects.update(target_key="")
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    assert world.send_now() == {"posted": 1}
    assert len(side.records()) == 1
    assert Crosswalk.objects.get().key in side.records()


def test_a_record_of_somebody_else_is_never_overwritten(coupa):
    """The number is taken at the target by a record tied to another golden record."""
    target, side = coupa
    other = world.supplier()
    world.send_now()
    held = next(iter(side.records()))
    uid = world.supplier(legal_name="Ganz Anders GmbH", tax_registrations=[])
    side.mutate(held, "custom-fields.mdm-reference", uid)
    assert world.send_now() == {"rejected": 1}
    assert ExceptionItem.objects.get().kind == "linked_elsewhere"
    assert str(Crosswalk.objects.get(key=held).uid) == other
    assert side.records()[held]["name"] == world.SUPPLIER["legal_name"]


def test_a_blocked_record_is_blocked_there_and_a_new_blocked_one_is_not_created(coupa):
    _, side = coupa
    uid = world.supplier()
    world.send_now()
    world.propose("supplier", {}, uid=uid, action="block")
    assert world.send_now() == {"posted": 1}
    assert Delivery.objects.latest("pk").action == "block"
    assert next(iter(side.records().values()))["status"] == "inactive"


def test_a_filter_keeps_others_away(coupa):
    target, _ = coupa
    target.subscriptions.update(filter={"country": ["FR", "ES"]})
    world.supplier()
    world.supplier(country="FR", legal_name="Papeterie du Nord", tax_registrations=[])
    world.dispatch_now()
    assert Delivery.objects.get().label.endswith("Papeterie du Nord")


def test_nothing_is_sent_while_paused_or_told_to_wait(coupa):
    target, side = coupa
    Target.objects.update(paused_at=timezone.now())
    world.supplier()
    assert not world.send_now()
    Target.objects.update(paused_at=None)
    side.fault("429")
    assert world.send_now() == {"pending": 1}
    delivery, target = Delivery.objects.get(), Target.objects.get()
    assert delivery.attempts == 0, "an attempt the target refused to look at is not burnt"
    assert target.not_before > timezone.now() and not world.send_now()
    assert world.send_until_settled()["posted"] == 1
