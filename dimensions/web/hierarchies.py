"""The pages of hierarchies: which there are, one as a tree that is changed in place, two days or two trees compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from dimensions.api.hierarchies import file
from dimensions.models import Hierarchy, HierarchyNode
from dimensions.selectors import trees
from dimensions.services import drafting
from dimensions.web import tree_page, tree_panel
from dimensions.web.tree_page import Rows, Where
from mdm import permissions, registry
from mdm.errors import CorrectInput, HubError, NotAllowed, NotFound
from mdm.models import ChangeRequest
from mdm.selectors import request_items
from mdm.services import audit, changes
from mdm.types import Document
from mdm.web import browsing, visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Badge, Confirm, Empty, Link, Meta, Page
from mdm.web.tables import Cell, Column, Row, Table

KIND, NODE = "hierarchies", "hierarchy-nodes"
WHY_NOT = "Your role may not propose changes to hierarchies. A governance lead can change that."


# --- which there are --------------------------------------------------------------------------------------------------


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    kind = visitor.kind_at(request, KIND)
    may = permissions.may(visitor.actor(request), f"propose:{kind.path}")
    listed = list(Hierarchy.objects.exclude(status__in=("retired", "merged")).order_by("name"))
    alive = HierarchyNode.objects.exclude(status__in=("retired", "merged")).values("hierarchy")
    nodes = alive.annotate(groups=Count("pk", _GROUPS), members=Count("pk", _MEMBERS)).order_by()
    counted = {one["hierarchy"]: (one["groups"], one["members"]) for one in nodes}
    propose = Action(
        label="Propose hierarchy",
        url=reverse("web:record-new", args=[KIND]),
        icon="plus",
        key="n",
        allowed=may,
        why_not="" if may else WHY_NOT,
    )
    context = {
        "page": Page(title="Hierarchies", note="What is summed up into what, and since when", primary=propose),
        "table": _hierarchies(listed, counted) if listed else None,
        "empty": Empty(
            title="There are no hierarchies yet",
            text="A hierarchy arranges the records of one type, such as cost centers, under groups. Propose one, then add "
            "its nodes in the tree or import them from a file.",
            icon="tree",
            actions=[propose],
        ),
    }
    return render(request, "dimensions/hierarchies.html", context)


_GROUPS, _MEMBERS = Q(kind="group"), Q(kind="member")


def _hierarchies(listed: Sequence[Hierarchy], counted: dict[str, tuple[int, int]]) -> Table:
    columns = (
        Column(label="Hierarchy"),
        Column(label="Code"),
        Column(label="Of"),
        Column(label="Groups", numeric=True, priority=1),
        Column(label="Members", numeric=True, priority=1),
    )
    rows = [
        Row(
            title=one.name,
            cells=[
                Cell(value=one.name, kind="title", url=tree_page.url_of(one)),
                Cell(value=one.code, kind="id"),
                Cell(value=_of(one)),
                *(Cell(value=number, kind="number") for number in counted.get(one.code, (0, 0))),
            ],
        )
        for one in listed
    ]
    return Table(caption="Hierarchies", columns=columns, rows=rows)


def _of(hierarchy: Hierarchy) -> str:
    kind = registry.find(hierarchy.members)
    words = kind.plural if kind else hierarchy.members
    return f"{words} of {hierarchy.within}" if hierarchy.within else words


# --- one tree ---------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@visitor.page
def tree(request: HttpRequest, code: str) -> HttpResponseBase:
    hierarchy = find(request, code)
    if request.method != "POST":
        return _answer(request, hierarchy)
    if not _may(request):
        raise NotAllowed(WHY_NOT)
    try:
        return _do(request, hierarchy)
    except CorrectInput as error:
        return _answer(request, hierarchy, error)


def find(request: HttpRequest, code: str) -> Hierarchy:
    visitor.kind_at(request, KIND)
    found = Hierarchy.objects.filter(code=code).first()
    if found is None:
        raise NotFound("There is no such hierarchy.")
    return found


def _may(request: HttpRequest) -> bool:
    return permissions.may(visitor.actor(request), f"propose:{NODE}")


def _do(request: HttpRequest, hierarchy: Hierarchy) -> HttpResponse:
    posted, by = request.POST, visitor.actor(request)
    doing, code = posted.get("do", ""), hierarchy.code
    back = tree_page.url_of(hierarchy, f"?{request.GET.urlencode()}")
    if doing in ("move", "close", "rename"):
        drafting.put(hierarchy=code, by=by, uid=posted.get("uid", ""), patch=_patch(doing, posted))
    elif doing == "add":
        drafting.put(hierarchy=code, by=by, patch=_patch(doing, posted))
        under = posted.get("parent", "")
        back = tree_page.url_of(hierarchy, _opened_too(request, under))
    elif doing == "drop":
        drafting.take_out(hierarchy=code, by=by, uid=posted.get("uid", ""))
    elif doing in ("submit", "discard"):
        draft = drafting.draft_of(code, request.user)  # type: ignore[arg-type]
        if draft is None:
            raise CorrectInput("There is nothing to propose any more: the draft was proposed or withdrawn meanwhile.")
        if doing == "discard":
            changes.withdraw(change=draft, by=by)
            return redirect(back)
        changes.edit(change=draft, by=by, reason=posted.get("reason", "").strip())
        change = changes.submit_request(change=draft, by=by)
        return redirect("web:request", request_items.number_of(change))
    else:
        raise CorrectInput("Choose what to do with the node.")
    return redirect(back)


def _patch(doing: str, posted: Any) -> Document:
    """What was typed as a merge-patch; a day left empty means since ever for a new node, today for another."""
    since = posted.get("from", "").strip() or None
    dated = {"valid_from": since} if since else {}
    if doing == "move":
        return {"parent": posted.get("parent", "").strip() or None, **dated}
    if doing == "close":
        return {"valid_to": since or timezone.localdate().isoformat()}
    if doing == "rename":
        return {"name": posted.get("name", "").strip() or None, **dated}
    kind = "group" if posted.get("kind") == "group" else "member"
    named = {"name": posted.get("name", "").strip() or None} if kind == "group" else {}
    code, parent = posted.get("code", "").strip(), posted.get("parent", "").strip() or None
    return {"node": code, "kind": kind, "parent": parent, **named, **dated}


def _opened_too(request: HttpRequest, under: str) -> str:
    opened = {code for code in request.GET.get("open", "").split(",") if code} | ({under} if under else set())
    return visitor.changed_query(request, open=",".join(sorted(opened)))


def _answer(request: HttpRequest, hierarchy: Hierarchy, error: HubError | None = None) -> HttpResponse:
    look = tree_page.where(request)
    overlay = tree_page.overlay_of(request, hierarchy, look)
    rows = Rows(request, hierarchy, look, overlay)
    looked = tree_page.looked_at(request, rows)
    draft = drafting.draft_of(hierarchy.code, request.user)  # type: ignore[arg-type]
    may = _may(request)
    doing = request.POST.get("do", "") if error else ""
    context = {
        "page": _head(request, hierarchy, draft, len(overlay.by_node), may),
        "look": look,
        "ahead": _ahead(look.on),
        "modes": _modes(request, hierarchy, look),
        "rows": (listed := rows.rows()),
        "hits": tree_page.hits(request, hierarchy, look) if look.q else None,
        "empty": None if listed else _empty(hierarchy, may),
        "looked": looked,
        "facts": tree_panel.facts(hierarchy, looked, look) if looked else [],
        "forms": tree_panel.forms(request, hierarchy, looked, look, doing) if may else [],
        "draft": tree_panel.draft(hierarchy, draft) if draft else None,
        "more": overlay.more,
        "error": error,
        "problems": [problem.message for problem in getattr(error, "problems", ())] if error else [],
        "action": tree_page.url_of(hierarchy, f"?{request.GET.urlencode()}"),
    }
    status = visitor.status_of(error) if error else 200
    return render(request, "dimensions/hierarchy.html", context, status=status)


def _head(request: HttpRequest, hierarchy: Hierarchy, draft: ChangeRequest | None, changed: int, may: bool) -> Page:
    kind = registry.get("hierarchy")
    counts = dict(
        HierarchyNode.objects.filter(hierarchy=hierarchy.code)
        .exclude(status__in=("retired", "merged"))
        .values_list("kind")
        .annotate(Count("pk"))
        .order_by()
    )
    badges = [Badge(label=f"{plural(changed, 'change')} pending", tone="blue", icon="half")] if changed else []
    base = tree_page.url_of(hierarchy)
    compare = reverse("dimensions:hierarchy-compare", args=[hierarchy.code])
    on = {"on": request.GET["on"]} if request.GET.get("on") else {}
    importing = reverse("web:import-new") + "?" + urlencode({"type": "hierarchy_node"})
    menu = [
        Action(label="Compare two days", url=compare, icon="history"),
        Action(label="Open the record", url=visitor.record_url(kind, hierarchy.uid), icon="file"),
        Action(label="Import nodes", url=importing, icon="upload", allowed=may, why_not="" if may else WHY_NOT),
        Action(label="Export as CSV", url=f"{base}export/?{urlencode({'format': 'csv', **on})}", icon="download"),
        Action(label="Export as Excel", url=f"{base}export/?{urlencode({'format': 'xlsx', **on})}", icon="download"),
    ]
    return Page(
        title=hierarchy.name,
        crumbs=[Link("Hierarchies", reverse("dimensions:hierarchies")), Link(hierarchy.code, "")],
        badges=badges,
        meta=[
            Meta(text=_of(hierarchy)),
            Meta(text=f"{plural(counts.get('group', 0), 'group')}, {plural(counts.get('member', 0), 'member')}"),
        ],
        menu=menu,
        primary=_propose(request, hierarchy, draft),
    )


def _propose(request: HttpRequest, hierarchy: Hierarchy, draft: ChangeRequest | None) -> Action | None:
    if draft is None:
        return None
    count = draft.items.count()
    body = f"One request asks for {plural(count, 'change')} of {hierarchy.name}: all of them are applied, or none."
    return Action(
        label=f"Propose {plural(count, 'change')}",
        name="submit",
        url=tree_page.url_of(hierarchy, f"?{request.GET.urlencode()}"),
        method="post",
        fields={"do": "submit"},
        icon="check",
        confirm=Confirm(
            title=f"Propose {plural(count, 'change')}?", body=body, button="Propose", cancel="Go on gathering",
            reason_label="Why?", reason_required=False,
        ),
    )  # fmt: skip


def _ahead(on: date) -> Badge | None:
    days = (on - timezone.localdate()).days
    if days == 0:
        return None
    if days > 0:
        return Badge(label=f"{plural(days, 'day')} ahead", tone="purple", icon="future")
    return Badge(label=f"{plural(-days, 'day')} back", tone="grey", icon="history")


def _modes(request: HttpRequest, hierarchy: Hierarchy, look: Where) -> list[Link]:
    compare = reverse("dimensions:hierarchy-compare", args=[hierarchy.code])
    today = timezone.localdate()
    query = f"?{urlencode({'on': today, 'with': look.on})}" if look.on != today else ""
    return [
        Link("With pending", visitor.changed_query(request, show=None), current=look.with_pending),
        Link("As it is", visitor.changed_query(request, show="as-is"), current=not look.with_pending),
        Link("Compare", compare + query),
    ]


def _empty(hierarchy: Hierarchy, may: bool) -> Empty:
    importing = reverse("web:import-new") + "?" + urlencode({"type": "hierarchy_node"})
    text = "Add its first group beside, or import a file with a row for each node: its code, its kind and what it is under."
    action = Action(label="Import nodes", url=importing, icon="upload", allowed=may, why_not="" if may else WHY_NOT)
    return Empty(title="Nothing stands in this hierarchy on that day", text=text, icon="tree", actions=[action])


@require_GET
@visitor.page
def export(request: HttpRequest, code: str) -> HttpResponseBase:
    hierarchy = find(request, code)
    form = request.GET.get("format", "csv")
    if form not in ("csv", "xlsx"):
        raise CorrectInput("A hierarchy can be exported as CSV or XLSX.")
    on = browsing.day(request.GET.get("on", "")) or timezone.localdate()
    rows = trees.in_tree_order(trees.Stored(hierarchy.code, on).all())
    audit.record(
        action="records.exported",
        by=visitor.actor(request),
        object_type="hierarchy",
        object_uid=hierarchy.uid,
        object_label=f"{hierarchy.code} {hierarchy.name}",
        detail={"format": form, "on": on.isoformat()},
    )
    return file(hierarchy, rows, visitor.entities(request), form)
