"""Owns one delivery from claim to outcome: render, resolve an old doubt, find, say so, send, record.

Between the commits nothing is locked and no transaction is open: a target may take its time, and a process may die
anywhere. Whatever it leaves behind is either `in_flight` (certainly not sent) or `unknown` (read before anything else).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from django.db import Error, connection

from mdm import correlation
from mdm.models import RecordVersion
from sync import errors, governors, platforms
from sync.crash_points import reach
from sync.deadline import Writes, asking
from sync.models import Delivery
from sync.models.delivery import IN_PART
from sync.payloads import Renderer, renderer
from sync.protocol import Connector, Exchange, Outcome, Push, Readable, RemoteRecord
from sync.services import linking, outcomes, recording, repeating
from sync.services.claims import Claim, Leave, LostLease, intend
from sync.services.freezing import Frozen
from sync.services.outcomes import Situation, Verdict
from sync.services.recording import Try

Answer = TypeVar("Answer")
_PATIENCE_S = 1.0  # how long a lane waits for a token before it is given back


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


def deliver(claim: Claim, process: uuid.UUID, renderers: Callable[[Delivery], Renderer] | None = None) -> str:
    """Work on one claimed lane until it has an outcome; the state the delivery is in then, or why it has none."""
    if connection.in_atomic_block:
        raise RuntimeError("A target is never called inside a transaction.")
    delivery = Delivery.objects.select_related("target__system", "lane").get(pk=claim.delivery_id)
    correlation.adopt(delivery.correlation_id)
    try:
        return _deliver(claim, process, delivery, renderers or _renderer)
    except LostLease:
        return "lost_lease"
    except Frozen:
        recording.give_back(claim, 0)
        return "frozen"
    except NoToken as error:
        recording.give_back(claim, error.wait_s)
        return "no_token"


def _renderer(delivery: Delivery) -> Renderer:
    return renderer(delivery.target, delivery.type)


def _deliver(claim: Claim, process: uuid.UUID, delivery: Delivery, renderers: Callable[[Delivery], Renderer]) -> str:
    started = time.monotonic()
    work: Work | None = None
    try:
        work = _prepare(claim, process, delivery, renderers(delivery), started)
        reach("prepared")
        with platforms.session(delivery.target) as connector:
            connector.exchanges()  # what an earlier use left behind is not evidence of this one
            verdict, said = _outcome(work, connector)
    except (LostLease, Frozen, NoToken):
        raise
    except Exception as error:
        if isinstance(error, Error):
            raise  # our own database failed, which says nothing about the target: the lease runs out, then it is read
        verdict, said = outcomes.of_error(error, _situation(delivery, work)), ()
        if work is not None:
            work.in_part = work.writes.done > 0
    reach("answered")
    verdict = recording.record(delivery, verdict, _tried(claim, process, work, started, said))
    if work is not None:
        governors.spend(delivery.target, max(0, len(said) - 1))
    return verdict.state


def _prepare(claim: Claim, process: uuid.UUID, delivery: Delivery, render: Renderer, started: float) -> Work:
    work = Work(claim, process, delivery, render, {}, delivery.lane.target_key, started)
    if delivery.action == "block":
        work.payload = render.mapping.block_fields()
    else:
        version = RecordVersion.objects.only("document").get(uid=delivery.record, version=delivery.version)
        work.payload = render.render(version.document)
    work.hidden = tuple(render.mapping.sealed_values(work.payload))
    work.payload_hash = render.hash(work.payload)
    return work


def _outcome(work: Work, connector: Connector) -> tuple[Verdict, tuple[Exchange, ...]]:
    """What happened, and everything that was said meanwhile; errors of the target are outcomes too."""
    try:
        verdict = _resolve_doubt(work, connector) if work.claim.state == "unknown" else None
        verdict = verdict or _find(work, connector) or _send(work, connector)
    except errors.SyncError as error:
        if isinstance(error, LostLease | Frozen):
            raise
        verdict = outcomes.of_error(error, _situation(work.delivery, work))
        work.in_part = work.writes.done > 0 and not isinstance(error, errors.Ambiguous)
        if verdict.state == "rejected" and (work.in_part or work.differs or work.delivery.effect == IN_PART):
            verdict = _tied(work, connector, verdict)
    return verdict, (*work.said, *connector.exchanges())


def _resolve_doubt(work: Work, connector: Connector) -> Verdict | None:
    """Read back first. None means: it is not there and cannot arrive any more, so it may be sent again; or the target
    makes the same key true only once, so it may be sent again at any time."""
    if connector.capability == "B":
        work.repeats = True
        repeating.follow_up(work.delivery, work.payload_hash)
        return None
    if not isinstance(connector, Readable):
        words = "The answer was lost, and this target cannot be read: somebody has to look there."
        return Verdict("failed", "unknown_effect", words, error_code="unknown_effect", ambiguous_s=0)
    _take_token(work)
    try:
        remote = _look(work, connector)
    except errors.Refused as refused:  # something like it is there, but it is not ours: so ours did not arrive yet
        if _quarantine_is_on(work.claim.lane_id):
            return outcomes.quarantined("refused")
        return outcomes.of_refusal(refused, work.hidden)
    reach("read_back")
    if remote is not None and _holds(work, remote):
        effect = "blocked" if work.delivery.action == "block" else "updated" if work.key else "created"
        work.key = remote.key
        return outcomes.of_read_back(effect, remote.key)
    if _quarantine_is_on(work.claim.lane_id):
        return outcomes.quarantined("absent" if remote is None else "different")
    if remote is not None:
        work.key, work.differs = remote.key, True
    return None


def _look(work: Work, connector: Readable) -> RemoteRecord | None:
    delivery = work.delivery
    if work.key:
        return connector.read(delivery.type, work.key)
    return connector.find(delivery.type, str(delivery.record), work.payload)


def _holds(work: Work, remote: RemoteRecord) -> bool:
    """Decided by what the target shows, never by a version number."""
    if work.delivery.action == "block":
        return remote.blocked
    return not work.renderer.mapping.compare(work.payload, remote.fields, parts=work.renderer.parts)


def _quarantine_is_on(lane_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(ambiguous_until > now(), false) FROM sync_lane WHERE id = %s", [lane_id])
        return bool(cursor.fetchone()[0])


def _find(work: Work, connector: Connector) -> Verdict | None:
    """A record that is new to the target may be there already: tie to it instead of making a second one.

    A repair of a record that vanished over there looks again, and gives up the key nobody knows any more.
    """
    if not isinstance(connector, Readable):
        return None
    delivery = work.delivery
    if work.key and delivery.reason == "drift_repair" and delivery.action == "upsert":
        _take_token(work)
        if connector.read(delivery.type, work.key) is None:
            work.retire_key, work.key = work.key, ""
    if work.key:
        return None
    _take_token(work)
    remote = connector.find(delivery.type, str(delivery.record), work.payload)
    if remote is None:
        return None
    if linking.owner(delivery, remote.key) is not None:
        return linking.elsewhere(delivery, remote.key)
    work.key = remote.key
    return None


def _send(work: Work, connector: Connector) -> Verdict:
    reach("looked")
    _take_token(work)
    reach("token")
    target = work.delivery.target
    written = {
        "action": work.delivery.action,
        "payload_hash": work.payload_hash,
        "mapping_version": work.renderer.version,
    }
    inflight = platforms.max_inflight(target)
    said_at = time.monotonic()
    work.attempt_id = intend(work.claim, target, work.process, inflight_s=inflight, written=written)
    work.sent = True
    reach("intended")
    _outside_transactions()
    work.said = connector.exchanges()
    with asking(Leave(work.claim, target, inflight_s=inflight, since=said_at)) as work.writes:
        answer = connector.push(work.push)
    work.said += answer.exchanges
    if not answer.verified and answer.effect != "unchanged" and isinstance(connector, Readable):
        answer = _verify(work, connector, answer)
    verdict = outcomes.of_outcome(answer)
    return replace(verdict, retire_key=work.retire_key) if work.retire_key else verdict


def _tied(work: Work, connector: Connector, verdict: Verdict) -> Verdict:
    """Made in part and then refused: with the key of what is there, or nobody could block it. A failing look leaves
    that to the next version, which finds it."""
    if not work.key and isinstance(connector, Readable):
        work.said += connector.exchanges()
        try:
            remote = _look(work, connector)
        except errors.SyncError:
            remote = None
        work.key = remote.key if remote else ""
    return replace(verdict, key=work.key, retire_key=work.retire_key if work.key else "")


def _verify(work: Work, connector: Readable, answer: Outcome) -> Outcome:
    """The answer showed nothing of what the target keeps: look. A failing look changes nothing: it did say yes."""
    try:
        remote = connector.read(work.delivery.type, answer.key)
    except errors.SyncError:
        return answer
    return Outcome(answer.key, answer.effect, remote is not None and _holds(work, remote), answer.exchanges)


def _outside_transactions() -> None:
    if connection.in_atomic_block:
        raise RuntimeError("A target is never called inside a transaction.")


def _take_token(work: Work) -> None:
    """Wait a moment for the target's rate; longer waits give the lane back, so that it is not held idle."""
    waited = 0.0
    while (wait := governors.take(work.delivery.target)) > 0:
        if waited + wait > _PATIENCE_S:
            raise NoToken(wait)
        time.sleep(wait)
        waited += wait


def _situation(delivery: Delivery, work: Work | None) -> Situation:
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


def _tried(claim: Claim, process: uuid.UUID, work: Work | None, started: float, said: tuple[Exchange, ...]) -> Try:
    duration = round((time.monotonic() - started) * 1000)
    if work is None:
        return Try(claim, process, "send", None, duration, said)
    return Try(
        claim=claim,
        process=process,
        kind="send" if work.sent else "read_back",
        attempt_id=work.attempt_id,
        duration_ms=duration,
        exchanges=said,
        hidden=work.hidden,
        payload_hash=work.payload_hash,
        mapping_version=work.renderer.version,
        path_of=work.renderer.path_of,
        in_part=work.in_part,
        differs=work.differs,
    )
