"""Owns one delivery from claim to outcome: render, resolve an old doubt, find, say so, send, record.

Between the commits nothing is locked and no transaction is open: a target may take its time, and a process may die
anywhere. Whatever it leaves behind is either `in_flight` (certainly not sent) or `unknown` (read before anything else).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from django.db import Error, connection

from mdm import correlation
from sync import errors, governors, platforms
from sync.crash_points import reach
from sync.deadline import asking
from sync.models import Delivery
from sync.payloads import Renderer, renderer
from sync.protocol import Connector, Exchange, Readable
from sync.services import linking, outcomes, recording, repeating
from sync.services.claims import Claim, Leave, LostLease
from sync.services.freezing import Frozen
from sync.services.outcomes import Verdict
from sync.services.recording import Try
from sync.services.work import (
    NoToken,
    Work,
    announce,
    failed,
    holds,
    look,
    outside_transactions,
    prepare,
    situation,
    take_token,
    tried,
    verify,
)


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
        work = prepare(claim, process, delivery, renderers(delivery), started)
        reach("prepared")
        with platforms.session(delivery.target) as connector:
            connector.exchanges()  # what an earlier use left behind is not evidence of this one
            verdict, said = _outcome(work, connector)
    except (LostLease, Frozen, NoToken):
        raise
    except Exception as error:
        if isinstance(error, Error):
            raise  # our own database failed, which says nothing about the target: the lease runs out, then it is read
        verdict, said = outcomes.of_error(error, situation(delivery, work)), ()
        if work is not None:
            work.in_part = work.writes.done > 0
    reach("answered")
    if work is None:
        duration = round((time.monotonic() - started) * 1000)
        return recording.record(delivery, verdict, Try(claim, process, "send", None, duration, said)).state
    verdict = recording.record(delivery, verdict, tried(work, said))
    governors.spend(delivery.target, max(0, len(said) - 1))
    return verdict.state


def _outcome(work: Work, connector: Connector) -> tuple[Verdict, tuple[Exchange, ...]]:
    """What happened, and everything that was said meanwhile; errors of the target are outcomes too."""
    try:
        verdict = _resolve_doubt(work, connector) if work.claim.state == "unknown" else None
        verdict = verdict or _find(work, connector) or _send(work, connector)
    except errors.SyncError as error:
        if isinstance(error, LostLease | Frozen):
            raise
        work.in_part = work.writes.done > 0 and not isinstance(error, errors.Ambiguous)
        verdict = failed(work, connector, error)
    return verdict, (*work.said, *connector.exchanges())


def _resolve_doubt(work: Work, connector: Connector) -> Verdict | None:
    """Read back first. None means: it is not there and cannot arrive any more, so it may be sent again; or the target
    makes the same key true only once, so it may be sent again at any time."""
    if connector.capability == "B":
        work.repeats = True
        repeating.follow_up(work.delivery, work.payload_hash)
        reach("read_back")
        return None
    if not isinstance(connector, Readable):
        words = "The answer was lost, and this target cannot be read: somebody has to look there."
        return Verdict("failed", "unknown_effect", words, error_code="unknown_effect", ambiguous_s=0)
    take_token(work)
    try:
        remote = look(work, connector)
    except errors.Refused as refused:  # something like it is there, but it is not ours: so ours did not arrive yet
        if _quarantine_is_on(work.claim.lane_id):
            return outcomes.quarantined("refused")
        return outcomes.of_refusal(refused, work.hidden)
    reach("read_back")
    if remote is not None and holds(work, remote):
        effect = "blocked" if work.delivery.action == "block" else "updated" if work.key else "created"
        work.key = remote.key
        return outcomes.of_read_back(effect, remote.key)
    if _quarantine_is_on(work.claim.lane_id):
        return outcomes.quarantined("absent" if remote is None else "different")
    if remote is not None:
        work.key, work.differs = remote.key, True
    return None


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
        take_token(work)
        if connector.read(delivery.type, work.key) is None:
            work.retire_key, work.key = work.key, ""
    if work.key:
        return None
    take_token(work)
    remote = connector.find(delivery.type, str(delivery.record), work.payload)
    if remote is None:
        return None
    if linking.owner(delivery, remote.key) is not None:
        return linking.elsewhere(delivery, remote.key)
    work.key = remote.key
    return None


def _send(work: Work, connector: Connector) -> Verdict:
    reach("looked")
    take_token(work)
    reach("token")
    said_at = time.monotonic()
    announce(work)
    reach("intended")
    outside_transactions()
    work.said = connector.exchanges()
    with asking(Leave([work.claim], work.delivery.target, since=said_at)) as work.writes:
        answer = connector.push(work.push)
    work.said += answer.exchanges
    verdict = outcomes.of_outcome(verify(work, connector, answer))
    return replace(verdict, retire_key=work.retire_key) if work.retire_key else verdict
