"""A cause of refusals as a panel: the platform's words, the way to put it right, the records that wait."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from mdm.web.page import Action, Link
from mdm.web.tables import Field, Option, Table
from sync.models import ExceptionItem, Target
from sync.selectors import exception_views
from sync.selectors.exception_views import Group
from sync.web import doors, exception_rows
from sync.web.exception_rows import Proposals

SHOWN = 20  # records shown of one cause; the count tells how many there are
MOST = 500  # sent again in one go


def panel(request: HttpRequest, group: Group, people_: list[Option], proposals: Proposals) -> dict[str, Any]:
    target = group.items[0].target
    may_act = doors.may_act(request)
    table = Table(
        caption=f"Records: {_title(group)}",
        columns=exception_rows.COLUMNS,
        rows=[exception_rows.row(request, item, people_, proposals) for item in group.items],
        selectable=may_act,
        form_id=exception_rows.FORM,
    )
    return {
        "title": _title(group),
        "count": group.count,
        "source": doors.source(target.system),
        "target": Link(label=target.title, url=reverse("sync:targets")),
        "words": group.words,
        "field": group.field,
        "hint": _hint(request, group),
        "action": None if group.table else _retry_all(request, group),
        "form": map_form(request, target, group.table, group.value) if group.table and doors.may_map(request) else None,
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
    return title_of(group.title, group.field, group.table, group.value)


def title_of(target: str, field: str, table: str, value: str) -> str:
    if table:
        return f"“{value}” is unknown to {target}"
    return f"{target} refuses {field.split('.')[-1].replace('_', ' ') or 'the record'}"


def _hint(request: HttpRequest, group: Group) -> str:
    words = exception_views.hint_of(group.items[0])
    if group.table:
        words = f"One row in the value map “{group.table}” releases all of them."
        if not doors.may_map(request):
            words += " A data steward adds it."
    shown = len(group.items)
    return words if group.count <= shown else f"{words} The oldest {shown} are shown."


def map_form(request: HttpRequest, target: Target, table: str, value: str) -> dict[str, Any]:
    """What was typed comes back when it was refused."""
    posted = request.POST if request.POST.get("ours") == value else {}
    return {
        "url": reverse("sync:exception-map", args=[target.code]),
        "fields": [
            Field(name="table", label="", kind="hidden", value=table),
            Field(name="ours", label="", kind="hidden", value=value),
            Field(name="next", label="", kind="hidden", value=request.get_full_path()),
            Field(
                name="theirs", label=f"What {target.title} calls “{value}”", id=f"map-{target.code}-{value}",
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
