"""Who has decided and who may: the approval track, what happens next, and the bar with the decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm.models import Approval, ApprovalStep, ChangeRequest
from mdm.models.change import STATES
from mdm.permissions import may_take, roles_of
from mdm.services import changes
from mdm.types import Actor
from mdm.web.deadlines import due
from mdm.web.page import Confirm, Part, Rich, Step
from mdm.web.review import words
from mdm.web.values import day

SEES_NOT = "This request changes data of companies you may not see, so somebody else must decide."


def permitted(change: ChangeRequest, by: Actor, *, sees_all: bool) -> dict[str, tuple[bool, str]]:
    """{action: (allowed, why not)}; what somebody cannot see in full they cannot decide."""
    found = {a["action"]: (a["allowed"], a["why_not"]) for a in changes.allowed_actions(change, by)}
    if not sees_all:
        for action in ("approve", "reject", "return", "resolve", "revert", "unmerge", "edit"):
            if found[action][0]:
                found[action] = (False, SEES_NOT)
    return found


# --- the track ------------------------------------------------------------------------------------------------


def track(change: ChangeRequest, by: Actor) -> list[Step]:
    made = change.submitted_at or change.created_at
    first = "Drafted" if change.state == "draft" else "Submitted"
    steps = [Step(title=first, who=words.requester(change), at=made, state="done", quote=change.reason)]
    listed = list(change.steps.all())
    if not listed and change.policies and change.submitted_at and change.state not in ("draft", "returned"):
        steps.append(
            Step(title="Approved by policy", body=", ".join(change.policies), at=change.decided_at, state="done")
        )
    for step in listed:
        steps += [_vote(step, vote) for vote in step.approvals.all()]
        if step.state != "done" and change.state not in ("rejected", "withdrawn", "expired", "returned"):
            steps.append(_pending(change, step, by))
    return [*steps, *_end(change)]


def _vote(step: ApprovalStep, vote: Approval) -> Step:
    title = words.role_title(step.role)
    who, signed = vote.participant.person, Part(text=vote.content_hash[:8], mono=True)
    if vote.verdict != "approve":
        verb = "rejected it" if vote.verdict == "reject" else "returned it"
        return Step(title=f"{title} {verb}", who=who, at=vote.at, quote=vote.comment, state="refused")
    if vote.lapsed_at:
        text = "no longer counts: the request was changed afterwards"
        return Step(title=title, who=who, at=vote.at, body=text, quote=vote.comment, state="lapsed")
    return Step(title=title, who=who, at=vote.at, body=["signed ", signed], quote=vote.comment, state="done")


def _pending(change: ChangeRequest, step: ApprovalStep, by: Actor) -> Step:
    title = words.role_title(step.role)
    given = sum(vote.verdict == "approve" and vote.lapsed_at is None for vote in step.approvals.all())
    parts: list[str] = []
    if step.quorum > 1:
        parts.append(f"{given} of {step.quorum} given")
    if step.state == "open" and (at := due(step.due_at)):
        parts.append(f"due {at.text}" if "late" not in at.text else at.text)
    mine = step.state == "open" and changes.why_not(change, "approve", by) is None
    mine = mine and may_take(step.role, roles_of(by.user))
    return Step(
        title=f"{title}: you" if mine else title,
        body=" · ".join(parts),
        state="now" if step.state == "open" else "open",
    )


def _end(change: ChangeRequest) -> list[Step]:
    if change.state == "applied":
        return [Step(title="Applied", at=change.applied_at, state="done")]
    if change.state == "scheduled":
        return [Step(title="Applied", body=f"on {day(change.effective_on)}", state="now")]
    if change.state == "conflicted":
        return [
            Step(title="Conflict", body="Others changed the same fields. Somebody chooses what holds.", state="now")
        ]
    if change.state in ("withdrawn", "expired"):
        return [Step(title=STATES[change.state].title, at=change.decided_at, state="lapsed")]
    if change.state in ("rejected", "returned"):
        return []
    when = f"on {day(change.effective_on)}" if change.effective_on else "as soon as the last approval is given"
    return [Step(title="Applied", body=when, state="open")]


# --- what happens next ----------------------------------------------------------------------------------------


def needed(change: ChangeRequest) -> list[list[ApprovalStep]]:
    """Steps still to be decided, those side by side together, in their order."""
    waiting = [step for step in change.steps.all() if step.state != "done"]
    return [[step for step in waiting if step.order == order] for order in sorted({s.order for s in waiting})]


def next_words(change: ChangeRequest, permits: Mapping[str, tuple[bool, str]]) -> Rich:
    """One sentence: who acts now, and what follows."""
    if change.state != "in_review":
        if change.state == "scheduled":
            return f"it is applied on {day(change.effective_on)}."
        text = STATES[change.state].next
        return text[:1].lower() + text[1:]
    groups = needed(change)
    if not groups:
        return "it is being applied."
    roles = [" and ".join(words.role_title(step.role) for step in group) for group in groups]
    first = "you decide" if permits["approve"][0] else f"{roles[0]} decides"
    after = [f"then {role}" for role in roles[1:]]
    last = f"then it is applied on {day(change.effective_on)}" if change.effective_on else "then it is applied"
    return ", ".join([first, *after, last]) + "."


# --- the bar --------------------------------------------------------------------------------------------------

_RETURN = Confirm(
    title="Return this request",
    body="Its requester changes it and sends it again. Approvals given so far no longer count.",
    button="Return request",
    reason_label="What is missing?",
)
_REJECT = Confirm(
    title="Reject this request",
    body="This is final: the record stays as it is. A new request can be made.",
    button="Reject request",
    reason_label="Why?",
    danger=True,
)
_WITHDRAW = Confirm(
    title="Withdraw this request",
    body="Nobody decides on it any more, and nothing changes.",
    button="Withdraw request",
    reason_label="Why? (optional)",
    reason_required=False,
    danger=True,
)
_BUTTONS: dict[str, dict[str, Any]] = {
    "withdraw": {"label": "Withdraw", "icon": "x", "style": "", "confirm": _WITHDRAW},
    "return": {"label": "Return", "icon": "undo", "key": "r", "style": "", "confirm": _RETURN},
    "reject": {"label": "Reject", "icon": "no", "key": "e", "style": "danger", "confirm": _REJECT},
    "approve": {"label": "Approve change", "icon": "check", "key": "a", "style": "primary", "confirm": None},
    "submit": {"label": "Send for approval", "icon": "send", "key": "a", "style": "primary", "confirm": None},
}


def decision(
    change: ChangeRequest, permits: Mapping[str, tuple[bool, str]], *, url: str, comment: str = ""
) -> dict[str, Any] | None:
    """The bar; None when there is nothing left to decide."""
    offered = [name for name in _BUTTONS if name in STATES[change.state].actions]
    allowed = [name for name in offered if permits[name][0]]
    if not offered:
        return None
    # Makers see that they cannot approve and why; others are not shown what only makers do.
    shown = allowed or [name for name in ("approve", "submit") if name in offered]
    if "withdraw" in shown and "approve" in shown:
        shown = [name for name in shown if name != "withdraw"]
    return {
        "url": url,
        "content_hash": change.content_hash,
        "comment": comment,
        "text": _bar_words(change, permits, allowed),
        "actions": [
            {"name": name, **_BUTTONS[name], "allowed": permits[name][0], "why_not": permits[name][1]} for name in shown
        ],
    }


def _bar_words(change: ChangeRequest, permits: Mapping[str, tuple[bool, str]], allowed: list[str]) -> Rich:
    if "approve" in allowed:
        return _after_approval(change)
    if change.state == "in_review":
        return permits["approve"][1]
    if "submit" in allowed:
        return "Sending it asks its approvers to decide."
    return permits["submit"][1] if change.state in ("draft", "returned") else STATES[change.state].next


def _after_approval(change: ChangeRequest) -> Rich:
    groups = needed(change)
    open_ = groups[0] if groups else []
    left = sum(max(step.quorum - _given(step), 0) for step in open_) - 1
    if left > 0:
        return f"Approving counts one; {left} more {'is' if left == 1 else 'are'} needed in this step."
    if len(groups) > 1:
        onward = " and ".join(words.role_title(step.role) for step in groups[1])
        return ["Approving passes it to ", Part(text=onward, strong=True), "."]
    if change.effective_on:
        return f"Approving lets it hold from {day(change.effective_on)}."
    return "Approving applies it at once and sends it to the targets."


def _given(step: ApprovalStep) -> int:
    return sum(vote.verdict == "approve" and vote.lapsed_at is None for vote in step.approvals.all())
