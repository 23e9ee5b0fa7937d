"""The inbox as values: tabs, kinds, rows grouped by when they are due, and what may be approved together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from mdm.models import ChangeRequest
from mdm.selectors import keyset, request_items, worklist
from mdm.services import changes
from mdm.types import Actor
from mdm.web import visitor
from mdm.web.deadlines import GROUPS, due, group_of
from mdm.web.page import Action, Confirm, Empty, Item, Link
from mdm.web.review import words
from mdm.web.tables import Pager
from mdm.web.values import age

SIZE = 50
TABS = (("mine", "Mine"), ("team", "Team"), ("sent", "Sent"), ("all", "All"))
ROUTINE = ("create", "change")  # kinds that may be approved together when nothing about them is risky
_EMPTY = {
    "mine": Empty(title="Nothing waits for you", text="New requests appear here as soon as it is your turn."),
    "team": Empty(title="Nothing is open", text="Every request has been decided."),
    "sent": Empty(title="You have not sent any request yet", text="Open a record and propose a change.", icon="send"),
    "all": Empty(
        title="There are no requests yet", text="They appear here once somebody proposes a change.", icon="inbox"
    ),
}


def rows(request: HttpRequest, tab: str, kind: str = "") -> QuerySet[ChangeRequest]:
    seen = visitor.requests_seen(request).values("pk")
    found = worklist.TABS[tab](visitor.actor(request)).filter(pk__in=seen)
    return found.filter(kind=kind) if kind else found


def tabs(request: HttpRequest, current: str) -> list[Link]:
    counts = {tab: rows(request, tab).count() for tab in ("mine", "team")}
    base = reverse("web:inbox")
    return [Link(title, f"{base}?tab={key}", counts.get(key), key == current) for key, title in TABS]


def kinds(request: HttpRequest, tab: str, current: str) -> list[Link]:
    """Kinds that occur, with their numbers where the list is short by nature."""
    base = f"{reverse('web:inbox')}?tab={tab}"
    if tab in ("sent", "all"):
        counted: dict[str, int | None] = dict.fromkeys(words.KINDS)
        total = None
    else:
        found = rows(request, tab).order_by().values_list("kind").annotate(many=Count("pk"))
        counted = dict(found)
        total = sum(number or 0 for number in counted.values())
    order = [kind for kind in (*words.KINDS, *counted) if kind in counted]
    links = [Link("All kinds", base, total, not current)]
    return [
        *links,
        *(
            Link(words.kind_title(kind), f"{base}&kind={kind}", counted[kind], kind == current)
            for kind in dict.fromkeys(order)
        ),
    ]


def page(request: HttpRequest, tab: str, kind: str) -> keyset.Slice:
    found = worklist.with_steps(rows(request, tab, kind).order_by()).prefetch_related("approvals__participant")
    newest = tab in ("sent", "all")
    order = () if newest else ("due_at",)
    return keyset.cut(found, order=order, size=SIZE, cursor=request.GET.get("cursor", ""), falling=newest)


def pager(request: HttpRequest, part: keyset.Slice) -> Pager | None:
    if not part.next and not part.previous:
        return None
    return Pager(
        summary=f"{len(part.rows)} shown",
        previous=visitor.changed_query(request, cursor=part.previous) if part.previous else "",
        next=visitor.changed_query(request, cursor=part.next) if part.next else "",
    )


def groups(request: HttpRequest, tab: str, listed: Sequence[ChangeRequest], current: int) -> list[dict[str, Any]]:
    grouped: dict[str, list[Item]] = {}
    for change in listed:
        title = group_of(change.due_at) if tab in ("mine", "team") else _since(change)
        grouped.setdefault(title, []).append(item(change, url=item_url(request, change), current=current))
    order = [*GROUPS, *(title for title in grouped if title not in GROUPS)]
    return [{"title": title, "items": grouped[title]} for title in order if title in grouped]


def _since(change: ChangeRequest) -> str:
    days = (timezone.localdate() - timezone.localtime(change.created_at).date()).days
    return "Today" if days <= 0 else "This week" if days < 7 else "Earlier"


def item_url(request: HttpRequest, change: ChangeRequest) -> str:
    query = visitor.changed_query(
        request, request=str(request_items.number_of(change)), cursor=request.GET.get("cursor") or None
    )
    return reverse("web:inbox") + query


def item(change: ChangeRequest, *, url: str, current: int = 0) -> Item:
    tone, spoken = words.worst(change)
    icon = "flag" if tone == "red" else words.KINDS.get(change.kind, ("", "file"))[1]
    steps = words.step_words(list(change.steps.all()))
    waited = age((timezone.now() - (change.submitted_at or change.created_at)).total_seconds(), short=True)
    reviewing = change.state == "in_review"
    return Item(
        url=url,
        title=change.title,
        icon=icon,
        tone=tone,
        tone_label=spoken,
        meta=f"{words.kind_title(change.kind)} · {change.requester_name} · {waited}",
        end=steps if reviewing else change.get_state_display(),
        due=due(change.due_at) if reviewing else None,
        current=request_items.number_of(change) == current,
    )


def empty(tab: str, kind: str) -> Empty:
    if not kind:
        return _EMPTY[tab]
    every = Action(label="Show all kinds", url=f"{reverse('web:inbox')}?tab={tab}")
    return Empty(title=f"No request of the kind “{words.kind_title(kind)}” here", actions=[every])


def routine(listed: Sequence[ChangeRequest], by: Actor) -> list[ChangeRequest]:
    """What may be approved together: new records and plain changes without a flag, where it is this person's turn."""
    return [
        change
        for change in listed
        if change.state == "in_review"
        and change.kind in ROUTINE
        and not change.risk_flags
        and changes.why_not(change, "approve", by) is None
    ]


def bulk_action(request: HttpRequest, listed: Sequence[ChangeRequest]) -> list[Action]:
    """Approve everything harmless on this page; each approval signs the content listed here."""
    if not may_approve(request):
        return []
    found = routine(listed, visitor.actor(request))
    if not found:
        why = "None of these is a plain change without a risk flag that waits for you."
        return [Action(label="Approve routine requests", icon="check", allowed=False, why_not=why)]
    titles = "; ".join(change.title for change in found[:5]) + (
        f"; and {len(found) - 5} more" if len(found) > 5 else ""
    )
    many = f"{len(found)} request{'s' * (len(found) > 1)}"
    confirm = Confirm(
        title=f"Approve {many}?",
        body=f"{titles}. None has a risk flag or touches a bank account. Each is approved by itself, as it is listed now.",
        button=f"Approve {many}",
    )
    signed = ",".join(f"{request_items.number_of(change)}:{change.content_hash}" for change in found)
    return [
        Action(
            label=f"Approve {len(found)} routine request{'s' * (len(found) > 1)}",
            name="approve-routine",
            url=reverse("web:inbox-approve"),
            icon="check",
            method="post",
            fields={"signed": signed, "next": request.get_full_path()},
            confirm=confirm,
        )
    ]


def may_approve(request: HttpRequest) -> bool:
    return "approve" in visitor.actor(request).scopes
