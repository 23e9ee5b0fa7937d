"""Owns several first deliveries in one request, where a platform makes several records at once.

The commits are those of a single delivery, for each by itself: its claim, its intent, its outcome. Only what the target
certainly does not have is made this way; whatever is not plain goes singly, by `deliver`, which knows what to do.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from django.db import Error, connection

from mdm import correlation
from sync import errors, governors, platforms
from sync.crash_points import reach
from sync.deadline import asking
from sync.models import Delivery
from sync.payloads import Renderer
from sync.protocol import Answer, Bulk, Connector, FindsMany, Outcome, Readable
from sync.services import outcomes, recording
from sync.services.claims import Claim, Leave, LostLease
from sync.services.deliver import deliver
from sync.services.freezing import Frozen
from sync.services.work import NoToken, Work, announce, failed, outside_transactions, prepare, take_token, tried, verify

PATIENCE_S = 10.0  # for a token: what was looked up for many is not thrown away lightly
Renderers = Callable[[Delivery], Renderer]


def deliver_several(held: Sequence[Claim], process: uuid.UUID, renderers: Renderers) -> list[str]:
    """Work on claimed lanes of one target and type; the state each delivery is in then, or why it has none."""
    if connection.in_atomic_block:
        raise RuntimeError("A target is never called inside a transaction.")
    works = _prepared(held, process, renderers)
    reach("prepared")
    states: dict[int, str] = {}
    most = len(held)  # so many of those that are left may go alone, now
    if len(works) > 1:
        with platforms.session(works[0].delivery.target) as connector:
            connector.exchanges()  # what an earlier use left behind is not evidence of this one
            try:
                new = _absent(works, connector)
            except NoToken as error:
                return [_given_back(claim, error.wait_s, "no_token") for claim in held]
            except Exception as error:
                if isinstance(error, Error):
                    raise  # our own database: the leases run out
                new, most = [], 1  # nobody could look: one of them finds out what that means
            if len(new) > 1:
                states = _sent(new, connector)
    left = [claim for claim in held if claim.lane_id not in states]
    alone = [deliver(claim, process, renderers) for claim in left[:most]]
    return [*states.values(), *alone, *(_given_back(claim, 0, "given_back") for claim in left[most:])]


def _prepared(held: Sequence[Claim], process: uuid.UUID, renderers: Renderers) -> list[Work]:
    """What cannot be rendered is left out: alone, it is refused in the mapping's own words."""
    wanted = [claim.delivery_id for claim in held]
    rows = Delivery.objects.select_related("target__system", "lane").in_bulk(wanted)
    works, started = [], time.monotonic()
    for claim in held:
        delivery = rows[claim.delivery_id]
        try:
            works.append(prepare(claim, process, delivery, renderers(delivery), started))
        except Exception as error:
            if isinstance(error, Error):
                raise
    return works


def _absent(works: Sequence[Work], connector: Connector) -> list[Work]:
    """Those the target certainly does not have, and a token for their request. Nothing was sent yet."""
    if isinstance(connector, FindsMany):
        take_token(works[0], PATIENCE_S)
        there = connector.find_many([work.push for work in works])
        governors.spend(works[0].delivery.target, len(connector.exchanges()) - 1)
        new = [work for work, known in zip(works, there, strict=True) if not known]
    else:
        new = [work for work in works if _is_absent(work, cast(Readable, connector), connector)]
    reach("looked")
    if len(new) > 1:
        take_token(new[0], PATIENCE_S)
    reach("token")
    return new


def _is_absent(work: Work, readable: Readable, connector: Connector) -> bool:
    take_token(work, PATIENCE_S)
    try:
        absent = readable.find(work.delivery.type, str(work.delivery.record), work.payload) is None
    except errors.Refused:  # there is something like it: alone, it is told what
        absent = False
    work.said = connector.exchanges()
    governors.spend(work.delivery.target, len(work.said) - 1)
    return absent


def _sent(new: Sequence[Work], connector: Connector) -> dict[int, str]:
    """Say so for each, send, record each; the states by lane. From here on nothing of them is tried another way."""
    target, since = new[0].delivery.target, time.monotonic()
    states: dict[int, str] = {}
    works = [work for work in new if _announced(work, states)]
    reach("intended")
    outside_transactions()
    connector.exchanges()
    with asking(Leave([work.claim for work in works], target, since=since)):
        answers = _pushed(works, connector) if works else []
    governors.spend(target, len(connector.exchanges()) - 1)
    reach("answered")
    together = f"Made in one request with {len(works) - 1} others."
    counted = False
    for work, answer in zip(works, answers, strict=True):
        state, technical = _recorded(work, answer, connector, together, counted)
        states[work.claim.lane_id], counted = state, counted or technical
    return states


def _announced(work: Work, states: dict[int, str]) -> bool:
    try:
        announce(work)
    except LostLease:
        states[work.claim.lane_id] = "lost_lease"
    except Frozen:
        states[work.claim.lane_id] = _given_back(work.claim, 0, "frozen")
    return work.sent


def _pushed(works: Sequence[Work], connector: Connector) -> list[Answer]:
    """A connector that breaks has broken for all of them: nobody knows what was sent."""
    try:
        return cast(Bulk, connector).push_many([work.push for work in works])
    except Exception as error:
        if isinstance(error, Error):
            raise
        return [Answer(error)] * len(works)


def _recorded(work: Work, answer: Answer, connector: Connector, together: str, counted: bool) -> tuple[str, bool]:
    """The third commit of one of them, and whether it counts for the breaker: one request fails once, for all."""
    correlation.adopt(work.delivery.correlation_id)
    work.said, work.in_part = (*work.said, *answer.said), answer.in_part
    if isinstance(answer.result, LostLease):
        return "lost_lease", False
    if isinstance(answer.result, Outcome):
        verdict = replace(outcomes.of_outcome(_verified(work, connector, answer.result)), message=together)
    else:
        verdict = failed(work, connector, answer.result)
    technical = verdict.technical
    verdict = replace(verdict, technical=technical and not counted)
    said = (*work.said, *connector.exchanges())
    try:
        return recording.record(work.delivery, verdict, tried(work, said)).state, technical
    except LostLease:
        return "lost_lease", technical


def _verified(work: Work, connector: Connector, outcome: Outcome) -> Outcome:
    """A token for each look; without one it stays unverified, as after a look that failed."""
    if outcome.verified:
        return outcome
    try:
        take_token(work, PATIENCE_S)
    except NoToken:
        return outcome
    return verify(work, connector, outcome)


def _given_back(claim: Claim, wait_s: float, state: str) -> str:
    recording.give_back(claim, wait_s)
    return state
