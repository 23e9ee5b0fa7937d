"""The table of states: the database knows the same one, and no walk through the real transitions leaves it."""

from __future__ import annotations

import importlib
import re

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm.models import System
from sync import errors
from sync.models import Attempt, AttemptResult, Delivery, Lane, Target
from sync.models.states import DEAD, MOVES, OPEN, STATES, ForbiddenMove, check
from sync.services import outcomes
from sync.services.outcomes import Situation


def test_the_trigger_is_a_copy_of_the_table():
    guards = importlib.import_module("sync.migrations.0002_guards")
    pairs = set(re.findall(r"\('(\w+)', '(\w+)'\)", guards.MOVES))
    assert pairs == {(before, after) for before, afters in MOVES.items() for after in afters}


def test_ends_are_ends():
    assert all(not MOVES[state] for state in ("posted", "superseded", "cancelled"))
    assert all(MOVES[state] == {"cancelled"} for state in DEAD)
    assert not MOVES["unknown"] & {"superseded", "held"}, "a doubt is never passed over"
    with pytest.raises(ForbiddenMove):
        check("posted", "pending")


@pytest.fixture
def delivery(db) -> Delivery:
    system = System.objects.create(code="x", title="X", mark="XX")
    target = Target.objects.create(code="x", title="X", connector="coupa", system=system, base_url="http://x.example")
    lane = Lane.objects.create(target=target, type="supplier", uid="0" * 32, next_at=Now())
    return Delivery.objects.create(
        lane=lane, target=target, type="supplier", record="0" * 32, action="upsert", generation=1, seq=1, reason="event",
        version=1, as_of="2026-01-01", correlation_id="c", created_at=Now(), changed_at=Now(),
    )  # fmt: skip


@pytest.mark.database
@pytest.mark.parametrize("before", STATES)
def test_the_database_lets_only_the_moves_of_the_table_pass(delivery, owner_connection, before):
    for after in STATES:
        if after == before:
            continue
        with transaction.atomic():
            _put(delivery, before)
            move = Delivery.objects.filter(pk=delivery.pk)
            if after in MOVES[before]:
                assert move.update(state=after) == 1
            else:
                with pytest.raises(IntegrityError), transaction.atomic():
                    move.update(state=after)
            transaction.set_rollback(True)


def _put(delivery: Delivery, state: str) -> None:
    """By allowed moves only."""
    path = {
        "pending": [], "in_flight": ["in_flight"], "unknown": ["in_flight", "unknown"], "held": ["held"],
        "retrying": ["in_flight", "retrying"], "superseded": ["superseded"], "cancelled": ["cancelled"],
    }.get(state, ["in_flight", state])  # fmt: skip
    for step in path:
        Delivery.objects.filter(pk=delivery.pk).update(state=step)


@pytest.mark.database
def test_the_ledger_is_kept_and_evidence_is_append_only(delivery):
    attempt = Attempt.objects.create(
        delivery=delivery, target=delivery.target, number=1, kind="send", epoch=1, process="0" * 32, started_at=Now()
    )
    result = AttemptResult.objects.create(
        attempt=attempt, target=delivery.target, outcome="created", duration_ms=1, finished_at=Now()
    )
    for row, field in ((attempt, "number"), (result, "duration_ms")):
        with pytest.raises(Exception, match="append-only"), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(**{field: 9})
    for table in ("sync_attemptresult", "sync_attempt", "sync_delivery"):
        refused = pytest.raises(Exception, match="append-only|kept for ever")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")


ERRORS = st.sampled_from(
    [
        errors.NotSent("n"),
        errors.Throttled("t", retry_after=1),
        errors.Ambiguous("a"),
        errors.Refused("r"),
        errors.Unmapped(path="p", value="v", table="t"),
        errors.Stale("s"),
        errors.Unauthorised("u"),
        errors.NotSupported("x"),
        KeyError("broken"),
    ]
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    error=ERRORS, sent=st.booleans(), doubt=st.booleans(), attempts=st.integers(0, 15), crashes=st.integers(0, 4),
    age=st.floats(0, 100),
)  # fmt: skip
def test_every_failure_leads_where_the_table_allows(error, sent, doubt, attempts, crashes, age):
    """From every situation, with every error: an allowed move, no doubt forgotten, never for ever."""
    target = Target(code="x", connector="coupa")
    state = "unknown" if sent or doubt else "in_flight"
    situation = Situation(target, state, attempts, crashes, age, sent=sent)
    verdict = outcomes.of_error(error, situation)
    assert verdict.state == state or verdict.state in MOVES[state], (state, verdict.state)
    if situation.earlier_doubt:
        assert verdict.state in ("unknown", "failed", "poison"), "only a read-back ends a doubt"
        assert verdict.ambiguous_s is None, "the quarantine stands"
    if isinstance(error, errors.Ambiguous) and sent:
        assert verdict.ambiguous_s > 0 and verdict.state in ("unknown", "failed")
    if isinstance(error, errors.Throttled | errors.Unauthorised):
        assert verdict.attempts_delta == (-1 if sent else 0), "no attempt is burnt"
    if verdict.state in OPEN:
        assert verdict.wait_s is not None and verdict.wait_s < 90_000
        assert age < target.max_age_h or isinstance(error, KeyError)
    if attempts >= target.max_attempts and sent and isinstance(error, errors.NotSent | errors.Ambiguous):
        assert verdict.state == "failed"


@given(attempts=st.integers(0, 20))
def test_waits_are_jittered_and_bounded(attempts):
    step = outcomes.SCHEDULE_S[min(max(attempts, 1), 12) - 1]
    assert 0.05 * step <= outcomes.backoff(attempts) <= step
