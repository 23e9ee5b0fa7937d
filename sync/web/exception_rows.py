"""One exception as a row: who looks after it, until when, and everything that can be done about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse

from mdm import permissions, registry
from mdm.models import ChangeRequest
from mdm.web import deadlines, people, visitor
from mdm.web.page import Action, Badge, Confirm, Part, Rich
from mdm.web.pointers import request_url
from mdm.web.tables import Cell, Column, Field, Option, Row
from sync.models import ExceptionItem
from sync.selectors import exception_views
from sync.web import doors

Proposals = Mapping[tuple[str, UUID], ChangeRequest]
FORM = "exceptions-form"
COLUMNS = (
    Column(label="Record"),
    Column(label="Looked after by", priority=1),
    Column(label="Due"),
    Column(label="Since", priority=2),
    Column(label="Actions", hidden_label=True, tight=True),
)
LIST_COLUMNS = (
    Column(label="Record"),
    Column(label="Target"),
    Column(label="Words of the platform", priority=1),
    Column(label="State"),
    Column(label="By", priority=2),
    Column(label="When", priority=1),
)
CORRECT_WHY_NOT = "Your role may not propose changes to these records."


def operators() -> list[Option]:
    """Who an exception may be assigned to: everybody who may act on one."""
    roles = [role for role, (_, scopes) in permissions.ROLES.items() if "sync:operate" in scopes]
    users = User.objects.filter(is_active=True, groups__name__in=roles).distinct().order_by("first_name", "username")
    return [Option(value=user.username, label=people.name_of(user)) for user in users[:50]]


def row(request: HttpRequest, item: ExceptionItem, people_: list[Option], proposals: Proposals) -> Row:
    return Row(
        uid=str(item.uid),
        title=item.label,
        cells=[
            Cell(
                value=item.label,
                kind="title",
                url=reverse("sync:exception", args=[item.uid]),
                sub=sub(item, proposals),
                badges=badges(item),
            ),
            cared_by(item),
            due(item),
            Cell(value=item.opened_at, kind="time"),
            Cell(kind="actions", actions=actions(request, item, people_), note=f"What to do about {item.label}"),
        ],
    )


def list_row(item: ExceptionItem, proposals: Proposals) -> Row:
    return Row(
        title=item.label,
        cells=[
            Cell(
                value=item.label,
                kind="title",
                url=reverse("sync:exception", args=[item.uid]),
                sub=sub(item, proposals),
                badges=badges(item),
            ),
            Cell(value=item.target.title),
            Cell(value=item.words[:160], muted=True),
            Cell(value=item.state, kind="state", domain="exception"),
            Cell(value=item.closed_by or ended_by(item), sub=item.note[:120]),
            Cell(value=item.closed_at or item.opened_at, kind="time"),
        ],
    )


def ended_by(item: ExceptionItem) -> Rich | None:
    words = {"corrected": "a later delivery", "repeated": "what followed it", "retrying": "on its way"}
    return words.get(item.state)


def sub(item: ExceptionItem, proposals: Proposals) -> Rich:
    """Its key there, what the platform calls it, and the request that may put it right."""
    found: list[Part | str] = []
    if item.delivery.target_key:
        found.append(Part(text=item.delivery.target_key, mono=True))
    if item.code:
        found.append(item.code.replace("_", " "))
    change = proposals.get((item.type, item.record)) if item.state in exception_views.LIVE else None
    if change:
        found.append(Part(text=f"{change.number} under way", url=request_url(change)))
    return [piece for part in found for piece in (" · ", part)][1:]


def badges(item: ExceptionItem) -> list[Badge]:
    return [Badge(label="Refused again", tone="amber", icon="undo", outline=True)] if item.follows_id else []


def cared_by(item: ExceptionItem) -> Cell:
    role = exception_views.owner_of(item)
    if item.assignee:
        return Cell(value=item.assignee, kind="person", sub=role)
    return Cell(value=role or None, note="not taken yet" if role else "nobody")


def due(item: ExceptionItem) -> Cell:
    found = deadlines.due(item.due_at) if item.state in exception_views.LIVE else None
    if found is None:
        return Cell(value="", note="no limit" if item.due_at is None else "")
    icon = "alert" if found.tone == "red" else "clock"
    words = f"Overdue, {found.text}" if found.tone == "red" else found.text
    return Cell(
        kind="badges", badges=[Badge(label=words, tone=found.tone or "grey", icon=icon, outline=not found.tone)]
    )


# --- what can be done ---------------------------------------------------------------------------------------------


def correct(request: HttpRequest, item: ExceptionItem) -> Action:
    """The form of the record, at the field that was refused, with the reason filled in."""
    kind = registry.find(item.type)
    may = kind is not None and permissions.may(visitor.actor(request), f"propose:{kind.path}")
    top = item.path.partition("[")[0].partition(".")[0].partition("/")[0]
    words = " ".join(item.words.split())
    reason = f"{item.target.title} refuses {item.field or 'the record'}: {words}"[:300]
    url = visitor.record_url(kind, item.record, "edit") if kind else ""
    return Action(
        label="Correct the record",
        url=f"{url}?{urlencode({'reason': reason})}#{top}" if top else f"{url}?{urlencode({'reason': reason})}",
        name=f"correct-{item.pk}",
        icon="pencil",
        allowed=may and bool(url),
        why_not="" if may else CORRECT_WHY_NOT,
    )


def actions(request: HttpRequest, item: ExceptionItem, people_: Sequence[Option]) -> list[Action]:
    open_ = [
        correct(request, item),
        *decisions(request, item, people_),
        Action(label="Open the record", url=doors.record_link(item.type, item.record), icon="eye"),
        Action(label="Open the delivery", url=reverse("sync:delivery", args=[item.delivery.uid]), icon="send"),
    ]
    return open_


def decisions(request: HttpRequest, item: ExceptionItem, people_: Sequence[Option]) -> list[Action]:
    def action(what: str, label: str, icon: str, confirm: Confirm | None = None, key: str = "") -> Action:
        url = reverse(f"sync:exception-{what}", args=[item.uid])
        name = f"{what}-{item.pk}" if label != "Assign" else f"assign-{item.pk}"
        return doors.action(
            request, label=label, name=name, url=url, icon=icon, confirm=confirm, key=key,
            allowed=item.state == "open", why_not="It is not open any more.",
        )  # fmt: skip

    options = tuple(people_)
    give = Confirm(
        title=f"Who looks after {item.label}?",
        body="They find it under “Mine”.",
        button="Assign",
        fields=(Field(name="user", id=f"user-{item.pk}", label="Person", kind="select", options=options),),
    )
    found = [action("retry", "Send again", "refresh"), action("take", "Take it", "user")]
    found += [action("take", "Assign", "user", give)] if options else []
    return [
        *found,
        action("close", "Close", "check", closing(f"the exception of {item.label}")),
        action("cancel", "Stop sending", "no", stopping(item.label)),
    ]


def stopping(what: str, name: str = "reason") -> Confirm:
    return Confirm(
        title=f"Stop sending {what}?",
        body="The platform keeps what it holds. The next change of a record is sent again.",
        button="Stop sending",
        reason_label="Why",
        reason_name=name,
        danger=True,
    )


def closing(what: str, name: str = "reason") -> Confirm:
    return Confirm(
        title=f"Close {what}?",
        body="For what was put right outside the hub. The delivery stays refused in the ledger.",
        button="Close",
        reason_label="How it was put right",
        reason_name=name,
    )


def bulk(request: HttpRequest, people_: list[Option]) -> list[Action]:
    """Buttons of the shared form: what they do stands in their address, which also brings the reader back."""
    back = {"next": request.get_full_path()}

    def action(what: str, label: str, icon: str, key: str, confirm: Confirm | None = None) -> Action:
        url = f"{reverse('sync:exceptions-decide')}?{urlencode({'do': what, **back})}"
        return Action(label=label, name=f"{what}-many", url=url, icon=icon, method="post", confirm=confirm, key=key)

    give = Confirm(
        title="Who looks after the selected exceptions?",
        body="They find them under “Mine”.",
        button="Assign",
        fields=(Field(name="user", label="Person", kind="select", options=people_),),
    )
    return [
        action("retry", "Send again", "refresh", "r"),
        action("take", "Take", "user", "t"),
        action("assign", "Assign", "user", "a", give),
        action("close", "Close", "check", "c", closing("the selected exceptions", "close_reason")),
        action("cancel", "Stop sending", "no", "e", stopping("the selected records", "cancel_reason")),
    ]
