"""Owns the third commit of a delivery: what came of it, fenced by the epoch, with key, exception and lane in one piece."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from django.db import connection, transaction
from django.db.models.functions import Now

from sync import governors
from sync.crash_points import reach
from sync.models import Delivery, DriftRun, OutcomeRule
from sync.models.delivery import IN_PART
from sync.models.rule import TECHNICAL
from sync.models.states import OPEN
from sync.payloads import conceal
from sync.protocol import Exchange
from sync.services import alerts, classifying, correcting, linking, outcomes
from sync.services.claims import Claim, LostLease
from sync.services.outcomes import Verdict

_LOST = "Another process took this lane over; what we did will be read back by it."


_LANE_DOWN = """
UPDATE sync_lane l SET lease_owner = NULL, lease_until = NULL,
        ambiguous_until = q.ends, hold_reason = CASE WHEN %(hold)s <> '' THEN %(hold)s ELSE hold_reason END,
        next_at = CASE WHEN %(quarantined)s OR %(state)s NOT IN ('unknown') AND q.ends > now()
                       THEN greatest(now(), q.ends) ELSE now() + make_interval(secs => %(wait)s) END,
        open = %(state)s = ANY(%(open)s) OR EXISTS (
          SELECT 1 FROM sync_delivery d WHERE d.lane_id = l.id AND d.id <> %(delivery)s
             AND d.state = ANY(%(open)s)),
        confirmed_seq = CASE WHEN %(posted)s THEN %(seq)s ELSE confirmed_seq END,
        confirmed_version = CASE WHEN %(posted)s THEN %(version)s ELSE confirmed_version END,
        confirmed_action = CASE WHEN %(posted)s THEN %(action)s ELSE confirmed_action END,
        confirmed_hash = CASE WHEN %(posted)s THEN %(hash)s ELSE confirmed_hash END,
        confirmed_mapping = CASE WHEN %(posted)s THEN %(mapping)s ELSE confirmed_mapping END,
        confirmed_verified = CASE WHEN %(posted)s THEN %(verified)s ELSE confirmed_verified END,
        confirmed_at = CASE WHEN %(posted)s THEN now() ELSE confirmed_at END
   FROM (SELECT id, CASE WHEN %(doubt)s::float IS NULL THEN ambiguous_until WHEN %(doubt)s::float = 0 THEN NULL
                         ELSE now() + make_interval(secs => %(doubt)s::float) END AS ends
           FROM sync_lane WHERE id = %(lane)s) q
  WHERE l.id = q.id AND l.epoch = %(epoch)s"""


@dataclass(frozen=True)
class Try:
    """One try as evidence: the attempt opened by the intent, or None when nothing but reading was done."""

    claim: Claim
    process: uuid.UUID
    kind: str
    attempt_id: int | None
    duration_ms: int
    exchanges: Sequence[Exchange]
    hidden: tuple[str, ...] = ()
    payload_hash: str = ""
    mapping_version: str = ""
    path_of: Callable[[str], str] = str  # a field of the platform -> the document's path
    in_part: bool = False  # requests of this push were applied, then one was not
    differs: bool = False  # a doubt was read back, and what is there may hold a part of it


def record(delivery: Delivery, verdict: Verdict, tried: Try) -> Verdict:
    """All or nothing; LostLease when another process holds the lane meanwhile. Governors move after the commit.

    Answers the verdict as it was recorded: a key of another record, or a rule, may have changed what it means.
    """
    with transaction.atomic():
        if linking.is_new(delivery, verdict):
            _lock_lane(tried.claim)
            verdict = linking.link(delivery, verdict)
        verdict, rule = _meaning(delivery, verdict, tried)
        _put_lane_down(delivery, verdict, tried)
        _move(delivery, verdict, tried)
        _evidence(delivery, verdict, tried)
        if verdict.refusal:
            _refused(delivery, verdict, rule, tried)
        correcting.settle(delivery, verdict.state)
        if verdict.state == "poison":
            _hold_the_others(delivery)
        if verdict.state == "posted" and delivery.reason == "drift_repair":
            _look_again(delivery)
        reach("recording")
    reach("recorded")
    _govern(delivery, verdict, rule)
    return verdict


def _meaning(delivery: Delivery, verdict: Verdict, tried: Try) -> tuple[Verdict, OutcomeRule | None]:
    """By rules, and by what is there already: a delivery that was applied in part is never again one that was not
    sent, whatever a later try or a rule says."""
    in_part = tried.in_part or delivery.effect == IN_PART
    if not in_part and not tried.differs:
        return classifying.classify(delivery, verdict, sent=tried.attempt_id is not None)
    verdict, rule = classifying.classify(delivery, outcomes.as_sent(verdict), sent=tried.attempt_id is not None)
    verdict = outcomes.as_sent(verdict)
    return outcomes.in_part(verdict) if in_part else verdict, rule


def _lock_lane(held: Claim) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM sync_lane WHERE id = %s AND epoch = %s FOR UPDATE", [held.lane_id, held.epoch])
        if cursor.fetchone() is None:
            raise LostLease(_LOST)


def _evidence(delivery: Delivery, verdict: Verdict, tried: Try) -> None:
    attempt = tried.attempt_id
    shown = [
        {**asdict(e), "url": conceal(e.url, tried.hidden), "request": conceal(e.request, tried.hidden),
         "response": conceal(e.response, tried.hidden)}
        for e in tried.exchanges
    ]  # fmt: skip
    with connection.cursor() as cursor:
        if attempt is None:
            cursor.execute(
                """INSERT INTO sync_attempt (delivery_id, target_id, number, kind, epoch, process, started_at)
                   VALUES (%s, %s, %s, %s, %s, %s, now() - make_interval(secs => %s)) RETURNING id""",
                [delivery.pk, delivery.target_id, delivery.attempts, tried.kind, tried.claim.epoch, tried.process,
                 tried.duration_ms / 1000],
            )  # fmt: skip
            attempt = cursor.fetchone()[0]
        cursor.execute(
            """INSERT INTO sync_attemptresult (attempt_id, target_id, outcome, technical_failure, status, message,
                                               exchanges, duration_ms, finished_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, now())""",
            [attempt, delivery.target_id, verdict.outcome, verdict.technical, verdict.status, verdict.message,
             json.dumps(shown), tried.duration_ms],
        )  # fmt: skip


def _move(delivery: Delivery, verdict: Verdict, tried: Try) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_delivery SET state = %s, attempts = greatest(0, attempts + %s),
                      crashes = CASE WHEN %s THEN crashes + 1 ELSE 0 END,
                      effect = CASE WHEN %s <> '' THEN %s ELSE effect END,
                      verified = %s, error_code = %s, error_text = %s, changed_at = now(),
                      target_key = CASE WHEN %s <> '' THEN %s ELSE target_key END,
                      payload_hash = CASE WHEN %s <> '' THEN %s ELSE payload_hash END,
                      mapping_version = CASE WHEN %s <> '' THEN %s ELSE mapping_version END,
                      posted_at = CASE WHEN %s = 'posted' THEN now() ELSE posted_at END
                WHERE id = %s""",
            [verdict.state, verdict.attempts_delta, verdict.crashed, verdict.effect, verdict.effect, verdict.verified,
             verdict.error_code, "" if verdict.state == "posted" else verdict.message,
             verdict.key, verdict.key, tried.payload_hash, tried.payload_hash,
             tried.mapping_version, tried.mapping_version, verdict.state, delivery.pk],
        )  # fmt: skip


