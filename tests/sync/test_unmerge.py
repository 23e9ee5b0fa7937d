"""An unmerge at the platforms: the plan before approval, and over HTTP the records as they were before the merge."""

from __future__ import annotations

from typing import Any

import pytest

from mdm import ports, registry
from mdm.models import ApprovalPolicy, ChangeRequest, Crosswalk
from mdm.services import changes, merging, unmerging
from sync.models import Delivery
from tests.people import actor
from tests.sync import world
from tests.sync.world import Side

pytestmark = pytest.mark.django_db(transaction=True)
PLATFORMS = ("coupa", "s4hana", "concur")
# What a platform itself notes about the last write says nothing about the record.
STAMPS = ("updated-at", "UpdatedAt", "LastChangeDate", "version", "etag", "ETag", "changed")


def keys_of(uid: str) -> list[str]:
    return list(Crosswalk.objects.filter(uid=uid, active=True).values_list("key", flat=True))


def held(side: Side) -> dict[str, dict[str, Any]]:
    return {
        key: {name: value for name, value in fields.items() if not any(stamp in name for stamp in STAMPS)}
        for key, fields in side.records().items()
    }


def approve(change: ChangeRequest) -> ChangeRequest:
    return changes.approve(change=change, by=actor("ann", "approver"), content_hash=change.content_hash)


def plan(change: ChangeRequest) -> dict[str, Any]:
    (effect,) = ports.collect(ports.change_effects, change)
    return effect


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_ends_in_the_state_it_had_before_the_merge(sandbox, platform):
    started = sandbox(platform)
    side = Side(started.control)
    world.allow_everything()
    world.target(platform, started.url)
    one = world.supplier(legal_name="Nordlicht Papier GmbH")
    two = world.supplier(legal_name="Suedlicht Papier GmbH", currency="USD", payment_terms="NET60")
    world.send_until_settled()
    (first,), (second,) = keys_of(one), keys_of(two)
    before = held(side)
    ApprovalPolicy.objects.all().delete()

    merge = merging.propose(
        kind=registry.get("supplier"),
        survivor=one,
        losers=[two],
        choices={"payment_terms": two},
        by=actor("mara", "steward"),
    )
    assert plan(merge)["note"] == f"updates {first}; blocks {second}"
    approve(merge)
    world.send_until_settled()
    assert set(Delivery.objects.values_list("state", "error_text")) == {("posted", "")}
    assert held(side)[second] != before[second]

    change = unmerging.propose(merge=ChangeRequest.objects.get(pk=merge.pk), by=actor("mara", "steward"), reason="Two")
    assert plan(change)["note"] == f"updates {first}; unblocks {second}"
    (said,) = unmerging_targets(merge)
    assert (said["updates"], said["unblocks"], said["blocks"], said["told"]) == ([first], [second], [], True)
    approve(change)
    world.send_until_settled()

    after = held(side)
    different = {
        (key, name): (before[key].get(name), after[key].get(name))
        for key in before
        for name in {*before[key], *after[key]}
        if before[key].get(name) != after[key].get(name)
    }
    assert different == {} and after.keys() == before.keys()
    assert (keys_of(one), keys_of(two)) == ([first], [second])
    last = {d.target_key: (str(d.record), d.action, d.state) for d in Delivery.objects.order_by("lane_id", "seq")}
    assert last == {first: (one, "upsert", "posted"), second: (two, "upsert", "posted")}


def unmerging_targets(merge: ChangeRequest) -> list[dict[str, Any]]:
    """The same before it was asked for; the request that waits is withdrawn in a copy of the world."""
    from django.db import transaction

    with transaction.atomic():
        ChangeRequest.objects.filter(kind="unmerge").update(state="withdrawn")
        seen = unmerging.preview(merge=ChangeRequest.objects.get(pk=merge.pk))
        transaction.set_rollback(True)
    found: list[dict[str, Any]] = seen["targets"]
    return found


def test_what_has_to_be_made_at_a_target_is_said_before():
    """A record that got its key by the merge gives it back: the target will have to make it anew."""
    world.allow_everything()
    target = world.target("coupa", "https://nobody.example")
    one, two = world.supplier(), world.supplier(legal_name="Other")
    Crosswalk.objects.create(system=target.system, type="supplier", key="77", uid=two, since="2026-01-01T00:00:00Z")
    merge = merging.propose(kind=registry.get("supplier"), survivor=one, losers=[two], by=world.ROBOT)
    code = registry.get("supplier").model.objects.get(uid=one).code
    (said,) = unmerging.preview(merge=merge)["targets"]
    assert (said["updates"], said["creates"], said["told"]) == (["77"], [code], True)
    ApprovalPolicy.objects.all().delete()
    change = unmerging.propose(merge=merge, by=world.ROBOT)
    assert plan(change)["note"] == f"updates 77; creates {code}"


def test_a_record_that_was_never_sent_is_made_after_its_unmerge_even_in_one_batch():
    """Merge and unmerge are dispatched together: the creation that is wanted in the end is not given up."""
    world.allow_everything()
    world.target("coupa", "https://nobody.example")
    one, two = world.supplier(), world.supplier(legal_name="Other")
    merge = merging.propose(kind=registry.get("supplier"), survivor=one, losers=[two], by=world.ROBOT)
    unmerging.propose(merge=merge, by=world.ROBOT)
    world.dispatch_now()
    waiting = Delivery.objects.filter(state="pending").values_list("record", "action", "version")
    assert sorted((str(uid), action, version) for uid, action, version in waiting) == sorted(
        [(one, "upsert", 3), (two, "upsert", 3)]
    )


def test_a_survivor_that_gets_a_key_is_not_made_a_second_time():
    world.allow_everything()
    target = world.target("coupa", "https://nobody.example")
    one, two = world.supplier(), world.supplier(legal_name="Other")
    world.dispatch_now()
    Crosswalk.objects.create(system=target.system, type="supplier", key="77", uid=two, since="2026-01-01T00:00:00Z")
    merging.propose(kind=registry.get("supplier"), survivor=one, losers=[two], by=world.ROBOT)
    world.dispatch_now()
    waiting = Delivery.objects.filter(state="pending").values_list("record", "target_key", "action")
    assert [(str(uid), key, action) for uid, key, action in waiting] == [(one, "77", "upsert")]
