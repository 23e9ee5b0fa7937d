"""The one write path: propose, review, decide, apply. Every door (web, REST, admin, import, command line) calls this."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from mdm import correlation, registry
from mdm.errors import AlreadyDone, CorrectInput, FourEyes, NotAllowed, NotNow, Reload
from mdm.models import Approval, ApprovalStep, ChangeItem, ChangeRequest, Comment, Participant
from mdm.models.change import STATES
from mdm.permissions import may, may_take, roles_of
from mdm.services import applying, audit, policy, proposing
from mdm.services.proposing import Built, ProposedItem
from mdm.types import Actor, Change, same

__all__ = ["ProposedItem"]


def log(change: ChangeRequest, action: str, by: Actor, **detail: Any) -> None:
    audit.record(
        action=f"request.{action}",
        by=by,
        object_type="change_request",
        object_uid=change.uid,
        object_label=str(change),
        detail=detail,
    )


@transaction.atomic
def propose(
    *,
    items: Iterable[ProposedItem],
    by: Actor,
    title: str = "",
    reason: str = "",
    origin: str = "web",
    effective_on: date | None = None,
    priority: str = "normal",
    submit: bool = True,
    system: str = "",
    reverts: ChangeRequest | None = None,
) -> ChangeRequest:
    """Put a proposal on record and, unless it is a draft, in front of its approvers. Applied at once where policy says."""
    listed = list(items)
    for item in listed:
        kind = registry.find(item.type)
        if kind and not may(by, f"propose:{kind.path}"):
            raise NotAllowed(f"You may not propose changes to {kind.plural.lower()}.")
    built = proposing.build(listed)
    stored = [part.item for part in built]
    change = ChangeRequest.objects.create(
        title=(title or proposing.title_of(stored))[:300],
        reason=reason,
        kind=proposing.kind_of(stored),
        origin=origin,
        priority=priority,
        effective_on=effective_on,
        correlation_id=correlation.current(),
        requester=by.user,
        requester_name=by.name,
        reverts=reverts,
    )
    _store(change, built)
    _make(change, by)
    log(change, "proposed", by, origin=origin)
    return submit_request(change=change, by=by, system=system, built=built) if submit else change


def _store(change: ChangeRequest, built: list[Built]) -> None:
    for part in built:
        part.item.request = change
    ChangeItem.objects.bulk_create([part.item for part in built], batch_size=1000)
    change.content_hash = proposing.content_hash([part.item for part in built], change.effective_on)
    change.risk_flags = proposing.risks(built)
    change.save()


def _make(change: ChangeRequest, by: Actor) -> None:
    """Put the person on the maker's side; refused when they already checked this request."""
    if by.user is None:
        return
    seat, _ = Participant.objects.get_or_create(request=change, person=by.user, defaults={"side": "maker"})
    if seat.side != "maker":
        raise FourEyes("You already decided on this request, so somebody else must change it.")


@transaction.atomic
def submit_request(
    *, change: ChangeRequest, by: Actor, system: str = "", built: list[Built] | None = None
) -> ChangeRequest:
    """Ask for approval: policies decide the steps. With a policy that approves by itself it is applied here and now."""
    change = lock(change)
    require(change, "submit", by)
    _make(change, by)
    parts = built or proposing.rebuild(change)
    change.risk_flags = proposing.risks(parts)
    flags = [flag["code"] for flag in change.risk_flags]
    decision = policy.decide(
        policy.facts_of(p.item, origin=change.origin, system=system, current=p.before, flags=flags)
        for p in parts
    )
    if decision.require_reason and not change.reason.strip():
        raise CorrectInput("Say why: this kind of change needs a reason.")
    change.policies, change.submitted_at = decision.names, timezone.now()
    change.steps.all().delete()
    if decision.auto:
        change.state, change.decided_at = "approved", timezone.now()
        change.save()
        log(change, "auto_approved", by, policies=decision.names)
        return applying.apply(change=change, by=by)
    change.state = "in_review"
    ApprovalStep.objects.bulk_create(
        ApprovalStep(request=change, **step) for step in policy.steps_as_json(decision)
    )
    _open_next(change)
    change.save()
    log(change, "submitted", by, policies=decision.names)
    return change


def _open_next(change: ChangeRequest) -> bool:
    """Open the lowest order that still waits; False when every step is done."""
    waiting = change.steps.filter(state="waiting").order_by("order").first()
    if waiting is None:
        return False
    now = timezone.now()
    for step in change.steps.filter(order=waiting.order):
        step.state, step.due_at = "open", now + timedelta(hours=step.sla_hours)
        step.save()
    change.due_at = min(step.due_at for step in change.steps.filter(state="open") if step.due_at)
    return True


def lock(change: ChangeRequest) -> ChangeRequest:
    return ChangeRequest.objects.select_for_update().get(pk=change.pk)


