"""Business exceptions by cause: what a platform refused, in its own words, and the way to put it right."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from mdm.web import browsing, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Confirm, Empty, Link, Page
from mdm.web.tables import Cell, Column, Field, Row, Table
from sync.models import ExceptionItem, Target
from sync.selectors import exception_views
from sync.selectors.exception_views import Group
from sync.services import exceptions
from sync.web import doors

SHOWN = 20  # records shown of one cause; the count tells how many there are
COLUMNS = (
    Column(label="Record"),
    Column(label="Key there", priority=2),
    Column(label="Since", priority=1),
    Column(label="Assigned", priority=2),
    Column(label="Actions", hidden_label=True, tight=True),
)


@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    filters = [Filter(name="target", words="target is", options=tuple(Target.objects.values_list("code", "title")))]
    held = browsing.values_of(request, filters)
    rows = exception_views.matching(exception_views.items(), {k: v for k, v in held.items() if v})
    groups = exception_views.groups(rows)[:30]
    targets = {target.code: target for target in Target.objects.select_related("system")}
    total = sum(group.count for group in groups)
    context = {
        "page": Page(
            title="Exceptions", note=f"{browsing.plural(total, 'delivery', 'deliveries')} refused by a platform"
        ),
        "tabs": [],
        "filters": browsing.bar(request, "Exceptions where", filters),
        "groups": [_group(request, group, targets[group.target], rows) for group in groups],
        "pager": None,
        "empty": Empty(
            title="No platform refuses anything",
            text="When one does, its words stand here with the field and what puts it right.",
            icon="ok",
        ),
    }
    return render(request, "sync/exceptions.html", context)


def _group(request: HttpRequest, group: Group, target: Target, rows: Any) -> dict[str, Any]:
    same = rows.filter(
        state="open", target=target, field=group.field, words=group.words, table=group.table, value=group.value
    )
    items = list(same.select_related("delivery", "assignee").order_by("opened_at")[:SHOWN])
    return {
        "title": _title(group),
        "count": group.count,
        "source": doors.source(target.system),
        "target": Link(label=target.title, url=f"{reverse('sync:targets')}"),
        "words": group.words,
        "field": group.field,
        "hint": _hint(group),
        "action": None if group.table else _retry_all(request, items, group),
        "form": _map_form(group, target) if group.table and doors.may_act(request) else None,
        "table": Table(caption=f"Records: {_title(group)}", columns=COLUMNS, rows=[_row(request, i) for i in items]),
    }


def _title(group: Group) -> str:
    if group.table:
        return f"“{group.value}” is unknown to {group.title}"
    return f"{group.title} refuses {group.field.split('.')[-1].replace('_', ' ') or 'the record'}"


def _hint(group: Group) -> str:
    if group.table:
        return f"One row in the value map “{group.table}” releases all of them."
    return "Correct the record: its next version is sent by itself. Or send it again once the platform was put right."


def _map_form(group: Group, target: Target) -> dict[str, Any]:
    return {
        "url": reverse("sync:exception-map", args=[target.code]),
        "fields": [
            Field(name="table", label="Value map", kind="hidden", value=group.table),
            Field(name="ours", label="Ours", kind="hidden", value=group.value),
            Field(
                name="theirs", label=f"What {target.title} calls “{group.value}”", id=f"map-{target.code}-{group.value}"
            ),
        ],
        "label": "Map and send again",
    }


def _retry_all(request: HttpRequest, items: list[ExceptionItem], group: Group) -> Any:
    if len(items) < 2:
        return None
    return doors.action(
        request,
        label=f"Send {len(items)} again",
        name=f"retry-{items[0].pk}",
        url=reverse("sync:exception-retry-many"),
        fields={"uids": ",".join(str(item.uid) for item in items)},
        icon="send",
    )


def _row(request: HttpRequest, item: ExceptionItem) -> Row:
    cancel = Confirm(
        title=f"Stop sending {item.label}?",
        body="The platform keeps what it holds. The next change of the record is sent again.",
        button="Stop sending",
        reason_label="Why",
        danger=True,
    )
    return Row(
        cells=[
            Cell(value=item.label, kind="title", url=doors.record_link(item.type, item.record)),
            Cell(value=item.delivery.target_key or None, kind="id"),
            Cell(value=item.opened_at, kind="time"),
            Cell(value=item.assignee, kind="person"),
            Cell(
                kind="actions",
                actions=[
                    doors.action(
                        request, label="Send again", name=f"again-{item.pk}", url=_url("retry", item), icon="send"
                    ),
                    doors.action(request, label="Take it", name=f"take-{item.pk}", url=_url("take", item), icon="user"),
                    doors.action(
                        request,
                        label="Stop sending",
                        name=f"stop-{item.pk}",
                        url=_url("cancel", item),
                        icon="no",
                        confirm=cancel,
                    ),
                ],
            ),
        ],
        title=item.label,
    )


def _url(what: str, item: ExceptionItem) -> str:
    return reverse(f"sync:exception-{what}", args=[item.uid])


@require_POST
@visitor.page
def retry(request: HttpRequest, uid: Any) -> HttpResponse:
    item = exception_views.find(uid)

    def do() -> str:
        exceptions.retry(item, by=visitor.actor(request))
        return f"{item.label} is queued again for {item.target.title}"

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def retry_many(request: HttpRequest) -> HttpResponse:
    uids = [uid for uid in request.POST.get("uids", "").split(",") if uid][:SHOWN]

    def do() -> str:
        for uid in uids:
            exceptions.retry(exception_views.find(uid), by=visitor.actor(request))
        return f"{len(uids)} records are queued again"

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def cancel(request: HttpRequest, uid: Any) -> HttpResponse:
    item = exception_views.find(uid)

    def do() -> str:
        exceptions.cancel(item, reason=request.POST.get("reason", ""), by=visitor.actor(request))
        return f"{item.label} is not sent to {item.target.title} until it changes"

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def take(request: HttpRequest, uid: Any) -> HttpResponse:
    item = exception_views.find(uid)

    def do() -> str:
        exceptions.assign(item, user=request.user, by=visitor.actor(request))
        return f"{item.label} is yours"

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def map_value(request: HttpRequest, code: str) -> HttpResponse:
    """Add the missing row to the target's value map; everything that waited for it is sent again."""
    target = get_object_or_404(Target, code=code)
    form = request.POST

    def do() -> str:
        exceptions.map_value(
            target,
            table=form.get("table", ""),
            ours=form.get("ours", ""),
            theirs=form.get("theirs", ""),
            by=visitor.actor(request),
        )
        return f"“{form.get('ours')}” reads “{form.get('theirs')}” at {target.title} from now on"

    return doors.act(request, do, reverse("sync:exceptions"))
