"""The engine against a made-up target, walked at random: whatever happens, one effect per version, in order, to the end."""

from __future__ import annotations

from typing import ClassVar

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync import platforms
from sync.models import Delivery, Lane
from sync.models.states import MOVES, STATES
from sync.services import claims, deliver
from tests.sync import made_up as made_up_targets
from tests.sync import world
from tests.sync.made_up import Deduping, Killed, Shown, There

pytestmark = pytest.mark.django_db(transaction=True)
LOST = ("lost_applied", "lost_not_applied", "lost_late", "killed")
# Of two writes the first is done.
HALF = ("half_throttled", "half_not_sent", "half_refused", "half_stale", "half_killed")
WAYS = ("ok", *LOST, *LOST, "refused", "throttled", "not_sent", *HALF)


class Walk(RuleBasedStateMachine):
    kind: ClassVar[type[There]] = Shown

    @initialize()
    def start(self) -> None:
        self.there = self.kind()
        self.target = made_up_targets.target(self.there, max_attempts=500, max_inflight_s=60)
        self.names = ["Anfang GmbH"]
        self.uid = world.supplier(legal_name=self.names[0], tax_registrations=[])
        world.dispatch_now()

    @rule(number=st.integers(0, 99))
    def a_new_version(self, number: int) -> None:
        name = f"Version {len(self.names)} {number} GmbH"
        self.names.append(name)
        world.propose("supplier", {"legal_name": name, "website": f"https://{len(self.names)}.example"}, uid=self.uid)
        world.dispatch_now()

    @rule(way=st.sampled_from(WAYS))
    def some_time_later(self, way: str) -> None:
        self.leases_run_out()
        self.waiting_is_over()
        self.work(way)

    @rule(way=st.sampled_from(WAYS))
    def much_later(self, way: str) -> None:
        self.leases_run_out()
        self.the_quarantine_is_over()
        self.work(way)

    @rule(way=st.sampled_from(WAYS))
    def work(self, way: str) -> None:
        self.there.way = "ok" if way in HALF and self.kind is Deduping else way
        for held in claims.claim(self.target, claims.PROCESS):
            try:
                deliver.deliver(held, claims.PROCESS)
            except Killed:
                pass
        self.there.way = "ok"

    @rule()
    def a_process_dies_with_the_lane(self) -> None:
        claims.claim(self.target, claims.PROCESS)

    @rule()
    def a_late_request_arrives(self) -> None:
        self.there.arrive()

    @rule()
    def leases_run_out(self) -> None:
        _sql("UPDATE sync_lane SET lease_until = now() - interval '1 second' WHERE lease_owner IS NOT NULL")

    @rule()
    def waiting_is_over(self) -> None:
        """Every wait but the quarantine; one in doubt may be looked at early, and must not be sent then."""
        _sql("UPDATE sync_lane SET next_at = greatest(now(), ambiguous_until)")
        _sql(
            "UPDATE sync_lane l SET next_at = now() WHERE EXISTS "
            "(SELECT 1 FROM sync_delivery d WHERE d.lane_id = l.id AND d.state = 'unknown')"
        )
        _sql("UPDATE sync_target SET not_before = NULL")

    @rule()
    def the_quarantine_is_over(self) -> None:
        """By then whatever was lost has arrived, or never will: that is what the time is chosen for."""
        self.there.late.clear() if len(self.names) % 2 else [self.there.arrive() for _ in list(self.there.late)]
        _sql("UPDATE sync_lane SET ambiguous_until = now() WHERE ambiguous_until IS NOT NULL")
        self.waiting_is_over()

    @invariant()
    def every_state_is_one_of_the_table(self) -> None:
        if hasattr(self, "uid"):
            assert set(Delivery.objects.filter(record=self.uid).values_list("state", flat=True)) <= set(STATES)

    @invariant()
    def one_record_and_no_effect_twice(self) -> None:
        if hasattr(self, "there"):
            assert len(self.there.held) <= 1
            keys = [key for key, _ in self.there.applied]
            assert len(keys) == len(set(keys)), "an idempotency key was applied twice"
            sequence = [int(key.rpartition(":")[2]) for key in keys]
            assert sequence == sorted(sequence), "an older version was applied after a newer one"

    @invariant()
    def what_was_applied_in_part_is_never_called_unsent(self) -> None:
        if hasattr(self, "there"):
            for row in Delivery.objects.filter(record=self.uid, state__in=("superseded", "cancelled", "held")):
                assert row.idempotency_key not in self.there.halves, row

    def teardown(self) -> None:
        if not hasattr(self, "uid"):
            return
        for _ in range(40):
            self.leases_run_out()
            self.the_quarantine_is_over()
            self.work("ok")
            if not Lane.objects.filter(uid=self.uid, open=True).exists():
                break
        rows = list(Delivery.objects.filter(record=self.uid).order_by("seq").values_list("state", flat=True))
        ends = {state for state in STATES if not MOVES[state] or MOVES[state] == {"cancelled"}} | {"held"}
        assert set(rows) <= ends, rows
        if rows[-1] == "posted":
            (held,) = self.there.held.values()
            assert held["name"] == self.names[-1]
        else:
            assert rows[-1] in ("rejected", "held", "poison"), rows
        self.one_record_and_no_effect_twice()


class WalkOfKeys(Walk):
    kind = Deduping  # one push is one write there


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def made_up(monkeypatch):
    monkeypatch.setattr(platforms, "session", made_up_targets.session)
    world.allow_everything()


@pytest.mark.slow
@pytest.mark.parametrize("walk", [Walk, WalkOfKeys])
def test_walks(made_up, walk):
    run_state_machine_as_test(
        walk,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
