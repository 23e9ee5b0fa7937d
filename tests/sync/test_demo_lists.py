"""The demo's centers, projects and accounts, at the platforms that its files subscribe: they arrive, and nothing drifts."""

from __future__ import annotations

from typing import Any

import pytest

from dimensions import demo
from mdm import registry
from mdm.demo import clock
from mdm.demo.platforms import Platform, all_platforms
from sync.models import Delivery, DriftFinding, Subscription
from sync.services import drift, targets
from tests.sync import world
from tests.sync.world import ROBOT

pytestmark = pytest.mark.django_db(transaction=True)
MINE = ("coupa", "concur", "oracle_fusion")
PLATFORMS = [one for one in all_platforms() if one.name in MINE]


@pytest.mark.parametrize("platform", PLATFORMS, ids=[one.name for one in PLATFORMS])
def test_the_demo_is_delivered_and_clean(sandbox: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    world.allow_everything()
    monkeypatch.setattr(clock, "at", lambda *given: None)
    demo.load(lambda words: None)
    started = sandbox(platform.name)
    target = world.target(platform.name, started.url, options=platform.options)
    targets.check(target, by=ROBOT)
    world.send_until_settled()
    sent = {type: wanted for type, wanted in platform.subscriptions.items() if type != "supplier"}
    assert "cost_center" in sent and "profit_center" in sent
    for type, wanted in sent.items():
        Subscription.objects.create(target=target, type=type, filter=wanted.get("filter", {}))
        uids = registry.get(type).model._default_manager.values_list("uid", flat=True)
        targets.push(target, by=ROBOT, type=type, uids=[str(uid) for uid in uids])
    world.send_until_settled(120)
    wrong = Delivery.objects.exclude(state="posted").values_list("type", "label", "state", "error_text")
    assert not wrong.exists(), list(wrong)
    for type in sent:
        run = drift.run(drift.request(target, by=ROBOT, type=type).uid)
        assert run.state == "done", run.error
    found = DriftFinding.objects.exclude(kind="extra").values_list("type", "kind", "label", "field")
    assert not found.exists(), list(found)
    assert Delivery.objects.filter(effect="updated").exists(), "some were there already, under older names"
