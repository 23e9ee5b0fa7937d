"""What waits for whom: requests somebody may decide, what they sent, what the whole team has open."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from mdm.models import ApprovalStep, ChangeRequest, Participant
from mdm.models.change import OPEN_STATES
from mdm.permissions import STANDS_IN, roles_of
from mdm.types import Actor


def _takeable(by: Actor) -> list[str]:
    roles = roles_of(by.user)
    return [role for role, stand_ins in STANDS_IN.items() if not stand_ins.isdisjoint(roles)]


def mine(by: Actor) -> QuerySet[ChangeRequest]:
    """In review, an open step of a role I may take, not made by me, not decided by me; plus what was returned to me."""
    step = ApprovalStep.objects.filter(request=OuterRef("pk"), state="open", role__in=_takeable(by))
    seat = Participant.objects.filter(request=OuterRef("pk"), person=by.user)
    decided = seat.filter(side="checker", approvals__lapsed_at=None, approvals__verdict="approve")
    waiting = ChangeRequest.objects.filter(
        Exists(step), ~Exists(seat.filter(side="maker")), ~Exists(decided), state="in_review"
    )
    back = ChangeRequest.objects.filter(requester=by.user, state__in=("returned", "draft", "conflicted"))
    return (waiting | back).order_by("due_at", "pk")


def team(by: Actor) -> QuerySet[ChangeRequest]:
    """Everything open that waits for a person."""
    return ChangeRequest.objects.filter(state__in=("in_review", "returned", "conflicted")).order_by("due_at", "pk")


def sent(by: Actor) -> QuerySet[ChangeRequest]:
    return ChangeRequest.objects.filter(requester=by.user).order_by("-pk")


def everything(by: Actor) -> QuerySet[ChangeRequest]:
    return ChangeRequest.objects.order_by("-pk")


TABS: dict[str, Any] = {"mine": mine, "team": team, "sent": sent, "all": everything}


def with_steps(queryset: QuerySet[ChangeRequest]) -> QuerySet[ChangeRequest]:
    """With what a row shows, in a fixed number of queries."""
    return queryset.prefetch_related(
        Prefetch("steps", queryset=ApprovalStep.objects.order_by("order", "role")), "participants"
    ).select_related("requester")


def open_for(type_key: str, uid: Any) -> QuerySet[ChangeRequest]:
    """Open requests that touch this record."""
    return ChangeRequest.objects.filter(items__type=type_key, items__uid=uid, state__in=OPEN_STATES).distinct()


def count_mine(by: Actor) -> int:
    return mine(by).count()
