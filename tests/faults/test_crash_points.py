"""Every crash point, at a target of every capability class, with a request that was applied, applied unheard, or lost.

A cell is: one record is made or changed, a process dies at the point, another one takes over. Whatever happened, the
target has it once. `MDM_FAULT_CELLS=24 MDM_FAULT_SEED=7` draws some; without them all are run.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from typing import TypeVar

import pytest

from mdm.models import Crosswalk
from sync import platforms
from sync.crash_points import POINTS
from sync.models import Delivery, Subscription, Target
from sync.services import jobs
from tests.faults import checker
from tests.faults.platforms import COMPANY, company, one_of_each_class, target_at, with_bulk
from tests.faults.victims import Victims, victims
from tests.fixtures_processes import Sandbox, new_child
from tests.people import actor
from tests.sync import world
from tests.sync.sandboxes import WRITES
from tests.sync.world import Side

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
Cell = TypeVar("Cell", bound=tuple[str, ...])
WAYS = {"applied": "", "applied_unheard": "reset_after", "lost": "reset_before"}
TOGETHER = 3
AT_THE_TARGET = ("claiming", "claimed", "prepared", "looked", "token", "intended", "sent", "read_back", "answered",
                 "recording", "recorded")  # fmt: skip
CHANGE = {"legal_name": "Nordlicht Papier SE", "payment_terms": "NET60"}


def cells() -> list[tuple[str, str, str, str]]:
    every = [
        (connector, point, way, kind)
        for connector, point, way, kind in itertools.product(one_of_each_class(), POINTS, WAYS, ("create", "update"))
        if (point, way) != ("read_back", "applied")  # nothing is in doubt then
    ]
    return drawn(every)


def cells_of_several() -> list[tuple[str, str, str]]:
    """The same of first loads in one request, from the claim on; every platform that has it answers in its own way."""
    every = itertools.product(with_bulk(), AT_THE_TARGET, WAYS)
    return drawn([cell for cell in every if cell[1:] != ("read_back", "applied")])


def drawn(every: list[Cell]) -> list[Cell]:
    count, seed = int(os.environ.get("MDM_FAULT_CELLS", 0)), os.environ.get("MDM_FAULT_SEED", "")
    return sorted(random.Random(seed).sample(every, count)) if 0 < count < len(every) else every


@pytest.fixture(scope="module")
def doomed(django_db_setup: None) -> Iterator[Victims]:
    with victims(new_child("victims", []).environment) as running:
        yield running


@pytest.fixture(scope="module")
def running(module_sandbox) -> Iterator[dict[str, Sandbox]]:
    yield {name: module_sandbox(name) for name in {*one_of_each_class(), *with_bulk()}}


@pytest.fixture
def stage(running: dict[str, Sandbox], doomed: Victims) -> Iterator[object]:
    """A target at an empty sandbox, fast enough that a lease and a quarantine are over in a second or two."""

    def at(connector: str) -> tuple[Target, Side]:
        side = Side(running[connector].control)
        side.reset()
        platforms.forget_sessions()
        world.allow_everything()
        company()
        return target_at(connector, running[connector].url, timeout_s=0.5, max_inflight_s=0.5), side

    yield at


@pytest.mark.parametrize("connector, point, way, kind", cells())
def test_a_process_dies_at_any_point(stage, doomed: Victims, connector: str, point: str, way: str, kind: str) -> None:
    target, side = stage(connector)
    uid = world.supplier(extensions=[{"legal_entity": COMPANY}])
    if kind == "update":
        world.send_until_settled()
        world.propose("supplier", CHANGE, uid=uid)
    if WAYS[way]:
        side.fault(WAYS[way], WRITES)
    assert doomed.run(point) == "died 9"
    world.send_until_settled()
    found = checker.check({target: side})
    assert found.clean, found.told()
    assert set(found.states) == {"posted"} and len(side.records()) == 1
    assert Delivery.objects.count() == (2 if kind == "update" else 1)


@pytest.mark.parametrize("connector, point, way", cells_of_several())
def test_a_process_dies_with_several_in_one_request(
    stage, doomed: Victims, connector: str, point: str, way: str
) -> None:
    target, side = stage(connector)
    Subscription.objects.update(from_seq=10**9)
    own = {"tax_registrations": [], "extensions": [{"legal_entity": COMPANY}]}
    uids = [world.supplier(legal_name=f"Viele {n} GmbH", **own) for n in range(TOGETHER)]
    world.dispatch_now()
    jobs.ask_for_records(target, by=actor("samir", "operator"))
    if WAYS[way]:
        side.fault(WAYS[way], WRITES)
    assert doomed.run(point) == "died 9"
    world.send_until_settled()
    assert list(Delivery.objects.values_list("state", flat=True)) == ["posted"] * TOGETHER
    made = [effect["key"] for effect in side.effects()]
    assert sorted(made) == sorted(side.records()) and len(made) == TOGETHER, "each was made once, and nothing besides"
    assert {str(uid) for uid in Crosswalk.objects.values_list("uid", flat=True)} == set(uids)
