"""Owns the one place where rules change what an outcome means: business, technical, or tried again by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from django.db import connection
from django.db.models import Q

from sync import errors, patterns
from sync.models import Delivery, OutcomeRule
from sync.models.rule import BUSINESS, TECHNICAL
from sync.services import outcomes
from sync.services.outcomes import Verdict

LINES = 50
_LOOKED_AT = ("rejected", "retrying")  # what certainly changed nothing there; a doubt is never decided by words


def classify(delivery: Delivery, verdict: Verdict, *, sent: bool) -> tuple[Verdict, OutcomeRule | None]:
    """The verdict as the first fitting rule has it, and that rule. `sent`: this try is counted as an attempt already."""
    if verdict.state not in _LOOKED_AT or verdict.crashed:
        return verdict, None
    rule = find(delivery.target_id, delivery.type, verdict)
    if rule is None:
        return verdict, None
    if rule.category == BUSINESS:
        return _refused(verdict), rule
    counted = 0 if sent else 1
    verdict = replace(verdict, attempts_delta=counted)
    return _again(delivery, verdict, rule, _attempts(delivery) + counted), rule


def find(target_id: int, type: str, verdict: Verdict) -> OutcomeRule | None:
    rules = OutcomeRule.objects.filter(Q(target=None) | Q(target=target_id), type__in=("", type), active=True)
    problems = verdict.refusal.problems if verdict.refusal else ()
    codes = {verdict.error_code, verdict.outcome, *(problem.code for problem in problems)}
    words = "\n".join([verdict.message, *(problem.message for problem in problems)])
    return next((rule for rule in rules if _fits(rule, codes, words)), None)


def _fits(rule: OutcomeRule, codes: Collection[str], words: str) -> bool:
    """Every line of the words is looked at by itself, so that a pattern with ends finds one problem among several."""
    if rule.match == "code":
        return any(patterns.fits("code", rule.pattern, code=code, words="") for code in codes)
    return any(patterns.fits(rule.match, rule.pattern, code="", words=line) for line in words.splitlines()[:LINES])


def _refused(verdict: Verdict) -> Verdict:
    """For a steward, also what looked technical at first: nothing of it is there, so nothing has to be read back."""
    if verdict.refusal is not None:
        return verdict
    refusal = errors.Refused(verdict.message, status=verdict.status)
    return replace(verdict, state="rejected", refusal=refusal, technical=False, wait_s=None, ambiguous_s=0)


def _again(delivery: Delivery, verdict: Verdict, rule: OutcomeRule, attempts: int) -> Verdict:
    technical = rule.category == TECHNICAL
    most = rule.tries or delivery.target.max_attempts
    if attempts >= most:
        words = f"Given up after {attempts} attempts: {verdict.message}"
        if technical:
            return replace(verdict, state="failed", message=words, refusal=None, technical=True, wait_s=None)
        refusal = verdict.refusal or errors.Refused(verdict.message, status=verdict.status)
        return replace(verdict, state="rejected", message=words, refusal=refusal, technical=False, wait_s=None)
    wait = outcomes.growing(attempts, rule.min_wait_s, rule.max_wait_s) * delivery.target.retry_scale
    return replace(verdict, state="retrying", refusal=None, technical=technical, wait_s=wait, ambiguous_s=0)


def _attempts(delivery: Delivery) -> int:
    """As the database has it: the intent of this very try counted it there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT attempts FROM sync_delivery WHERE id = %s", [delivery.pk])
        return int(cursor.fetchone()[0])