def why_not(change: ChangeRequest, action: str, by: Actor) -> tuple[type[Exception], str] | None:
    """None when the person may do this now, else the error it would be and the reason in words."""
    state = STATES[change.state]
    if action not in state.actions:
        return NotNow, f"This request is {state.title.lower()}: {state.next}"
    if action == "comment" or by.kind == "system":
        return None
    sides = {seat.person_id: seat.side for seat in change.participants.all()}
    side = sides.get(by.user.pk) if by.user else None
    if action in ("approve", "reject", "return"):
        if side == "maker":
            return FourEyes, "You made or edited this request, so somebody else must decide."
        if not may(by, "approve"):
            return NotAllowed, "You do not have the right to approve."
        step = _open_step(change, by)
        if step is None:
            roles = ", ".join(
                sorted({s.role.replace("_", " ") for s in change.steps.all() if s.state == "open"})
            )
            return NotAllowed, f"The open step asks for: {roles}."
        if action == "approve" and _live(change, by):
            return AlreadyDone, "You already approved this request."
    elif action in ("edit", "resolve") and side == "checker":
        return FourEyes, "You already decided on this request, so somebody else must change it."
    elif action in ("edit", "submit", "withdraw") and side != "maker" and not may(by, "steward"):
        return NotAllowed, "Only its requester or a steward may do this."
    elif action == "revert" and change.kind in ("merge", "load"):
        return NotNow, "A merge or a load is not reverted as a whole."
    return None


def _open_step(change: ChangeRequest, by: Actor) -> ApprovalStep | None:
    roles = roles_of(by.user)
    mine = [s for s in change.steps.all() if s.state == "open" and may_take(s.role, roles)]
    return min(
        mine, key=lambda step: step.role not in roles, default=None
    )  # one's own role before standing in


def _live(change: ChangeRequest, by: Actor) -> bool:
    return any(
        a.participant.person_id == (by.user.pk if by.user else None)
        and a.lapsed_at is None
        and a.verdict == "approve"
        for a in change.approvals.all()
    )


def require(change: ChangeRequest, action: str, by: Actor) -> None:
    refusal = why_not(change, action, by)
    if refusal:
        raise refusal[0](refusal[1])


def allowed_actions(change: ChangeRequest, by: Actor) -> list[dict[str, Any]]:
    """Every action with whether it is allowed and, if not, why: what buttons and the API show."""
    result = []
    for action in (
        "approve",
        "reject",
        "return",
        "edit",
        "submit",
        "withdraw",
        "resolve",
        "revert",
        "comment",
    ):
        refusal = why_not(change, action, by)
        result.append(
            {"action": action, "allowed": refusal is None, "why_not": refusal[1] if refusal else ""}
        )
    return result


def _seen(change: ChangeRequest, content_hash: str) -> None:
    if not content_hash:
        raise CorrectInput("Send the content hash of what you saw, so that nothing else is approved.")
    if content_hash != change.content_hash:
        raise Reload("This request was changed after you opened it. Read it again, then decide.")


def _verdict(change: ChangeRequest, by: Actor, verdict: str, comment: str) -> ApprovalStep:
    """Seat the person as checker and record the verdict; the database refuses a maker here as well."""
    assert by.user is not None
    step = _open_step(change, by)
    assert step is not None
    seat, _ = Participant.objects.get_or_create(request=change, person=by.user, defaults={"side": "checker"})
    if seat.side != "checker":
        raise FourEyes("You made or edited this request, so somebody else must decide.")
    Approval.objects.create(
        request=change,
        step=step,
        participant=seat,
        verdict=verdict,
        comment=comment,
        content_hash=change.content_hash,
    )
    return step


@transaction.atomic
def approve(*, change: ChangeRequest, by: Actor, content_hash: str, comment: str = "") -> ChangeRequest:
    """Sign what was seen. The last approval needed applies the request in the same transaction."""
    change = lock(change)
    require(change, "approve", by)
    _seen(change, content_hash)
    step = _verdict(change, by, "approve", comment)
    log(change, "approved", by, step=step.order, role=step.role, content_hash=content_hash)
    if step.approvals.filter(verdict="approve", lapsed_at=None).count() >= step.quorum:
        step.state = "done"
        step.save()
    if change.steps.filter(state="open").exists():
        return change
    if _open_next(change):
        change.save()
        return change
    change.state, change.decided_at, change.due_at = "approved", timezone.now(), None
    change.save()
    return applying.apply(change=change, by=by)


