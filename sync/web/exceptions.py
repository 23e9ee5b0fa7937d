"""Business exceptions by cause: what a platform refused, in its own words, and the way to put it right."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mdm import permissions
from mdm.errors import CorrectInput
from mdm.web import browsing, people, visitor
from mdm.web.browsing import Filter, plural
from mdm.web.page import Action, Confirm, Empty, Link, Page
from mdm.web.tables import Cell, Column, Field, Option, Row, Table
from sync.models import ExceptionItem, Target
from sync.selectors import exception_views
from sync.selectors.exception_views import Group
from sync.services import exceptions
from sync.web import doors

SHOWN = 20  # records shown of one cause; the count tells how many there are
GROUPS = 30
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


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    filters = [Filter(name="target", words="target is", options=tuple(Target.objects.values_list("code", "title")))]
    held = {name: value for name, value in browsing.values_of(request, filters).items() if value}
    rows = exception_views.matching(exception_views.items(), held)
    tab = request.GET.get("tab", "")
    context = {
        "tabs": _tabs(request, tab),
        "filters": browsing.bar(request, "Exceptions where", filters, keep=("tab",)),
        "groups": [],
        **(_closed(request, rows) if tab == "closed" else _open(request, rows, mine=tab == "mine")),
    }
    return render(request, "sync/exceptions.html", context)


def _tabs(request: HttpRequest, now: str) -> list[Link]:
    return [
        Link(label, visitor.changed_query(request, tab=key or None), current=now == key)
        for key, label in (("", "Open"), ("mine", "Mine"), ("closed", "Closed"))
    ]


def _open(request: HttpRequest, rows: QuerySet[ExceptionItem], *, mine: bool) -> dict[str, Any]:
    if mine:
        rows = rows.filter(assignee=request.user)
    groups = exception_views.groups(rows)
    targets = {target.code: target for target in Target.objects.select_related("system")}
    people_ = _operators() if doors.may_act(request) else []
    total = sum(group.count for group in groups)
    refused = f"{plural(total, 'delivery', 'deliveries')} refused by a platform"
    if len(groups) > GROUPS:
        refused += f"; the {GROUPS} most frequent of {len(groups)} causes are shown"
    return {
        "page": Page(title="Exceptions", note=refused if total else ""),
        "groups": [_group(request, group, targets[group.target], rows, people_) for group in groups[:GROUPS]],
        "empty": Empty(
            title="Nothing is assigned to you" if mine else "No platform refuses anything",
            text="Look at the open ones."
            if mine
            else "When one does, its words stand here with the field and what puts it right.",
            icon="ok",
        ),
    }


def _closed(request: HttpRequest, rows: QuerySet[ExceptionItem]) -> dict[str, Any]:
    """What became of earlier ones, newest first."""
    part = browsing.cut(request, rows.exclude(state="open"))
    table = Table(caption="Closed exceptions", columns=CLOSED_COLUMNS, rows=[_closed_row(item) for item in part.rows])
    return {
        "page": Page(title="Exceptions"),
        "closed": table if part.rows else None,
        "pager": browsing.pager(request, part, "exceptions"),
        "empty": None if part.rows else Empty(title="None was closed yet", icon="history"),
    }


def _closed_row(item: ExceptionItem) -> Row:
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


def _operators() -> list[Option]:
    """Who an exception may be assigned to: everybody who may act on one."""
    roles = [role for role, (_, scopes) in permissions.ROLES.items() if "sync:operate" in scopes]
    users = User.objects.filter(is_active=True, groups__name__in=roles).distinct().order_by("first_name", "username")
    return [Option(value=user.username, label=people.name_of(user)) for user in users[:50]]


def _group(
    request: HttpRequest, group: Group, target: Target, rows: QuerySet[ExceptionItem], people_: list[Option]
) -> dict[str, Any]:
    items = list(_same(rows, target, vars(group)).order_by("opened_at")[:SHOWN])
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


def _same(rows: QuerySet[ExceptionItem], target: Target, cause: Any) -> QuerySet[ExceptionItem]:
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
        name=f"retry-{group.target}-{abs(hash((group.field, group.words)))}",
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


# --- what is done about them ------------------------------------------------------------------------------------------


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
    """Everything open of one cause."""
    target = get_object_or_404(Target, code=request.POST.get("target", ""))
    cause = {name: request.POST.get(name, "") for name in ("field", "words", "table", "value")}

    def do() -> str:
        items = list(_same(exception_views.items(), target, cause).order_by("pk")[:MOST])
        if not items:
            raise CorrectInput("None of these is open any more.")
        for item in items:
            exceptions.retry(item, by=visitor.actor(request))
        return f"{plural(len(items), 'record')} queued again for {target.title}"

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
def close(request: HttpRequest, uid: Any) -> HttpResponse:
    item = exception_views.find(uid)

    def do() -> str:
        exceptions.resolve(item, note=request.POST.get("reason", ""), by=visitor.actor(request))
        return f"The exception of {item.label} is closed"

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def take(request: HttpRequest, uid: Any) -> HttpResponse:
    """For oneself, or for whom the form names."""
    item = exception_views.find(uid)
    named = request.POST.get("user", "")

    def do() -> str:
        user = User.objects.filter(username=named, is_active=True).first() if named else request.user
        if user is None:
            raise CorrectInput("There is no such person.")
        exceptions.assign(item, user=user, by=visitor.actor(request))
        return (
            f"{item.label} is yours" if user == request.user else f"{item.label} is assigned to {people.name_of(user)}"
        )

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def map_value(request: HttpRequest, code: str) -> HttpResponse:
    """Add the missing row to the target's value map; everything that waited for it is sent again."""
    target = get_object_or_404(Target, code=code)
    form = request.POST

    def do() -> str:
        _, queued = exceptions.map_value(
            target,
            table=form.get("table", ""),
            ours=form.get("ours", ""),
            theirs=form.get("theirs", ""),
            by=visitor.actor(request),
        )
        return f"“{form.get('ours')}” reads “{form.get('theirs')}” at {target.title} from now on; {plural(queued, 'record')} queued"

    return doors.act(request, do, reverse("sync:exceptions"))
