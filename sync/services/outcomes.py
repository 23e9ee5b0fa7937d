"""Owns what an answer or a failure means: which state a delivery goes to, when its lane is tried again, who is told."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from sync import errors, platforms
from sync.models import Target
from sync.models.delivery import IN_PART
from sync.payloads import conceal
from sync.protocol import Outcome

SCHEDULE_S = (5, 30, 120, 300, 1800, 3600, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
READ_BACK_S = 2.0  # how soon after a lost answer the target is read
_AS_SENT = {"pending": "unknown", "retrying": "unknown", "cancelled": "failed"}


@dataclass(frozen=True)
class Situation:
    """What is known when something was answered or failed."""

    target: Target
    state: str  # of the delivery in the database: in_flight (nothing sent), unknown (may have been sent)
    attempts: int
    crashes: int
    age_h: float
    sent: bool = False  # this very try wrote its intent, so the failure is about the request
    hidden: tuple[str, ...] = ()  # plain bank numbers that words from outside must not show
    repeats: bool = False  # sent again under the same key while an earlier request may still be applied

    @property
    def earlier_doubt(self) -> bool:
        """An earlier request is unresolved: only reading the target, or an answer to the same key, can end that."""
        return self.state == "unknown" and (self.repeats or not self.sent)

    @property
    def answered(self) -> bool:
        """What the target says now is about this delivery, and not about a look at an earlier request."""
        return self.sent or not self.earlier_doubt


@dataclass(frozen=True)
class Verdict:
    """Everything that is recorded of one try. `ambiguous_s`: None keeps the quarantine, 0 ends it, else from now."""

    state: str
    outcome: str
    message: str = ""
    error_code: str = ""
    status: int | None = None
    effect: str = ""
    key: str = ""
    verified: bool = False
    wait_s: float | None = None
    until_quarantine_ends: bool = False
    ambiguous_s: float | None = None
    attempts_delta: int = 0
    crashed: bool = False
    technical: bool = False
    throttle_s: float = 0
    trips_breaker: bool = False
    pauses_target: bool = False
    refusal: errors.Refused | None = None
    retire_key: str = ""  # a key the target no longer knows, replaced by `key`


def of_outcome(outcome: Outcome) -> Verdict:
    return Verdict(
        "posted",
        outcome.effect,
        effect=outcome.effect,
        key=outcome.key,
        verified=outcome.verified,
        ambiguous_s=0,
    )


def of_read_back(effect: str, key: str) -> Verdict:
    """The target holds what the lost request was to write."""
    return Verdict("posted", effect, "Found by reading back.", effect=effect, key=key, verified=True, ambiguous_s=0)


def quarantined(found: str) -> Verdict:
    """Read back and not there, but the lost request may still be applied: wait until it cannot any more."""
    return Verdict("unknown", found, "Not there yet; a lost request may still arrive.", until_quarantine_ends=True)


def of_refusal(error: errors.Refused, hidden: tuple[str, ...] = ()) -> Verdict:
    """The platform said no for good: a business exception."""
    first = error.problems[0].code if error.problems else ""
    return Verdict(
        "rejected",
        error.code,
        conceal(error.message, hidden),
        error_code=(first or error.code)[:40],
        status=error.status,
        refusal=error,
        ambiguous_s=0,
    )


def as_sent(verdict: Verdict) -> Verdict:
    """Something of the delivery is at the target, or may be: it is not called unsent, and is read before the rest goes."""
    return replace(verdict, state=_AS_SENT.get(verdict.state, verdict.state))


def in_part(verdict: Verdict) -> Verdict:
    """As evidence and ledger have it when requests of the push were applied before it failed."""
    if verdict.state == "posted":
        return verdict
    return replace(verdict, effect=IN_PART, message=f"Applied at least in part. {verdict.message}".strip())


def of_error(error: Exception, situation: Situation) -> Verdict:
    """The table of `sync.errors`, as verdicts."""
    if not isinstance(error, errors.SyncError):
        return _crash(error, situation)
    words = conceal(error.message, situation.hidden)
    base: dict[str, Any] = {
        "outcome": error.code,
        "error_code": error.code,
        "message": words,
        "status": error.status,
    }
    # Refused under the same key: the earlier request may still arrive, so what follows waits until it cannot any more.
    ends = None if situation.repeats else 0
    if isinstance(error, errors.Refused) and situation.answered:
        return replace(of_refusal(error, situation.hidden), ambiguous_s=ends)
    if isinstance(error, errors.NotSupported) and situation.answered:
        return Verdict("cancelled", ambiguous_s=ends, **base)
    if isinstance(error, errors.Unanswered):
        return _unanswered(situation, base, error.retry_after)
    if isinstance(error, errors.Gone):
        return _postponed(situation, base, pauses_target=True)
    if isinstance(error, errors.Separately):
        return _postponed(situation, base)
    if isinstance(error, errors.Throttled):
        return _postponed(situation, base, throttle_s=error.retry_after)
    if isinstance(error, errors.Unauthorised):
        return _postponed(situation, base, trips_breaker=True, technical=True)
    if isinstance(error, errors.Stale) and not situation.earlier_doubt:
        return _limited(situation, Verdict("retrying", wait_s=_jitter(2), ambiguous_s=0, **base))
    if isinstance(error, errors.Ambiguous) and situation.sent:
        doubt = platforms.max_inflight(situation.target)
        soon, later = min(READ_BACK_S, doubt / 2), backoff(situation.attempts, situation.target.retry_scale)
        wait = later if situation.repeats else soon
        return _limited(situation, Verdict("unknown", wait_s=wait, ambiguous_s=doubt, technical=True, **base))
    return _limited(situation, _failure(situation, base))


def _failure(situation: Situation, base: dict[str, Any]) -> Verdict:
    """Nothing was applied by this try. A doubt left by an earlier one stays a doubt."""
    wait = backoff(situation.attempts + (0 if situation.sent else 1), situation.target.retry_scale)
    delta = 0 if situation.sent else 1
    if situation.earlier_doubt:
        return Verdict("unknown", wait_s=wait, attempts_delta=delta, technical=True, **base)
    return Verdict("retrying", wait_s=wait, ambiguous_s=0, attempts_delta=delta, technical=True, **base)


def _postponed(situation: Situation, base: dict[str, Any], **more: Any) -> Verdict:
    """The target did not do it and the target, not the record, is the reason: no attempt is burnt."""
    delta = -1 if situation.sent else 0
    if situation.earlier_doubt:
        return _too_old(situation, Verdict("unknown", wait_s=1, attempts_delta=delta, **base, **more))
    return _too_old(situation, Verdict("pending", wait_s=1, ambiguous_s=0, attempts_delta=delta, **base, **more))


def _unanswered(situation: Situation, base: dict[str, Any], retry_after: float) -> Verdict:
    """It is there, and only the receiver can say what came of it: the delivery stays in doubt, asked about ever less."""
    wait = max(retry_after, situation.age_h * 360)  # a tenth of its age
    return _too_old(situation, Verdict("unknown", wait_s=wait, attempts_delta=-1 if situation.sent else 0, **base))


def _crash(error: Exception, situation: Situation) -> Verdict:
    """A connector broke where no error of ours was raised: as if the process had died, but with its words."""
    message = conceal(f"{type(error).__name__}: {error}", situation.hidden, limit=500)
    base: dict[str, Any] = {"outcome": "crash", "error_code": "crash", "message": message, "crashed": True}
    if situation.crashes + 1 >= 3:
        return Verdict("poison", **base)
    wait = backoff(situation.attempts + 1, situation.target.retry_scale)
    state = "unknown" if situation.state == "unknown" or situation.sent else "retrying"
    return Verdict(state, wait_s=wait, **base)


def _limited(situation: Situation, verdict: Verdict) -> Verdict:
    """After so many attempts, or so long, it is a dead letter. A doubt is kept: the next version waits for its end."""
    attempts = situation.attempts + verdict.attempts_delta
    if attempts >= situation.target.max_attempts:
        return _dead(verdict, f"Given up after {attempts} attempts: {verdict.message}")
    return _too_old(situation, verdict)


def _too_old(situation: Situation, verdict: Verdict) -> Verdict:
    if situation.age_h >= situation.target.max_age_h:
        return _dead(verdict, f"Given up after {situation.target.max_age_h:g} hours: {verdict.message}")
    return verdict


def _dead(verdict: Verdict, message: str) -> Verdict:
    return replace(verdict, state="failed", message=message, wait_s=None)


def backoff(attempts: int, scale: float = 1.0) -> float:
    """Full jitter: anything between nothing and the step of the schedule, so that a crowd does not come back at once."""
    step = SCHEDULE_S[min(max(attempts, 1), len(SCHEDULE_S)) - 1]
    return random.uniform(0.05, 1.0) * step * scale


def growing(attempts: int, shortest: float, longest: float) -> float:
    """From `shortest`, doubled with every attempt up to `longest`; jittered, but never below the shortest."""
    step = min(longest, shortest * 2 ** min(attempts, 20))
    return random.uniform(shortest, max(shortest, step))


def _jitter(seconds: float) -> float:
    return random.uniform(0.1, seconds)