def _refused(delivery: Delivery, verdict: Verdict, rule: OutcomeRule | None, tried: Try) -> None:
    assert verdict.refusal is not None
    problems = [
        {
            "field": p.field,
            "path": tried.path_of(p.field),
            "code": p.code,
            "message": conceal(p.message, tried.hidden),
        }
        for p in verdict.refusal.problems
    ]
    correcting.open_exception(delivery, verdict, rule, problems, tried.hidden)


def _put_lane_down(delivery: Delivery, verdict: Verdict, tried: Try) -> None:
    """The fence and everything the lane remembers, in one statement: lease, quarantine, next turn, what is confirmed.

    A dead letter that may still be applied keeps its successors waiting until it cannot any more.
    """
    posted = verdict.state == "posted"
    with connection.cursor() as cursor:
        cursor.execute(
            _LANE_DOWN,
            {
                "lane": tried.claim.lane_id,
                "epoch": tried.claim.epoch,
                "delivery": delivery.pk,
                "state": verdict.state,
                "open": list(OPEN),
                "posted": posted,
                "seq": delivery.seq,
                "version": delivery.version,
                "action": delivery.action,
                "hash": tried.payload_hash,
                "mapping": tried.mapping_version,
                "verified": verdict.verified,
                "doubt": verdict.ambiguous_s,
                "quarantined": verdict.until_quarantine_ends,
                "wait": verdict.wait_s or 0,
                "hold": "poison: its connector broke three times" if verdict.state == "poison" else "",
            },
        )
        if cursor.rowcount != 1:
            raise LostLease(_LOST)


def _hold_the_others(delivery: Delivery) -> None:
    Delivery.objects.filter(lane=delivery.lane_id, state__in=("pending", "retrying")).exclude(pk=delivery.pk).update(
        state="held", changed_at=Now()
    )


def _look_again(delivery: Delivery) -> None:
    """A repair is only believed when the target has been looked at again."""
    DriftRun.objects.create(
        target=delivery.target,
        type=delivery.type,
        record=delivery.record,
        requested_by_name="after the repair",
        correlation_id=delivery.correlation_id,
    )


def _govern(delivery: Delivery, verdict: Verdict, rule: OutcomeRule | None) -> None:
    target = delivery.target
    if verdict.pauses_target:
        governors.stop(target, verdict.message)
    if verdict.throttle_s:
        governors.throttle(target, max(1.0, verdict.throttle_s))
    if verdict.trips_breaker:
        governors.trip(target, verdict.message)
    elif verdict.technical:
        governors.failed(target, verdict.message)
    elif verdict.state in ("posted", "rejected") and target.breaker != "closed":
        governors.succeeded(target)
    if rule is not None and rule.category == TECHNICAL:
        alerts.alert(target, alerts.code_of(rule), verdict.message, rule=rule.pk, hint=rule.hint)
    if verdict.state in ("failed", "poison"):
        cause = "dead_letters" if verdict.state == "failed" else "poison"
        alerts.alert(target, cause, verdict.message, delivery=str(delivery.uid))


def give_back(held: Claim, wait_s: float) -> None:
    """Give a lane back without a word to the target: its governor had no token. Nothing is counted."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_lane SET lease_owner = NULL, lease_until = NULL, next_at = now() + make_interval(secs => %s)
                WHERE id = %s AND epoch = %s""",
            [wait_s, held.lane_id, held.epoch],
        )
        if cursor.rowcount:
            cursor.execute(
                "UPDATE sync_delivery SET state = 'pending', changed_at = now() WHERE id = %s AND state = 'in_flight'",
                [held.delivery_id],
            )
