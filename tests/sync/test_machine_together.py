"""First loads in requests of several, walked at random with everything that may happen to a request and to a record in it."""

from __future__ import annotations

import uuid
from collections import defaultdict

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sync import platforms
from sync.models import Delivery, Lane, PushJob, Subscription
from sync.payloads import renderer
from sync.services import bulk, claims, deliver, jobs
from tests.people import actor
from tests.sync import made_up as made_up_targets
from tests.sync import world
from tests.sync.made_up import Killed, Several

pytestmark = pytest.mark.django_db(transaction=True)
LOST = ("lost_applied", "lost_not_applied", "lost_late", "killed", "broken")
WAYS = ("ok", "ok", *LOST, "throttled", "not_sent", "stale")
AT_ONCE, LOADS = 3, 3


class WalkTogether(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.there = Several()
        self.target = made_up_targets.target(self.there, max_attempts=500, max_inflight_s=60, concurrency=3)
        self.names: dict[str, str] = {}
        self.loads = self.versions = 0
        self.by = actor(f"op-{uuid.uuid4().hex[:8]}", "operator")
        self.a_load()

    @precondition(lambda self: self.loads < LOADS)
    @rule()
    def a_load(self) -> None:
        """Records that no event sends, and a job that does."""
        Subscription.objects.update(from_seq=10**9)
        new = {}
        for number in range(AT_ONCE):
            name = f"Ladung {self.loads}-{number} GmbH"
            new[world.supplier(legal_name=name, tax_registrations=[])] = name
        self.names |= new
        world.dispatch_now()
        Subscription.objects.update(from_seq=0)
        PushJob.objects.update(state="done")
        jobs.ask_for_records(self.target, by=self.by, type="supplier", records=list(new))
        self.loads += 1

    @rule(which=st.integers(0, AT_ONCE * LOADS))
    def a_new_version(self, which: int) -> None:
        self.versions += 1
        uid, number = list(self.names)[which % len(self.names)], self.versions
        self.names[uid] = f"Neu {number} GmbH"
        world.propose("supplier", {"legal_name": self.names[uid], "website": f"https://{number}.example"}, uid=uid)
        world.dispatch_now()

    @rule(way=st.sampled_from(WAYS))
    def work(self, way: str) -> None:
        self.there.way = way
        held = claims.claim(self.target, uuid.uuid4(), Several)
        try:
            if len(held) > 1:
                bulk.deliver_several(held, claims.PROCESS, lambda row: renderer(row.target, row.type))
            elif held:
                deliver.deliver(held[0], claims.PROCESS)
        except Killed:
            pass
        self.there.way = "ok"

    @rule(way=st.sampled_from(WAYS))
    def later(self, way: str) -> None:
        self.leases_run_out()
        self.waiting_is_over()
        self.work(way)

    @rule(way=st.sampled_from(WAYS))
    def much_later(self, way: str) -> None:
        self.leases_run_out()
        self.the_quarantine_is_over()
        self.work(way)

    @rule()
    def a_process_dies_with_its_lanes(self) -> None:
        claims.claim(self.target, uuid.uuid4(), Several)

    @rule()
    def a_late_request_arrives(self) -> None:
        self.there.arrive()

    @rule()
    def leases_run_out(self) -> None:
        _sql("UPDATE sync_lane SET lease_until = now() - interval '1 second' WHERE lease_owner IS NOT NULL")

    @rule()
    def waiting_is_over(self) -> None:
        _sql("UPDATE sync_lane SET next_at = greatest(now(), ambiguous_until)")
        _sql(
            "UPDATE sync_lane l SET next_at = now() WHERE EXISTS "
            "(SELECT 1 FROM sync_delivery d WHERE d.lane_id = l.id AND d.state = 'unknown')"
        )
        _sql("UPDATE sync_target SET not_before = NULL, breaker = 'closed'")

    @rule()
    def the_quarantine_is_over(self) -> None:
        while self.there.late:
            self.there.arrive()
        _sql("UPDATE sync_lane SET ambiguous_until = now() WHERE ambiguous_until IS NOT NULL")
        self.waiting_is_over()

    @invariant()
    def one_record_each_and_no_effect_twice(self) -> None:
        if not hasattr(self, "there"):
            return
        assert len(self.there.held) == len(self.there.references) <= len(self.names)
        keys = [key for key, _ in self.there.applied]
        assert len(keys) == len(set(keys)), "an idempotency key was applied twice"
        sequences: dict[str, list[int]] = defaultdict(list)
        for key in keys:
            _, _, record, _, seq = key.split(":")
            sequences[record].append(int(seq))
        assert all(found == sorted(found) for found in sequences.values()), "an older version after a newer one"

    @invariant()
    def nothing_that_was_applied_is_called_unsent(self) -> None:
        if hasattr(self, "there"):
            applied = {key for key, _ in self.there.applied}
            for row in Delivery.objects.filter(record__in=list(self.names), state__in=("superseded", "cancelled")):
                assert row.idempotency_key not in applied, row

    def teardown(self) -> None:
        if not hasattr(self, "there"):
            return
        for _ in range(80):
            self.leases_run_out()
            self.the_quarantine_is_over()
            self.work("ok")
            if not Lane.objects.filter(uid__in=list(self.names), open=True).exists():
                break
        for uid, name in self.names.items():
            last = Delivery.objects.filter(record=uid).order_by("seq").last()
            assert last is not None and last.state in ("posted", "poison", "held"), last
            if last.state == "posted":
                assert self.there.held[self.there.references[uid]]["name"] == name
        self.one_record_each_and_no_effect_twice()


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.slow
def test_walks(monkeypatch):
    monkeypatch.setattr(platforms, "session", made_up_targets.session)
    monkeypatch.setattr(platforms, "bulk", lambda _: Several)
    world.allow_everything()
    run_state_machine_as_test(
        WalkTogether,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
