"""Versions of the matching model: proposed, rehearsed, signed by a second person, in force; and back to an earlier one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from mdm import registry
from mdm.errors import CorrectInput, FourEyes, NotAllowed, NotNow
from mdm.matching.config import ALL_RULES
from mdm.matching.model import Model, Thresholds
from mdm.models import MatchModel
from mdm.models.match_model import OPEN
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.services import audit, indexing, match_jobs
from mdm.types import Actor, Problem

# A lead steward or a governance lead signs; data stewards propose.
SIGNERS = ("admin", "settle")
PROPOSERS = ("steward", *SIGNERS)
FURTHEST = 40.0  # thresholds beyond that let everything or nothing through


@dataclass(frozen=True)
class InForce:
    """What counts for a record type now; `row` is None while it is what the hub was shipped with."""

    row: MatchModel | None
    model: Model
    rules: frozenset[str]

    @property
    def number(self) -> int:
        return self.row.number if self.row else 0


def in_force(kind: RecordType) -> InForce:
    row = MatchModel.objects.filter(type=kind.key, state="active").select_related("created_by", "approved_by").first()
    engine = indexing.engine_of(kind.key, row.uid if row else None)
    return InForce(row, engine.model, engine.config.rules)


def may_propose(by: Actor) -> bool:
    return by.user is not None and any(may(by, scope) for scope in PROPOSERS)


def may_sign(by: Actor) -> bool:
    return by.user is not None and any(may(by, scope) for scope in SIGNERS)


def require_proposer(by: Actor) -> None:
    if not may_propose(by):
        raise NotAllowed("Only data stewards and governance leads propose how duplicates are judged.")


def require_signer(by: Actor) -> None:
    if not may_sign(by):
        raise NotAllowed("Only a governance lead or a lead steward signs how duplicates are judged.")


@transaction.atomic
def propose(
    *, kind: RecordType, thresholds: Mapping[str, Any], rules: Collection[str], reason: str, by: Actor
) -> MatchModel:
    """Other thresholds or hard rules with the weights in force: a version that is rehearsed at once.

    thresholds: {review, link, confirmed_review, confirmed_link} in points. CorrectInput with every mistake.
    """
    require_proposer(by)
    problems = _reason_problems(reason)
    limits = _thresholds(thresholds, problems)
    if unknown := set(rules) - ALL_RULES:
        problems.append(Problem("rules", "unknown_rule", f"There is no such rule: {', '.join(sorted(unknown))}."))
    if problems or limits is None:
        raise CorrectInput(problems[0].message, problems=problems)
    now = in_force(kind)
    if limits == now.model.thresholds and frozenset(rules) == now.rules:
        raise CorrectInput("This is in force already: nothing would change.")
    return draft(
        kind=kind, model=replace(now.model, thresholds=limits), rules=rules, origin="edited", reason=reason, by=by
    )


def _reason_problems(reason: str) -> list[Problem]:
    return [] if reason.strip() else [Problem("reason", "missing", "Say why: whoever signs reads it.")]


def _thresholds(given: Mapping[str, Any], problems: list[Problem]) -> Thresholds | None:
    found: dict[str, float] = {}
    for name in ("review", "link", "confirmed_review", "confirmed_link"):
        try:
            found[name] = float(given.get(name, ""))
        except (TypeError, ValueError):
            problems.append(Problem(name, "invalid", "Give a number of points."))
            continue
        if not abs(found[name]) <= FURTHEST:
            problems.append(Problem(name, "invalid", f"Give points between -{FURTHEST:.0f} and {FURTHEST:.0f}."))
    for low, high in (("review", "link"), ("confirmed_review", "confirmed_link")):
        if low in found and high in found and found[high] < found[low]:
            problems.append(Problem(high, "invalid", "Linking cannot need fewer points than being looked at."))
    return None if problems else Thresholds(**found)


@transaction.atomic
def restore(*, kind: RecordType, version: MatchModel | None, reason: str, by: Actor) -> MatchModel:
    """An earlier version again (None: the shipped one), as a new version: rehearsed and signed like any other."""
    require_proposer(by)
    if problems := _reason_problems(reason):
        raise CorrectInput(problems[0].message, problems=problems)
    if version is not None and (version.type != kind.key or version.state != "retired"):
        raise NotNow("Only a version that was in force before can come back.")
    engine = indexing.engine_of(kind.key, version.uid if version else None)
    now = in_force(kind)
    if (version is None and now.row is None) or (engine.model, engine.config.rules) == (now.model, now.rules):
        raise NotNow("This is in force already.")
    return draft(
        kind=kind,
        model=engine.model,
        rules=engine.config.rules,
        origin="restored",
        reason=reason,
        by=by,
        source=version,
    )


@transaction.atomic
def draft(
    *,
    kind: RecordType,
    model: Model,
    rules: Collection[str],
    origin: str,
    reason: str,
    by: Actor,
    report: Mapping[str, Any] | None = None,
    source: MatchModel | None = None,
) -> MatchModel:
    """Put a version on record and start its rehearsal. NotNow while another one of this type waits."""
    require_proposer(by)
    assert by.user is not None
    last = MatchModel.objects.filter(type=kind.key).order_by("-number").values_list("number", flat=True).first()
    number = (last or 0) + 1
    named = replace(model, version=f"{kind.key}-{number}")
    now = in_force(kind)
    try:
        with transaction.atomic():
            row = MatchModel.objects.create(
                type=kind.key, number=number, kind=model.kind, data=named.as_json(), rules=sorted(rules), origin=origin,
                reason=reason.strip(), report=dict(report or {}), trained_from=source or now.row, created_by=by.user,
            )  # fmt: skip
    except IntegrityError:
        raise NotNow("Another version waits to be signed or rejected. Decide about that one first.") from None
    _log(row, "proposed", by, origin=origin, reason=reason)
    match_jobs.queue(type_key=kind.key, task="rehearse", by=by, model=row)
    return row


def open_version(kind: RecordType) -> MatchModel | None:
    return MatchModel.objects.filter(type=kind.key, state__in=OPEN).first()


@transaction.atomic
def rehearse_again(*, version: MatchModel, by: Actor) -> MatchModel:
    """Rehearse anew, after records, judgements or the version in force have changed, or when it stopped."""
    require_proposer(by)
    row = _locked(version)
    if row.state not in OPEN:
        raise NotNow(f"This version is {row.get_state_display().lower()}: there is nothing to rehearse.")
    match_jobs.queue(type_key=row.type, task="rehearse", by=by, model=row)
    row.state, row.rehearsal = "draft", {}
    row.save(update_fields=["state", "rehearsal"])
    return row


def why_not_approve(version: MatchModel, by: Actor) -> str:
    """Why this person cannot sign it now; "" when they can."""
    if version.state == "draft":
        return "It is being rehearsed. What it would change is known afterwards."
    if version.state != "rehearsed":
        return f"This version is {version.get_state_display().lower()}."
    if by.user is not None and by.user.pk == version.created_by_id:
        return "You asked for this version: somebody else signs it."
    if not may_sign(by):
        return "Only a governance lead or a lead steward signs how duplicates are judged."
    if version.against_id != _active_pk(version.type):
        return "Another version came into force since this was rehearsed. Rehearse it again."
    return ""


@transaction.atomic
def approve(*, version: MatchModel, by: Actor, comment: str = "") -> MatchModel:
    """Put a rehearsed version in force. All processes follow at their next look; the queue is scored anew in the background."""
    require_signer(by)
    row = _locked(version)
    if by.user is not None and by.user.pk == row.created_by_id:
        raise FourEyes("You asked for this version: somebody else signs it.")
    if reason := why_not_approve(row, by):
        raise NotNow(reason)
    now = timezone.now()
    MatchModel.objects.filter(type=row.type, state="active").update(state="retired", ended_at=now)
    row.state, row.approved_by, row.approved_at, row.comment = "active", by.user, now, comment.strip()
    row.save(update_fields=["state", "approved_by", "approved_at", "comment"])
    _log(row, "approved", by, comment=comment, flips=row.rehearsal.get("flips", 0))
    match_jobs.queue_again(type_key=row.type, task="rescore")
    return row


@transaction.atomic
def reject(*, version: MatchModel, reason: str, by: Actor) -> MatchModel:
    """Not to be used: by a signer, or taken back by whoever asked for it."""
    row = _locked(version)
    if not (may_sign(by) or (by.user is not None and by.user.pk == row.created_by_id)):
        require_signer(by)
    if row.state not in OPEN:
        raise NotNow(f"This version is {row.get_state_display().lower()}.")
    if not reason.strip():
        raise CorrectInput("Say why.", problems=[Problem("reason", "missing", "Say why it is not to be used.")])
    match_jobs.cancel(model=row)
    row.state, row.ended_at, row.comment = "rejected", timezone.now(), reason.strip()
    row.save(update_fields=["state", "ended_at", "comment"])
    _log(row, "rejected", by, reason=reason)
    return row


def train(*, kind: RecordType, by: Actor) -> Any:
    """Start learning from labels; the job ends with a version to sign, or says what is missing."""
    require_proposer(by)
    if open_version(kind):
        raise NotNow("A version waits to be signed or rejected. Decide about that one first.")
    return match_jobs.queue(type_key=kind.key, task="train", by=by)


def refresh_counts(*, kind: RecordType, by: Actor) -> Any:
    """Start counting anew what is rare; the job reports what that flips among the pairs of the queue."""
    require_proposer(by)
    return match_jobs.queue(type_key=kind.key, task="snapshot", by=by, plan={"cause": "asked"})


def _active_pk(type_key: str) -> int | None:
    return MatchModel.objects.filter(type=type_key, state="active").values_list("pk", flat=True).first()


def _locked(version: MatchModel) -> MatchModel:
    """All living versions of the type are locked, so that two approvals at once come one after the other."""
    rows = MatchModel.objects.select_for_update(of=("self",)).filter(type=version.type, state__in=(*OPEN, "active"))
    list(rows.order_by("pk").values_list("pk", flat=True))
    return MatchModel.objects.select_for_update().get(pk=version.pk)


def _log(row: MatchModel, what: str, by: Actor, **detail: Any) -> None:
    audit.record(
        action=f"match_model.{what}", by=by, object_type="match_model", object_uid=row.uid, object_label=str(row),
        detail={name: value for name, value in detail.items() if value != ""},
    )  # fmt: skip


def kinds() -> list[RecordType]:
    """Record types that are matched."""
    return [kind for kind in registry.all_types() if kind.match]
