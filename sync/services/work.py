"""Owns one claimed delivery while it is worked on: rendered, announced by its intent, looked up, told as evidence."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection

from mdm.models import RecordVersion
from sync import errors, governors
from sync.deadline import Writes
from sync.models import Delivery
from sync.models.delivery import IN_PART
from sync.payloads import Renderer
from sync.protocol import Connector, Exchange, Outcome, Push, Readable, RemoteRecord
from sync.services import outcomes
from sync.services.claims import Claim, intend
from sync.services.outcomes import Situation, Verdict
from sync.services.recording import Try

PATIENCE_S = 1.0  # how long a lane waits for a token before it is given back


@dataclass
class Work:
    """One claimed delivery with everything it needs; `payload` is plain text and lives only as long as this."""

    claim: Claim
    process: uuid.UUID
    delivery: Delivery
    renderer: Renderer
    payload: dict[str, Any]
    key: str
    started: float
    hidden: tuple[str, ...] = ()
    payload_hash: str = ""
    attempt_id: int | None = None
    sent: bool = False
    repeats: bool = False  # an earlier request of this delivery may still be applied, and this one has the same key
    writes: Writes = field(default_factory=Writes)  # of the push, as far as they were done
    in_part: bool = False  # some were done, then one was not
    differs: bool = False  # an earlier request of this delivery was read back, and the target holds something else
    retire_key: str = ""
    said: tuple[Exchange, ...] = ()  # what a push handed over with its answer

    @property
    def push(self) -> Push:
        delivery = self.delivery
        return Push(
            type=delivery.type,
            action="block" if delivery.action == "block" else "upsert",
            payload=self.payload,
            reference=str(delivery.record),
            idempotency_key=delivery.idempotency_key,
            correlation_id=delivery.correlation_id,
            key=self.key or None,
            version=delivery.version,
            at=delivery.created_at.isoformat(),
            taken=self.claim.state == "unknown" and delivery.error_code == errors.Unanswered.code,
        )


class NoToken(Exception):
    """The rate of the target is used up for now."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"wait {wait_s:.1f} s")
        self.wait_s = wait_s


def prepare(claim: Claim, process: uuid.UUID, delivery: Delivery, render: Renderer, started: float) -> Work:
    """Rendered and ready; raises what the mapping refuses."""
    work = Work(claim, process, delivery, render, {}, delivery.lane.target_key, started)
    if delivery.action == "block":
        work.payload = render.mapping.block_fields()
    else:
        versions = RecordVersion.objects.filter(uid=delivery.record, version=delivery.version)
        work.payload = render.render(versions.values_list("document", flat=True).get())
    work.hidden = tuple(render.mapping.sealed_values(work.payload))
    work.payload_hash = render.hash(work.payload)
    return work


def announce(work: Work) -> None:
    """The write-ahead intent: from its commit on the request may have left. LostLease or Frozen when it may not."""
    target = work.delivery.target
    written = {
        "action": work.delivery.action,
        "payload_hash": work.payload_hash,
        "mapping_version": work.renderer.version,
    }
    work.attempt_id = intend(work.claim, target, work.process, written=written)
    work.sent = True


def look(work: Work, connector: Readable) -> RemoteRecord | None:
    delivery = work.delivery
    if work.key:
        return connector.read(delivery.type, work.key)
    return connector.find(delivery.type, str(delivery.record), work.payload)


def holds(work: Work, remote: RemoteRecord) -> bool:
    """Decided by what the target shows, never by a version number."""
    if work.delivery.action == "block":
        return remote.blocked
    return not work.renderer.mapping.compare(work.payload, remote.fields, parts=work.renderer.parts)


def verify(work: Work, connector: Connector, answer: Outcome) -> Outcome:
    """An answer that showed nothing of what the target keeps: look. A failing look changes nothing: it did say yes."""
    if answer.verified or answer.effect == "unchanged" or not isinstance(connector, Readable):
        return answer
    try:
        remote = connector.read(work.delivery.type, answer.key)
    except errors.SyncError:
        return answer
    return Outcome(answer.key, answer.effect, remote is not None and holds(work, remote), answer.exchanges)


def tied(work: Work, connector: Connector, verdict: Verdict) -> Verdict:
    """Made in part and then refused: with the key of what is there, or nobody could block it. A failing look leaves
    that to the next version, which finds it."""
    if not work.key and isinstance(connector, Readable):
        work.said += connector.exchanges()
        try:
            remote = look(work, connector)
        except errors.SyncError:
            remote = None
        work.key = remote.key if remote else ""
    return replace(verdict, key=work.key, retire_key=work.retire_key if work.key else "")


def outside_transactions() -> None:
    if connection.in_atomic_block:
        raise RuntimeError("A target is never called inside a transaction.")


def take_token(work: Work, patience_s: float = PATIENCE_S) -> None:
    """Wait a moment for the target's rate; longer waits give the lane back, so that it is not held idle."""
    waited = 0.0
    while (wait := governors.take(work.delivery.target)) > 0:
        if waited + wait > patience_s:
            raise NoToken(wait)
        time.sleep(wait)
        waited += wait


def situation(delivery: Delivery, work: Work | None) -> Situation:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, attempts, crashes, extract(epoch FROM now() - created_at)::float / 3600 "
            "FROM sync_delivery WHERE id = %s",
            [delivery.pk],
        )
        state, attempts, crashes, age_h = cursor.fetchone()
    if work is None:
        return Situation(delivery.target, state, attempts, crashes, age_h)
    return Situation(delivery.target, state, attempts, crashes, age_h, work.sent, work.hidden, work.repeats)


def failed(work: Work, connector: Connector, error: Exception) -> Verdict:
    """What an error means for this delivery; refused when a part of it is there, it is tied to that."""
    verdict = outcomes.of_error(error, situation(work.delivery, work))
    if verdict.state == "rejected" and (work.in_part or work.differs or work.delivery.effect == IN_PART):
        return tied(work, connector, verdict)
    return verdict


def tried(work: Work, said: tuple[Exchange, ...]) -> Try:
    return Try(
        claim=work.claim,
        process=work.process,
        kind="send" if work.sent else "read_back",
        attempt_id=work.attempt_id,
        duration_ms=round((time.monotonic() - work.started) * 1000),
        exchanges=said,
        hidden=work.hidden,
        payload_hash=work.payload_hash,
        mapping_version=work.renderer.version,
        path_of=work.renderer.path_of,
        in_part=work.in_part,
        differs=work.differs,
    )
