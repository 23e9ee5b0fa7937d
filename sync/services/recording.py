"""Owns the third commit of a delivery: what came of it, fenced by the epoch, with key, exception and lane in one piece."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from django.db import connection, transaction
from django.db.models.functions import Now

from mdm import registry
from mdm.models import Crosswalk
from mdm.selectors import records
from mdm.services import crosswalks
from sync import errors, governors
from sync.models import Delivery, DriftRun, ExceptionItem, Lane
from sync.models.states import OPEN
from sync.payloads import conceal
from sync.protocol import Exchange
from sync.services.claims import Claim, LostLease
from sync.services.outcomes import Verdict


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


def record(delivery: Delivery, verdict: Verdict, tried: Try) -> None:
    """All or nothing; LostLease when another process holds the lane meanwhile. Governors move after the commit."""
    with transaction.atomic():
        _lock_lane(tried.claim)
        verdict = _link(delivery, verdict)
        _evidence(delivery, verdict, tried)
        _move(delivery, verdict, tried)
        if verdict.refusal:
            _open_exception(delivery, verdict, tried)
        if verdict.state == "posted":
            _confirm(delivery, verdict, tried)
        _put_lane_down(tried.claim, verdict)
    _govern(delivery, verdict)


def _lock_lane(held: Claim) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM sync_lane WHERE id = %s AND epoch = %s FOR UPDATE", [held.lane_id, held.epoch])
        if cursor.fetchone() is None:
            raise LostLease("Another process took this lane over; what we did will be read back by it.")


def _link(delivery: Delivery, verdict: Verdict) -> Verdict:
    """Tie the target's key to the golden record, in the transaction of the outcome. A key of another record is a refusal."""
    if verdict.state != "posted" or not verdict.key or verdict.key == delivery.target_key:
        return verdict
    system = delivery.target.system
    uid = records.survivor_uid(registry.get(delivery.type), delivery.record)
    other = (
        Crosswalk.objects.filter(system=system, type=delivery.type, key=verdict.key, active=True)
        .exclude(uid=uid)
        .first()
    )
    if other is not None:
        return linked_elsewhere(delivery, verdict.key, str(other.uid))
    if verdict.retire_key:
        Crosswalk.objects.filter(system=system, type=delivery.type, key=verdict.retire_key).update(active=False)
    crosswalks.link(system=system, type=delivery.type, key=verdict.key, uid=uid)
    if not Lane.objects.filter(target=delivery.target, type=delivery.type, target_key=verdict.key).exists():
        Lane.objects.filter(pk=delivery.lane_id).update(target_key=verdict.key)
        Delivery.objects.filter(lane=delivery.lane_id, state__in=("pending", "held")).update(target_key=verdict.key)
    return verdict


