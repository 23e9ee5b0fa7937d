"""Deciding on a request: who may do what now, and the verdicts of its checkers. Called through `changes`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from mdm.errors import AlreadyDone, CorrectInput, FourEyes, NotAllowed, NotNow, Reload
from mdm.models import Approval, ApprovalStep, ChangeRequest, Participant
from mdm.models.change import STATES
from mdm.permissions import may, may_take, roles_of
from mdm.services import applying, audit
from mdm.types import Actor

NOT_REVERTED = {
    "merge": "A merge is undone by an unmerge, which shows first what goes back.",
    "unmerge": "Merge the records again instead; a steward lifts the block first.",
    "load": "A load is not reverted as a whole.",
    "rules": "Rules are changed back by proposing the former ones.",
    "sources": "These values follow the sources: pin one, or change the rule.",
    "detach": "Link it again by merging the two records.",
}


def log(change: ChangeRequest, action: str, by: Actor, **detail: Any) -> None:
    audit.record(
        action=f"request.{action}",
        by=by,
        object_type="change_request",
        object_uid=change.uid,
        object_label=str(change),
        detail=detail,
    )


def lock(change: ChangeRequest) -> ChangeRequest:
    return ChangeRequest.objects.select_for_update().get(pk=change.pk)


def lapse(change: ChangeRequest) -> None:
    """Approvals given so far no longer count: the content they signed is gone or turned down."""
    change.approvals.filter(lapsed_at=None).update(lapsed_at=timezone.now())


def open_next(change: ChangeRequest) -> bool:
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
            roles = ", ".join(sorted({s.role.replace("_", " ") for s in change.steps.all() if s.state == "open"}))
            return NotAllowed, f"The open step asks for: {roles}."
        if action == "approve" and _live(change, by):
            return AlreadyDone, "You already approved this request."
    elif action in ("edit", "resolve") and side == "checker":
        return FourEyes, "You already decided on this request, so somebody else must change it."
    elif action in ("edit", "submit", "withdraw") and side != "maker" and not may(by, "steward"):
        return NotAllowed, "Only its requester or a steward may do this."
    elif action == "revert" and change.kind in NOT_REVERTED:
        return NotNow, NOT_REVERTED[change.kind]
    elif action == "unmerge" and change.kind != "merge":
        return NotNow, "Only a merge is undone this way."
    elif action == "edit" and change.kind == "rules":
        return NotNow, "What it asks for is made elsewhere: withdraw it and propose again."
    return None


def _open_step(change: ChangeRequest, by: Actor) -> ApprovalStep | None:
    roles = roles_of(by.user)
    mine = [s for s in change.steps.all() if s.state == "open" and may_take(s.role, roles)]
    return min(mine, key=lambda step: step.role not in roles, default=None)  # one's own role before standing in


def _live(change: ChangeRequest, by: Actor) -> bool:
    return any(
        a.participant.person_id == (by.user.pk if by.user else None) and a.lapsed_at is None and a.verdict == "approve"
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
        "unmerge",
        "comment",
    ):
        refusal = why_not(change, action, by)
        result.append({"action": action, "allowed": refusal is None, "why_not": refusal[1] if refusal else ""})
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
    if open_next(change):
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
