"""The demo's dimensions at its platforms: delivered, with what stood there before, and held as they were sent."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dimensions import demo as dimensions_demo
from mdm.demo import foundation
from mdm.models import Crosswalk
from sync import demo
from sync.models import Delivery, DriftFinding, Target
from sync.services import drift
from tests.sync.sandboxes import platform
from tests.sync.world import ROBOT

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("s4hana", "dynamics365", "netsuite", "coupa", "concur", "oracle_fusion")
DIMENSIONS = ("cost_center", "profit_center", "project", "gl_account")


def quiet(words: str) -> None:
    """Nobody listens."""


def test_the_demo_delivers_its_dimensions_and_finds_no_drift(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    settings.PASSWORD_HASHERS = ["tests.fixtures_story.FewRounds"]
    foundation.load(quiet)
    dimensions_demo.load(quiet)
    with ExitStack() as stack:
        running = {name: stack.enter_context(platform(name, tmp_path / f"{name}.sqlite")) for name in NAMES}
        settings.SANDBOX_URLS = {name: one.url for name, one in running.items()}
        demo.load_targets(quiet)
        demo.send()
        sent = Delivery.objects.filter(type__in=DIMENSIONS)
        wrong = sent.exclude(state="posted", verified=True)
        assert not wrong.exists(), list(wrong.values_list("target__code", "type", "label", "state", "error_text"))
        taken = {(one.target.code, one.type) for one in sent.select_related("target")}
        assert {type for code, type in taken if code == "s4hana"} == {"cost_center"}
        assert {type for code, type in taken if code == "dynamics365"} == set(DIMENSIONS)
        assert {type for code, type in taken if code == "netsuite"} == {"cost_center", "profit_center", "gl_account"}
        assert {type for code, type in taken if code == "coupa"} == set(DIMENSIONS)
        assert {type for code, type in taken if code == "concur"} == {"cost_center", "profit_center", "project"}
        assert {type for code, type in taken if code == "oracle_fusion"} == {
            "cost_center",
            "profit_center",
            "gl_account",
        }
        there = {"s4hana": "A000/DE-2100", "dynamics365": "DE-2100", "netsuite": "1"}
        there |= {"coupa": "DE_2100", "concur": "DE_1000", "oracle_fusion": "FR-1000"}
        for code, key in there.items():
            linked = Crosswalk.objects.filter(system__code=code, type="cost_center", key=key)
            assert linked.count() == 1, "it stood there before"
        for target in Target.objects.all():
            for type in (type for code, type in taken if code == target.code):
                run = drift.run(drift.request(target, by=ROBOT, type=type).uid)
                assert run.state == "done", run.error
        found = DriftFinding.objects.filter(type__in=DIMENSIONS)
        assert not found.exclude(kind="extra").exists(), list(
            found.values_list("target__code", "kind", "label", "field")
        )
        assert set(found.values_list("kind", flat=True)) == {"extra"}, "what nobody of ours knows is told"
