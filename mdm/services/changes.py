"""The one write path: propose, review, decide, apply. Every door (web, REST, admin, import, command line) calls this."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import Enum
from typing import Any

from django.db import transaction
from django.utils import timezone

from mdm import correlation, registry
from mdm.errors import CorrectInput, FourEyes, NotAllowed
from mdm.models import ApprovalStep, ChangeItem, ChangeRequest, Comment, Participant
from mdm.permissions import entities_of, may
from mdm.selectors import records, request_items, three_way
from mdm.services import applying, policy, proposing, retiring, uniqueness, whole_request
from mdm.services.deciding import (
    allowed_actions,
    approve,
    lapse,
    lock,
    log,
    open_next,
    reject,
    require,
    send_back,
    why_not,
)
from mdm.services.proposing import Built, ProposedItem
from mdm.types import Actor, Change, Problem, diff, same

__all__ = [
    "KEEP",
    "ProposedItem",
    "allowed_actions",
    "apply_due",
    "approve",
    "comment",
    "edit",
    "propose",
    "reject",
    "resolve",
    "revert",
    "send_back",
    "submit_request",
    "why_not",
    "withdraw",
]


class KeepType(Enum):
    """“As it is”, where None already says something else."""

    KEEP = "keep"


KEEP = KeepType.KEEP


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
            raise NotAllowed(f"You may not propose changes to {kind.nouns}.")
    built = proposing.build(listed, effective_on=effective_on, entities=entities_of(by.user))
    stored = [part.item for part in built]
    for key in sorted({item.type for item in stored}):  # a plan brings records of other types along
        if not may(by, f"propose:{registry.get(key).path}"):
            raise NotAllowed(f"You may not propose changes to {registry.get(key).nouns}.")
    change = ChangeRequest.objects.create(
        title=(title or whole_request.title_of(stored))[:300],
        reason=reason,
        kind=whole_request.kind_of(stored),
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
    change.content_hash = whole_request.content_hash([part.item for part in built], change.effective_on)
    change.risk_flags = whole_request.risks(built)
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
    if built is None:  # a draft may have lain for long
        proposing.check_across(parts)
        proposing.check_left_behind(parts, change.effective_on, entities=entities_of(by.user))
    change.risk_flags = whole_request.risks(parts)
    flags = [flag["code"] for flag in change.risk_flags]
    facts = [policy.facts_of(p.item, origin=change.origin, system=system, current=p.before, flags=flags) for p in parts]
    # What sources close by themselves while others use it is for people, though policy lets sources speak otherwise.
    decision = policy.decide(facts, people=change.origin == "survivorship" and retiring.RISK in flags)
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
    ApprovalStep.objects.bulk_create(ApprovalStep(request=change, **step) for step in policy.steps_as_json(decision))
    open_next(change)
    change.save()
    log(change, "submitted", by, policies=decision.names)
    return change


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
    effective_on: date | None | KeepType = KEEP,
) -> ChangeRequest:
    """Change what is asked for. The editor becomes a maker, approvals of the old content lapse, review starts again.

    What is not given stays; an `effective_on` of None takes the date away: it applies as soon as it is approved.
    """
    change = lock(change)
    require(change, "edit", by)
    _make(change, by)
    change.title, change.reason = title or change.title, reason if reason is not None else change.reason
    if not isinstance(effective_on, KeepType):
        change.effective_on = effective_on
    if items is not None:
        built = proposing.build(items, effective_on=change.effective_on, entities=entities_of(by.user))
        change.items.all().delete()
        _store(change, built)
        change.kind = whole_request.kind_of([part.item for part in built])
    else:
        change.content_hash = whole_request.content_hash(change.items.all(), change.effective_on)
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
        chosen: dict[str, str] = {}
        for conflict in item.conflicts:
            choice = choices.get(f"{item.position}/{conflict['path']}") or choices.get(conflict["path"])
            if choice not in ("proposed", "current"):
                raise CorrectInput(f"Choose a value for {registry.get(item.type).label(conflict['path'])}.")
            chosen[conflict["path"]] = choice
            if conflict["path"] == "plan":
                _plan_again(change, item, choice, by)
            item.changes = [
                c | {"before": conflict["current"]} if c["path"] == conflict["path"] else c
                for c in item.changes
                if choice == "proposed" or not f"{conflict['path']}/".startswith(f"{c['path']}/")
            ]
        if registry.get(item.type).periods and item.base_version:
            item.changes = _on_what_is_there(item, chosen)
        item.conflicts = []
        item.base_version = applying.current_version(item)
        item.save()
    change.content_hash = whole_request.content_hash(change.items.all(), change.effective_on)
    return _restart(change, by, "resolved")


def _plan_again(change: ChangeRequest, item: ChangeItem, choice: str, by: Actor) -> None:
    """Others began to use what leaves: the plan is carried out for them too, or they are counted among those left behind."""
    if choice != "proposed":
        raise CorrectInput("It stays in use when this request is withdrawn: withdraw it.")
    known = proposing.rebuild(change)
    part = next(one for one in known if one.item.pk == item.pk)
    part.item = item
    if not item.detail.get("plan"):
        raise CorrectInput("It has no plan yet: withdraw this request and propose it again, with a plan.")
    together = [*known]
    entities = entities_of(by.user)
    proposing.repoint(part, together, uniqueness.Together(), entities)
    new = [one.item for one in together[len(known) :]]
    for one in new:
        one.request = change
    ChangeItem.objects.bulk_create(new, batch_size=1000)
    proposing.check_left_behind(together, change.effective_on, note=True, entities=entities)


def _on_what_is_there(item: ChangeItem, chosen: dict[str, str]) -> list[dict[str, Any]]:
    """What an item asks for as changes of the dated record as it is now, its periods as they were chosen."""
    kind, now = registry.get(item.type), records.current_document(item.type, item.uid)
    base = request_items.versions([(item.uid, item.base_version)]).get((str(item.uid), item.base_version))
    settle = three_way.settled_by(kind, chosen.items())
    after, _ = three_way.together(kind, [Change(**c) for c in item.changes], base, now, settle=settle)
    return [change.as_json() for change in diff(now, after) if change.path not in kind.derived]


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
        elif registry.get(item.type).periods:
            items.append(_days_back(item))
        else:
            back = [
                Change(c["path"], c["after"], c["before"]) for c in item.changes if not same(c["before"], c["after"])
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


def _days_back(item: ChangeItem) -> ProposedItem:
    """The inverse of a change of a dated record, day by day: what others changed since stays, what they changed again of
    the same is told instead of being lost."""
    kind, now = registry.get(item.type), records.current_document(item.type, item.uid)
    made = int(item.result_version or 0)
    seen = request_items.versions([(item.uid, made), (item.uid, made - 1)])
    applied, before = seen[str(item.uid), made], seen[str(item.uid), made - 1]
    back = [change for change in diff(applied, before) if change.path not in kind.derived]
    after, clashes = three_way.together(kind, back, applied, now)
    if clashes:
        words = "; ".join(f"{kind.label(clash['path'])} is {clash['current']} by now" for clash in clashes[:3])
        problems = [Problem(clash["path"], "changed_since", f"It is {clash['current']} by now.") for clash in clashes]
        text = (
            f"{item.label} was changed again since: {words}. Undo that request first, or propose the change you want."
        )
        raise CorrectInput(text, problems=problems)
    wanted = [change for change in diff(now, after) if change.path not in kind.derived]
    return ProposedItem(type=item.type, uid=str(item.uid), changes=wanted, base_version=now["version"])


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
    found = list(due.order_by("effective_on", "pk")[:200])
    for change in found:
        with transaction.atomic():
            locked = lock(change)
            if locked.state == "scheduled":
                locked.state = "approved"
                locked.save()
                applying.apply(change=locked, by=by)
    return len(found)
