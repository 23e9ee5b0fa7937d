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
from mdm.web.page import Empty, Link, Page
from mdm.web.tables import Option, Table
from sync.models import ExceptionItem, Target
from sync.selectors import exception_views
from sync.services import exceptions
from sync.web import doors
from sync.web.exception_groups import CLOSED_COLUMNS, MOST, closed_row, panel, same

GROUPS = 30


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
        rows = rows.filter(assignee=request.user.pk)
    groups = exception_views.groups(rows)
    targets = {target.code: target for target in Target.objects.select_related("system")}
    people_ = _operators() if doors.may_act(request) else []
    total = sum(group.count for group in groups)
    refused = f"{plural(total, 'delivery', 'deliveries')} refused by a platform"
    if len(groups) > GROUPS:
        refused += f"; the {GROUPS} most frequent of {len(groups)} causes are shown"
    return {
        "page": Page(title="Exceptions", note=refused if total else ""),
        "groups": [panel(request, group, targets[group.target], rows, people_) for group in groups[:GROUPS]],
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
    table = Table(caption="Closed exceptions", columns=CLOSED_COLUMNS, rows=[closed_row(item) for item in part.rows])
    return {
        "page": Page(title="Exceptions"),
        "closed": table if part.rows else None,
        "pager": browsing.pager(request, part, "exceptions"),
        "empty": None if part.rows else Empty(title="None was closed yet", icon="history"),
    }


def _operators() -> list[Option]:
    """Who an exception may be assigned to: everybody who may act on one."""
    roles = [role for role, (_, scopes) in permissions.ROLES.items() if "sync:operate" in scopes]
    users = User.objects.filter(is_active=True, groups__name__in=roles).distinct().order_by("first_name", "username")
    return [Option(value=user.username, label=people.name_of(user)) for user in users[:50]]


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
        items = list(same(exception_views.items(), target, cause).order_by("pk")[:MOST])
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
        words = f"“{form.get('ours')}” reads “{form.get('theirs')}” at {target.title} from now on"
        return f"{words}; {plural(queued, 'record')} queued"

    return doors.act(request, do, reverse("sync:exceptions"))