@transaction.atomic
def reject(*, change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> ChangeRequest:
    """Say no for good; needs a reason."""
    return _turn_down(change, by, "reject", "rejected", content_hash, comment)


@transaction.atomic
def send_back(*, change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> ChangeRequest:
    """Return it to its requester with what is missing."""
    return _turn_down(change, by, "return", "returned", content_hash, comment)


def _turn_down(
    change: ChangeRequest, by: Actor, action: str, state: str, content_hash: str, comment: str
) -> ChangeRequest:
    change = lock(change)
    require(change, action, by)
    _seen(change, content_hash)
    if not comment.strip():
        raise CorrectInput("Say why, so that its requester knows what to do.")
    _verdict(change, by, action, comment)
    change.state, change.due_at = state, None
    change.decided_at = timezone.now() if state == "rejected" else None
    lapse(change)
    change.save()
    log(change, state, by, comment=comment)
    return change


def lapse(change: ChangeRequest) -> None:
    """Approvals given so far no longer count: the content they signed is gone or turned down."""
    change.approvals.filter(lapsed_at=None).update(lapsed_at=timezone.now())


@transaction.atomic
def withdraw(*, change: ChangeRequest, by: Actor, comment: str = "") -> ChangeRequest:
    change = lock(change)
    require(change, "withdraw", by)
    change.state, change.due_at, change.decided_at = "withdrawn", None, timezone.now()
    change.save()
    log(change, "withdrawn", by, comment=comment)
    return change


@transaction.atomic
def edit(
    *,
    change: ChangeRequest,
    by: Actor,
    items: Iterable[ProposedItem] | None = None,
    title: str | None = None,
    reason: str | None = None,
    effective_on: date | None = None,
) -> ChangeRequest:
    """Change what is asked for. The editor becomes a maker, approvals of the old content lapse, review starts again."""
    change = lock(change)
    require(change, "edit", by)
    _make(change, by)
    change.title, change.reason = title or change.title, reason if reason is not None else change.reason
    change.effective_on = effective_on or change.effective_on
    if items is not None:
        built = proposing.build(items)
        change.items.all().delete()
        _store(change, built)
        change.kind = proposing.kind_of([part.item for part in built])
    else:
        change.content_hash = proposing.content_hash(change.items.all(), change.effective_on)
    return _restart(change, by, "edited")


def _restart(change: ChangeRequest, by: Actor, action: str) -> ChangeRequest:
    lapse(change)
    change.edits += 1
    reviewing = change.state in ("in_review", "conflicted")
    change.state = "returned" if reviewing else change.state
    change.save()
    log(change, action, by, content_hash=change.content_hash)
    return submit_request(change=change, by=by) if reviewing else change


@transaction.atomic
def resolve(*, change: ChangeRequest, by: Actor, choices: dict[str, str]) -> ChangeRequest:
    """Settle conflicts: `{"<item position>/<path>" or path: "proposed" | "current"}` for every conflicting path."""
    change = lock(change)
    require(change, "resolve", by)
    _make(change, by)
    for item in change.items.all():
        for conflict in item.conflicts:
            choice = choices.get(f"{item.position}/{conflict['path']}") or choices.get(conflict["path"])
            if choice not in ("proposed", "current"):
                raise CorrectInput(f"Choose a value for {registry.get(item.type).label(conflict['path'])}.")
            item.changes = [
                c | {"before": conflict["current"]} if c["path"] == conflict["path"] else c
                for c in item.changes
                if c["path"] != conflict["path"] or choice == "proposed"
            ]
        item.conflicts = []
        item.base_version = applying.current_version(item)
        item.save()
    change.content_hash = proposing.content_hash(change.items.all(), change.effective_on)
    return _restart(change, by, "resolved")


@transaction.atomic
def revert(*, change: ChangeRequest, by: Actor, reason: str) -> ChangeRequest:
    """Propose the inverse of an applied request; nothing is erased."""
    require(change, "revert", by)
    items = []
    for item in change.items.all():
        if item.action == "create":
            items.append(ProposedItem(type=item.type, action="retire", uid=str(item.uid)))
        elif item.action in ("block", "unblock"):
            opposite = "unblock" if item.action == "block" else "block"
            items.append(ProposedItem(type=item.type, action=opposite, uid=str(item.uid)))
        else:
            back = [
                Change(c["path"], c["after"], c["before"])
                for c in item.changes
                if not same(c["before"], c["after"])
            ]
            items.append(ProposedItem(type=item.type, uid=str(item.uid), changes=back))
    words = f"Undo of {change.number}. {reason}".strip()
    return propose(
        items=items,
        by=by,
        title=f"Undo {change.title[:1].lower()}{change.title[1:]}",
        reason=words,
        reverts=change,
    )


@transaction.atomic
def comment(*, change: ChangeRequest, by: Actor, text: str) -> Comment:
    if not text.strip() or by.user is None:
        raise CorrectInput("Write something first.")
    row = Comment.objects.create(request=change, author=by.user, text=text.strip()[:5000])
    log(change, "commented", by)
    return row


def apply_due(*, by: Actor) -> int:
    """Apply scheduled requests whose date has come; each in its own transaction."""
    due = ChangeRequest.objects.filter(state="scheduled", effective_on__lte=timezone.localdate())
    for change in due.order_by("effective_on", "pk")[:200]:
        with transaction.atomic():
            locked = lock(change)
            if locked.state == "scheduled":
                locked.state = "approved"
                locked.save()
                applying.apply(change=locked, by=by)
    return len(due)
