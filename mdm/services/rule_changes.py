"""Changing survivorship rules: proposed, rehearsed on every record, signed by somebody else, applied in batches.

Rehearsal and application are one walk over the records of the type, a batch per transaction with its counts and its place
kept in the row: a killed worker goes on after the last batch, twice at once is refused by the lease.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from mdm import correlation, registry
from mdm.errors import CorrectInput, HubError, NotAllowed, NotNow
from mdm.models import (
    ApprovalStep,
    ChangeRequest,
    Participant,
    RuleChange,
    RuleEffect,
    SurvivorshipRule,
    System,
)
from mdm.permissions import actor_of, may
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import audit, deciding, policy, rebuilding, survivorship
from mdm.services.policy import DEFAULT_STEP, Decision, Facts
from mdm.survival import rules as rule_words
from mdm.survival.rules import Rule
from mdm.types import Actor, Problem, digest, value_at

log = logging.getLogger(__name__)
STALE = timedelta(seconds=60)
MOST_EFFECTS = 20_000  # rows kept of a rehearsal; the counts go on beyond
ENDED = ("rejected", "withdrawn", "expired")
VERDICTS = ("changed", "asked", "refused", "unchanged")


def as_json(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    return [rule.as_json() for rule in sorted(rules, key=lambda rule: rule.path)]


def check(kind: RecordType, rules: Sequence[Rule]) -> list[Problem]:
    return rule_words.check(kind, rules, systems=System.objects.values_list("code", flat=True))


@transaction.atomic
def propose(*, kind: RecordType, rules: Sequence[Rule], reason: str, by: Actor) -> RuleChange:
    """Put a new set of rules of one type on record and start its rehearsal. It is in front of its approvers when that is
    done. CorrectInput with every mistake; NotNow while another change of this type is under way."""
    if not may(by, "admin") or by.user is None:
        raise NotAllowed("Only governance leads propose survivorship rules.")
    if not reason.strip():
        raise CorrectInput(
            "Say why the rules change.", problems=[Problem("reason", "missing", "This field is needed.")]
        )
    problems = check(kind, rules)
    if problems:
        raise CorrectInput(problems[0].message, problems=problems)
    close_ended()
    base = as_json(survivorship.stored(kind))
    wanted = as_json(rules)
    if wanted == base:
        raise CorrectInput("These are the rules in force already: nothing would change.")
    try:
        with transaction.atomic():
            row = RuleChange.objects.create(
                type=kind.key, reason=reason.strip(), rules=wanted, base=base, proposed_by=by.user, total=_total(kind)
            )
    except IntegrityError:
        text = f"Another change of the rules of {kind.nouns} is under way: finish or withdraw it first."
        raise NotNow(text) from None
    _log(row, "proposed", by, rules=wanted)
    ring(row)
    return row


def _total(kind: RecordType) -> int:
    return int(kind.model._default_manager.filter(status__in=rebuilding.ALIVE).count())


@transaction.atomic
def withdraw(*, rule_change: RuleChange, by: Actor, reason: str = "") -> RuleChange:
    """Take a proposal back before it is signed."""
    row = RuleChange.objects.select_for_update().get(pk=rule_change.pk)
    if row.state not in ("rehearsing", "ready"):
        raise NotNow(f"This change is {row.get_state_display().lower()}: it cannot be withdrawn.")
    if by.user != row.proposed_by and not may(by, "admin"):
        raise NotAllowed("Only who proposed it, or a governance lead, may withdraw it.")
    if row.change and row.change.state in ("in_review", "returned"):
        deciding_change = deciding.lock(row.change)
        deciding_change.state, deciding_change.due_at = "withdrawn", None
        deciding_change.decided_at = timezone.now()
        deciding_change.save()
        deciding.log(deciding_change, "withdrawn", by, comment=reason)
    _end(row, "closed")
    _log(row, "withdrawn", by, reason=reason)
    return row


def close_ended() -> int:
    """Changes whose request was turned down are over; how many."""
    done = 0
    for row in RuleChange.objects.select_for_update().filter(state="ready", change__state__in=ENDED):
        _end(row, "closed")
        done += 1
    return done


def _end(row: RuleChange, state: str) -> None:
    row.state, row.finished_at, row.beat_at = state, timezone.now(), None
    row.save(update_fields=["state", "finished_at", "beat_at"])


def begin(*, change: ChangeRequest, by: Actor) -> ChangeRequest:
    """The request is approved: the rules hold from now on, and the records follow in the background.

    NotNow when the rules in force are not those that were rehearsed against.
    """
    row = RuleChange.objects.select_for_update().get(change=change)
    if row.state != "ready":
        raise NotNow(f"This change of rules is {row.get_state_display().lower()}.")
    kind = registry.get(row.type)
    if as_json(survivorship.stored(kind)) != row.base:
        raise NotNow("The rules were changed since this rehearsal. Reject this one and propose it again.")
    rules = [Rule.of(given) for given in row.rules]
    if problems := check(kind, rules):
        raise NotNow(f"These rules fit no longer: {problems[0].message} Reject this one and propose it again.")
    SurvivorshipRule.objects.filter(type=kind.key).delete()
    SurvivorshipRule.objects.bulk_create(
        SurvivorshipRule(
            type=kind.key,
            path=rule.path,
            order=",".join(rule.order),
            ranks=dict(rule.ranks),
            together=list(rule.together),
            keep_last=rule.keep_last,
        )
        for rule in rules
    )
    row.state, row.cursor, row.done, row.total, row.beat_at = "applying", None, {}, _total(kind), None
    row.save()
    _log(row, "signed", by, request=change.number)
    ring(row)
    return change


def progress(row: RuleChange) -> float:
    """0 to 1: of the rehearsal until that is done, of the application afterwards."""
    if row.state in ("ready", "applied", "closed"):
        return 1.0
    done = (row.done if row.state == "applying" else row.counts).get("records", 0)
    return min(1.0, done / row.total) if row.total else 0.0


# --- the walk over the records ----------------------------------------------------------------------------------


def ring(row: RuleChange) -> None:
    """Wake a worker after commit; without a broker the next tick finds it by itself."""
    from mdm.tasks import run_rule_change

    def call() -> None:
        with contextlib.suppress(Exception):
            run_rule_change.delay(row.pk)

    transaction.on_commit(call, robust=True)


def waiting() -> list[int]:
    """Changes with work that nobody does."""
    stale = Q(beat_at=None) | Q(beat_at__lt=timezone.now() - STALE)
    rows = RuleChange.objects.filter(stale, state__in=("rehearsing", "applying"))
    return list(rows.order_by("pk").values_list("pk", flat=True))


def claim(pk: int) -> RuleChange | None:
    """Take the work, or None when it is done or somebody else has it."""
    with transaction.atomic():
        row = RuleChange.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
        if row is None or row.state not in ("rehearsing", "applying"):
            return None
        if row.beat_at and row.beat_at > timezone.now() - STALE:
            return None
        row.beat_at = timezone.now()
        row.save(update_fields=["beat_at"])
        return row


def run(pk: int, *, batches: int | None = None) -> RuleChange | None:
    """Work one change to the end of its rehearsal or application; safe to call again at any time.

    `batches`: stop after so many, as a killed process would.
    """
    row = claim(pk)
    if row is None:
        return None
    step = _rehearse_batch if row.state == "rehearsing" else _apply_batch
    done = 0
    try:
        while (batches is None or done < batches) and step(pk):
            done += 1
    except HubError as error:
        with transaction.atomic():
            row = RuleChange.objects.select_for_update().get(pk=pk)
            row.error = error.message
            row.save(update_fields=["error"])
            if row.state == "rehearsing":  # rules that hold already are applied to the end: the next ticks try again
                _end(row, "failed")
                _log(row, "failed", Actor.system("Survivorship"), error=error.message)
    except Exception:
        log.exception("rule change %s stopped", row.uid)
        RuleChange.objects.filter(pk=pk).update(beat_at=None)  # the next tick takes it up again
        raise
    if batches is not None:
        RuleChange.objects.filter(pk=pk).update(beat_at=None)
    return RuleChange.objects.get(pk=pk)


def _next(row: RuleChange, kind: RecordType) -> list[str]:
    rows = kind.model._default_manager.filter(status__in=rebuilding.ALIVE).order_by("uid")
    if row.cursor:
        rows = rows.filter(uid__gt=row.cursor)
    return [str(uid) for uid in rows.values_list("uid", flat=True)[: rebuilding.BATCH]]


@transaction.atomic
def _rehearse_batch(pk: int) -> bool:
    """What the rules would make of the next records; False when there are none."""
    row = RuleChange.objects.select_for_update().get(pk=pk)
    if row.state != "rehearsing":
        return False
    kind = registry.get(row.type)
    uids = _next(row, kind)
    if not uids:
        _submit(row, kind)
        return False
    rules = survivorship.with_rules(kind, [Rule.of(given) for given in row.rules])
    current = records.current_documents(kind.key, uids)
    outlooks = rebuilding.foresee(kind=kind, rules=rules, current=current, policies=policy.load())
    _keep_effects(row, kind, outlooks)
    row.counts = _add(row.counts, outlooks)
    row.cursor, row.beat_at = uids[-1], timezone.now()
    row.save(update_fields=["counts", "cursor", "beat_at"])
    return True


def _add(counts: dict[str, Any], outlooks: dict[str, rebuilding.Outlook]) -> dict[str, Any]:
    verdicts = Counter(one.verdict for one in outlooks.values())
    fields = Counter(counts.get("fields") or {})
    for one in outlooks.values():
        fields.update({change.path.partition("/")[0] for change in one.changes})
    found = {name: int(counts.get(name, 0)) + verdicts[name] for name in VERDICTS}
    return {**found, "records": int(counts.get("records", 0)) + len(outlooks), "fields": dict(sorted(fields.items()))}


def _keep_effects(row: RuleChange, kind: RecordType, outlooks: dict[str, rebuilding.Outlook]) -> None:
    room = MOST_EFFECTS - row.effects.count()
    effects = []
    for uid, one in outlooks.items():
        for path in dict.fromkeys("/".join(change.path.split("/")[:2]) for change in one.changes):
            origin = one.survived.where.get(path) or {}
            effects.append(
                RuleEffect(
                    rule_change=row,
                    uid=uid,
                    code=one.before["code"],
                    label=kind.name_of(one.before)[:300],
                    path=path,
                    before=value_at(one.before, path),
                    after=value_at(one.after, path),
                    rule=origin.get("rule", ""),
                    verdict=one.verdict,
                    note=one.note,
                )
            )
    RuleEffect.objects.bulk_create(effects[: max(0, room)], batch_size=500)


def _submit(row: RuleChange, kind: RecordType) -> None:
    """The rehearsal is done: the request that a second person signs, for what was proposed and what was found."""
    by = actor_of(row.proposed_by)
    decision = policy.decide([Facts(type=kind.key, action="rules", paths=(), origin="web")])
    if decision.auto or not decision.steps:  # rules are never approved by a rule
        decision = Decision(steps={DEFAULT_STEP[0]: DEFAULT_STEP[1]}, names=decision.names)
    changed = row.counts.get("changed", 0) + row.counts.get("asked", 0)
    change = ChangeRequest.objects.create(
        title=f"Survivorship rules of {kind.nouns}: {changed} of {row.counts.get('records', 0)} records change",
        reason=row.reason,
        kind="rules",
        origin="web",
        state="in_review",
        content_hash=digest({"rules": row.rules, "base": row.base, "rehearsal": row.counts, "uid": str(row.uid)}),
        policies=decision.names,
        correlation_id=correlation.current(),
        requester=row.proposed_by,
        requester_name=by.name,
        submitted_at=timezone.now(),
    )
    Participant.objects.create(request=change, person=row.proposed_by, side="maker")
    ApprovalStep.objects.bulk_create(ApprovalStep(request=change, **step) for step in policy.steps_as_json(decision))
    deciding.open_next(change)
    change.save()
    row.change, row.state, row.rehearsed_at = change, "ready", timezone.now()
    row.beat_at, row.cursor = None, None
    row.save()
    _log(row, "rehearsed", Actor.system("Survivorship"), request=change.number, **row.counts)


@transaction.atomic
def _apply_batch(pk: int) -> bool:
    """Rebuild the next records under the rules now in force; False when all are done."""
    row = RuleChange.objects.select_for_update().get(pk=pk)
    if row.state != "applying" or row.change is None:
        return False
    kind = registry.get(row.type)
    maker = actor_of(row.proposed_by)
    uids = _next(row, kind)
    if not uids:
        change = deciding.lock(row.change)
        change.state, change.applied_at, change.due_at = "applied", timezone.now(), None
        change.save()
        deciding.log(change, "applied", maker)
        _end(row, "applied")
        _log(row, "applied", maker, request=change.number, **row.done)
        return False
    reason = f"Survivorship rules changed by {row.change.number}."
    counts = rebuilding.rebuild(kind=kind, uids=uids, by=maker, reason=reason, change=row.change)
    done = {name: int(row.done.get(name, 0)) + counts[name] for name in VERDICTS}
    row.done = {**done, "records": int(row.done.get("records", 0)) + len(uids)}
    row.cursor, row.beat_at = uids[-1], timezone.now()
    row.save(update_fields=["done", "cursor", "beat_at"])
    return True


def _log(row: RuleChange, action: str, by: Actor, **detail: Any) -> None:
    audit.record(
        action=f"survivorship.{action}",
        by=by,
        object_type="rule_change",
        object_uid=row.uid,
        object_label=str(row),
        detail=detail,
    )