def linked_elsewhere(delivery: Delivery, key: str, other: str) -> Verdict:
    """The target's record that fits is already tied to another golden record: a steward must say which is right."""
    words = f"The record {key} at {delivery.target.title} already belongs to another golden record ({other})."
    problem = errors.FieldProblem("", "linked_elsewhere", "Merge the two golden records, or move the key.")
    return Verdict(
        "rejected",
        "linked_elsewhere",
        words,
        error_code="linked_elsewhere",
        ambiguous_s=0,
        refusal=errors.Refused(words, problems=(problem,)),
    )


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
                      effect = %s, verified = %s, error_code = %s, error_text = %s, changed_at = now(),
                      target_key = CASE WHEN %s <> '' THEN %s ELSE target_key END,
                      payload_hash = CASE WHEN %s <> '' THEN %s ELSE payload_hash END,
                      mapping_version = CASE WHEN %s <> '' THEN %s ELSE mapping_version END,
                      posted_at = CASE WHEN %s = 'posted' THEN now() ELSE posted_at END
                WHERE id = %s""",
            [verdict.state, verdict.attempts_delta, verdict.crashed, verdict.effect, verdict.verified,
             verdict.error_code, "" if verdict.state == "posted" else verdict.message,
             verdict.key, verdict.key, tried.payload_hash, tried.payload_hash,
             tried.mapping_version, tried.mapping_version, verdict.state, delivery.pk],
        )  # fmt: skip


def _open_exception(delivery: Delivery, verdict: Verdict, tried: Try) -> None:
    """One item per rejected delivery: what a steward works on."""
    refusal = verdict.refusal
    assert refusal is not None
    unmapped = refusal if isinstance(refusal, errors.Unmapped) else None
    problems = [
        {
            "field": p.field,
            "path": tried.path_of(p.field),
            "code": p.code,
            "message": conceal(p.message, tried.hidden),
        }
        for p in refusal.problems
    ]
    first = problems[0] if problems else {"field": "", "path": "", "code": "", "message": ""}
    kind = "unmapped" if unmapped else verdict.error_code if verdict.error_code == "linked_elsewhere" else "refused"
    ExceptionItem.objects.create(
        delivery=delivery,
        target=delivery.target,
        type=delivery.type,
        record=delivery.record,
        label=delivery.label,
        kind=kind,
        code=first["code"][:100],
        field=first["field"][:200],
        path=first["path"][:200],
        words=verdict.message,
        problems=problems,
        table=unmapped.table if unmapped else "",
        value=unmapped.value[:200] if unmapped else "",
        opened_at=Now(),
    )


def _confirm(delivery: Delivery, verdict: Verdict, tried: Try) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_lane SET confirmed_seq = %s, confirmed_version = %s, confirmed_action = %s,
                      confirmed_hash = %s, confirmed_mapping = %s, confirmed_verified = %s, confirmed_at = now()
                WHERE id = %s""",
            [delivery.seq, delivery.version, delivery.action, tried.payload_hash, tried.mapping_version,
             verdict.verified, delivery.lane_id],
        )  # fmt: skip
    if delivery.reason == "drift_repair":
        # A repair is only believed when the target has been looked at again.
        DriftRun.objects.create(
            target=delivery.target,
            type=delivery.type,
            record=delivery.record,
            requested_by_name="after the repair",
            correlation_id=delivery.correlation_id,
        )


def _put_lane_down(held: Claim, verdict: Verdict) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_lane l SET lease_owner = NULL, lease_until = NULL,
                      ambiguous_until = CASE WHEN %s::float IS NULL THEN ambiguous_until WHEN %s::float = 0 THEN NULL
                                             ELSE now() + make_interval(secs => %s::float) END,
                      next_at = CASE WHEN %s THEN greatest(now(), ambiguous_until)
                                     ELSE now() + make_interval(secs => %s) END,
                      hold_reason = CASE WHEN %s THEN 'poison: its connector broke three times' ELSE hold_reason END,
                      open = EXISTS (SELECT 1 FROM sync_delivery d WHERE d.lane_id = l.id AND d.state = ANY(%s))
                WHERE id = %s""",
            [verdict.ambiguous_s, verdict.ambiguous_s, verdict.ambiguous_s, verdict.until_quarantine_ends,
             verdict.wait_s or 0, verdict.state == "poison", list(OPEN), held.lane_id],
        )  # fmt: skip
        # A dead letter that may still be applied keeps its successors waiting until it cannot any more.
        cursor.execute(
            "UPDATE sync_lane SET next_at = greatest(next_at, ambiguous_until) WHERE id = %s AND ambiguous_until > now() "
            "AND NOT EXISTS (SELECT 1 FROM sync_delivery d WHERE d.lane_id = sync_lane.id AND d.state = 'unknown')",
            [held.lane_id],
        )
        if verdict.state == "poison":
            cursor.execute(
                "UPDATE sync_delivery SET state = 'held', changed_at = now() WHERE lane_id = %s "
                "AND state IN ('pending', 'retrying')",
                [held.lane_id],
            )


def _govern(delivery: Delivery, verdict: Verdict) -> None:
    target = delivery.target
    if verdict.throttle_s:
        governors.throttle(target, max(1.0, verdict.throttle_s))
    if verdict.trips_breaker:
        governors.trip(target, verdict.message)
    elif verdict.technical:
        governors.failed(target, verdict.message)
    elif verdict.state in ("posted", "rejected") and target.breaker != "closed":
        governors.succeeded(target)
    if verdict.state in ("failed", "poison"):
        governors.alert(target, "dead_letters", verdict.message, delivery=str(delivery.uid))


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
