"""A cause of refusals as a panel: the platform's words, the way to put it right, the records that wait."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from mdm.web.page import Action, Confirm, Link
from mdm.web.tables import Cell, Column, Field, Option, Row, Table
from sync.models import ExceptionItem, Target
from sync.selectors.exception_views import Group
from sync.web import doors

SHOWN = 20  # records shown of one cause; the count tells how many there are
MOST = 500  # sent again in one go
COLUMNS = (
    Column(label="Record"),
    Column(label="Key there", priority=2),
    Column(label="Since", priority=1),
    Column(label="Assigned to", priority=2),
    Column(label="Actions", hidden_label=True, tight=True),
)
CLOSED_COLUMNS = (
    Column(label="Record"),
    Column(label="Target"),
    Column(label="Words of the platform", priority=1),
    Column(label="State"),
    Column(label="By", priority=2),
    Column(label="When", priority=1),
)


def panel(
    request: HttpRequest, group: Group, target: Target, rows: QuerySet[ExceptionItem], people_: list[Option]
) -> dict[str, Any]:
    items = list(same(rows, target, vars(group)).order_by("opened_at")[:SHOWN])
    table = Table(
        caption=f"Records: {_title(group)}", columns=COLUMNS, rows=[_row(request, item, people_) for item in items]
    )
    return {
        "title": _title(group),
        "count": group.count,
        "source": doors.source(target.system),
        "target": Link(label=target.title, url=reverse("sync:targets")),
        "words": group.words,
        "field": group.field,
        "hint": _hint(request, group, len(items)),
        "action": None if group.table else _retry_all(request, group),
        "form": _map_form(request, group, target) if group.table and doors.may_map(request) else None,
        "table": table,
    }


def same(rows: QuerySet[ExceptionItem], target: Target, cause: Any) -> QuerySet[ExceptionItem]:
    """The open ones of one cause; what a group is made of."""
    return rows.filter(
        state="open",
        target=target,
        field=cause["field"],
        words=cause["words"],
        table=cause["table"],
        value=cause["value"],
    )


def _title(group: Group) -> str:
    if group.table:
        return f"“{group.value}” is unknown to {group.title}"
    return f"{group.title} refuses {group.field.split('.')[-1].replace('_', ' ') or 'the record'}"


def _hint(request: HttpRequest, group: Group, shown: int) -> str:
    words = "Correct the record: its next version is sent by itself. Or send it again once the platform was put right."
    if group.table:
        words = f"One row in the value map “{group.table}” releases all of them."
        if not doors.may_map(request):
            words += " A data steward adds it."
    return words if group.count <= shown else f"{words} The oldest {shown} are shown."


def _map_form(request: HttpRequest, group: Group, target: Target) -> dict[str, Any]:
    """What was typed comes back when it was refused."""
    posted = request.POST if request.POST.get("ours") == group.value else {}
    return {
        "url": reverse("sync:exception-map", args=[target.code]),
        "fields": [
            Field(name="table", label="", kind="hidden", value=group.table),
            Field(name="ours", label="", kind="hidden", value=group.value),
            Field(name="next", label="", kind="hidden", value=request.get_full_path()),
            Field(
                name="theirs", label=f"What {target.title} calls “{group.value}”", id=f"map-{target.code}-{group.value}",
                value=posted.get("theirs", ""),
            ),
        ],
        "label": "Map and send again",
    }  # fmt: skip


def _retry_all(request: HttpRequest, group: Group) -> Action | None:
    if group.count < 2:
        return None
    count = min(group.count, MOST)
    cause = {name: getattr(group, name) for name in ("target", "field", "words", "table", "value")}
    return doors.action(
        request,
        label=f"Send {count} again",
        name=f"retry-{group.target}-{group.field}-{group.since:%f}",
        url=reverse("sync:exception-retry-many"),
        fields=cause,
        icon="refresh",
    )


def _row(request: HttpRequest, item: ExceptionItem, people_: list[Option]) -> Row:
    assigned = Cell(value=item.assignee, kind="person") if item.assignee else Cell(value="", note="nobody")
    return Row(
        cells=[
            Cell(value=item.label, kind="title", url=doors.record_link(item.type, item.record)),
            Cell(value=item.delivery.target_key or None, kind="id"),
            Cell(value=item.opened_at, kind="time"),
            assigned,
            Cell(kind="actions", actions=_actions(request, item, people_)),
        ],
        title=item.label,
    )


def _actions(request: HttpRequest, item: ExceptionItem, people_: list[Option]) -> list[Action]:
    stop = Confirm(
        title=f"Stop sending {item.label}?",
        body="The platform keeps what it holds. The next change of the record is sent again.",
        button="Stop sending",
        reason_label="Why",
        danger=True,
    )
    done = Confirm(
        title=f"Close the exception of {item.label}?",
        body="For what was put right outside the hub. The delivery stays refused in the ledger.",
        button="Close it",
        reason_label="How it was put right",
    )
    give = Confirm(
        title=f"Who looks after {item.label}?",
        body="They find it under “Mine”.",
        button="Assign",
        fields=(Field(name="user", id=f"user-{item.pk}", label="Person", kind="select", options=people_),),
    )

    def action(what: str, label: str, icon: str, confirm: Confirm | None = None) -> Action:
        url = reverse(f"sync:exception-{what}", args=[item.uid])
        return doors.action(request, label=label, name=f"{what}-{item.pk}", url=url, icon=icon, confirm=confirm)

    return [
        action("retry", "Send again", "refresh"),
        Action(label="Open the delivery", url=reverse("sync:delivery", args=[item.delivery.uid]), icon="send"),
        action("take", "Take it", "user"),
        action("take", "Assign", "user", give) if people_ else action("take", "Assign", "user"),
        action("close", "Close", "check", done),
        action("cancel", "Stop sending", "no", stop),
    ]


def closed_row(item: ExceptionItem) -> Row:
    return Row(
        title=item.label,
        cells=[
            Cell(value=item.label, kind="title", url=reverse("sync:delivery", args=[item.delivery.uid])),
            Cell(value=item.target.title),
            Cell(value=item.words[:160], muted=True),
            Cell(value=item.state, kind="state", domain="exception", note=""),
            Cell(value=item.closed_by or "a later delivery", sub=item.note[:120]),
            Cell(value=item.closed_at, kind="time"),
        ],
    )
