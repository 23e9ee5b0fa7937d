"""The engine against a made-up target, walked at random: whatever happens, one effect per version, in order, to the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync import errors, platforms
from sync.models import Delivery, Lane
from sync.models.states import MOVES, STATES
from sync.protocol import Capability, Outcome, Push, RemoteRecord
from sync.services import claims, deliver
from tests.sync import world

pytestmark = pytest.mark.django_db(transaction=True)
LOST = ("lost_applied", "lost_not_applied", "lost_late", "killed")
WAYS = ("ok", *LOST, *LOST, "refused", "throttled", "not_sent")


class Killed(BaseException):
    """As kill -9 would look to the code: nothing after this point runs, nothing is recorded."""


class There:
    """A target in memory. `way` says what happens to the next write; late requests may arrive until told otherwise."""

    name, title, types, max_inflight_s = "coupa", "Made up", ("supplier",), 5.0
    capability: ClassVar[Capability]

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.references: dict[str, str] = {}
        self.applied: list[tuple[str, str]] = []  # (idempotency key, effect)
        self.late: list[Push] = []
        self.way = "ok"

    def push(self, push: Push) -> Outcome:
        way, self.way = self.way, "ok"
        if way == "refused":
            raise errors.Refused("no")
        if way == "throttled":
            raise errors.Throttled("later", retry_after=1)
        if way == "not_sent":
            raise errors.NotSent("no connection")
        if way == "lost_not_applied":
            raise errors.Ambiguous("no answer")
        if way == "lost_late":
            self.late.append(push)
            raise errors.Ambiguous("no answer")
        key, effect = self._apply(push)
        if way == "lost_applied":
            raise errors.Ambiguous("no answer")
        if way == "killed":
            raise Killed
        return Outcome(key, effect, verified=self.capability == "C")

    def _apply(self, push: Push) -> tuple[str, Any]:
        key = push.key or f"K{len(self.held) + 1}"  # asked to create, it creates: finding first is our business
        effect = "updated" if key in self.held else "created"
        if self.held.get(key) == push.payload:
            return key, "unchanged"
        self.held[key], self.references[push.reference] = dict(push.payload), key
        self.applied.append((push.idempotency_key, effect))
        return key, effect

    def arrive(self) -> None:
        if self.late:
            self._apply(self.late.pop(0))

    def exchanges(self) -> tuple[()]:
        return ()


class Shown(There):
    """It can be read: class C."""

    capability = "C"

    def read(self, type: str, key: str) -> RemoteRecord | None:
        return RemoteRecord(key, self.held[key]) if key in self.held else None

    def find(self, type: str, reference: str, payload: Any) -> RemoteRecord | None:
        key = self.references.get(reference)
        return self.read(type, key) if key else None

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        return (RemoteRecord(key, fields) for key, fields in self.held.items())


class Deduping(There):
    """It cannot be read, and makes every idempotency key true once: class B."""

    capability = "B"

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[str, tuple[str, Any]] = {}

    def _apply(self, push: Push) -> tuple[str, Any]:
        if push.idempotency_key not in self.taken:
            effect = "updated" if push.reference in self.held else "created"
            self.held[push.reference] = dict(push.payload)
            self.applied.append((push.idempotency_key, effect))
            self.taken[push.idempotency_key] = push.reference, effect
        return self.taken[push.idempotency_key]


class Walk(RuleBasedStateMachine):
    kind: ClassVar[type[There]] = Shown

    @initialize()
    def start(self) -> None:
        self.there = self.kind()
        self.target = _target(self.there)
        self.names = ["Anfang GmbH"]
        self.uid = world.supplier(legal_name=self.names[0], tax_registrations=[])
        world.dispatch_now()

    @rule(number=st.integers(0, 99))
    def a_new_version(self, number: int) -> None:
        name = f"Version {len(self.names)} {number} GmbH"
        self.names.append(name)
        world.propose("supplier", {"legal_name": name}, uid=self.uid)
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
        self.there.way = way
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
    kind = Deduping


def _target(there: There) -> Any:
    made = world.target(f"t{id(there)}", "http://made.example", connector="coupa", max_attempts=500, max_inflight_s=60)
    made.subscriptions.model.objects.exclude(target=made).update(active=False)
    _SESSIONS[made.code] = there
    return made


_SESSIONS: dict[str, There] = {}


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def made_up(monkeypatch):
    @contextmanager
    def session(target):
        yield _SESSIONS[target.code]

    monkeypatch.setattr(platforms, "session", session)
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
