"""Business exceptions by cause: what a platform refused, in its own words, and the way to put it right."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from mdm import permissions
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter, plural
from mdm.web.page import Action, Empty, Link, Page
from mdm.web.tables import Option, Table
from sync.models import ExceptionItem, Target
from sync.selectors import exception_views
from sync.web import doors, exception_export, exception_rows
from sync.web.exception_groups import SHOWN, panel

GROUPS = 30
TABS = (("", "Open"), ("mine", "Mine"), ("retrying", "On their way"), ("closed", "Closed"))


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    people_ = exception_rows.operators()
    filters = _filters(people_)
    rows, tab = found(request, filters)
    context = {
        "tabs": _tabs(request, tab),
        "filters": browsing.bar(request, "Exceptions where", filters, keep=("tab",)),
        "groups": [],
        **(_open(request, rows, people_) if tab in ("", "mine") else _listed(request, rows, tab)),
    }
    return render(request, "sync/exceptions.html", context)


@require_GET
@visitor.page
def export(request: HttpRequest) -> HttpResponseBase:
    """What the list shows, all of it, as a file."""
    doors.require_read(request)
    rows, _ = found(request, _filters(exception_rows.operators()))
    return exception_export.answer(request, rows)


def found(request: HttpRequest, filters: list[Filter]) -> tuple[QuerySet[ExceptionItem], str]:
    """What the tab and the filters leave."""
    held = {name: value for name, value in browsing.values_of(request, filters).items() if value}
    rows = exception_views.matching(exception_views.items(visitor.entities(request)), held)
    tab = request.GET.get("tab", "")
    if tab == "closed":
        return rows.exclude(state__in=exception_views.LIVE), tab
    if tab == "mine":
        return rows.filter(state="open", assignee=request.user.pk), tab
    state = "retrying" if tab == "retrying" else "open"
    return rows.filter(state=state), tab if state == "retrying" else ""


def _filters(people_: list[Option]) -> list[Filter]:
    roles = tuple((key, title) for key, (title, scopes) in permissions.ROLES.items() if "sync:operate" in scopes)
    persons = ((exception_views.NOBODY, "nobody"), *((one.value, one.label) for one in people_))
    codes = tuple((code, code.replace("_", " ")) for code in exception_views.codes(ExceptionItem.objects.all()))
    return [
        Filter(name="target", words="target is", options=tuple(Target.objects.values_list("code", "title"))),
        Filter(name="owner", words="owner is", options=roles),
        Filter(name="assignee", words="assigned to", label="Assigned to", options=persons),
        Filter(name="code", words="code is", options=codes),
        Filter(name="overdue", words="overdue", label="Overdue", options=(("yes", "yes"), ("no", "no"))),
    ]


def _tabs(request: HttpRequest, now: str) -> list[Link]:
    return [Link(label, visitor.changed_query(request, tab=key or None), current=now == key) for key, label in TABS]


def _menu(request: HttpRequest) -> list[Action]:
    query = request.GET.copy()
    query.pop("cursor", None)
    files = [
        Action(
            label=f"Export as {title}",
            url=f"{reverse('sync:exceptions-export')}?{query.urlencode()}&format={key}",
            icon="download",
        )
        for key, (title, _) in exception_export.FORMATS.items()
    ]
    return [Action(label="Rules and owners", url=reverse("sync:rules"), icon="mapping"), *files]


def _open(request: HttpRequest, rows: QuerySet[ExceptionItem], people_: list[Option]) -> dict[str, Any]:
    groups, causes, total = exception_views.groups(rows, most=GROUPS, shown=SHOWN)
    proposals = exception_views.proposals(item for group in groups for item in group.items)
    refused = f"{plural(total, 'delivery', 'deliveries')} refused by a platform"
    if causes > GROUPS:
        refused += f"; the {GROUPS} most frequent of {causes} causes are shown"
    return {
        "page": Page(title="Exceptions", note=refused if total else "", menu=_menu(request)),
        "groups": [panel(request, group, people_, proposals) for group in groups],
        "bulk": exception_rows.bulk(request, people_) if groups and doors.may_act(request) else [],
        "form_id": exception_rows.FORM,
        "empty": _nothing(request),
    }


def _nothing(request: HttpRequest) -> Empty:
    if any(request.GET.get(name) for name in ("target", "owner", "assignee", "code", "overdue")):
        return Empty(title="No exception fits", text="Take a filter away.", icon="filter")
    if request.GET.get("tab") == "mine":
        return Empty(title="Nothing is assigned to you", text="Look at the open ones.", icon="ok")
    text = "When one does, its words stand here with the field and what puts it right."
    return Empty(title="No platform refuses anything", text=text, icon="ok")


def _listed(request: HttpRequest, rows: QuerySet[ExceptionItem], tab: str) -> dict[str, Any]:
    """What is on its way, or what became of earlier ones; newest first."""
    part = browsing.cut(request, rows)
    proposals = exception_views.proposals(part.rows) if tab == "retrying" else {}
    caption = "Exceptions whose correction is on its way" if tab == "retrying" else "Closed exceptions"
    shown = [exception_rows.list_row(item, proposals) for item in part.rows]
    table = Table(caption=caption, columns=exception_rows.LIST_COLUMNS, rows=shown)
    nothing = "No correction is on its way" if tab == "retrying" else "None was closed yet"
    return {
        "page": Page(title="Exceptions", menu=_menu(request)),
        "closed": table if part.rows else None,
        "pager": browsing.pager(request, part, "exceptions"),
        "empty": None if part.rows else Empty(title=nothing, icon="history"),
    }
