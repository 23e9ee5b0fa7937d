"""The page that holds two days of a hierarchy, or two hierarchies, against one another."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from dimensions.models import Hierarchy
from dimensions.selectors import tree_members, tree_shifts, trees
from dimensions.web import hierarchies, tree_page, tree_panel
from mdm.web import browsing, visitor
from mdm.web.page import Badge, Empty, Link, Page, Tile
from mdm.web.tables import Cell, Column, Option, Row, Table

COMPARED = 100
VERBS = {"added": ("Added", "green", "plus"), "gone": ("Gone", "red", "minus"), "moved": ("Moved", "blue", "move"),
         "renamed": ("Renamed", "grey", "pencil")}  # fmt: skip
COLUMNS = (
    Column(label="Node"),
    Column(label="Name"),
    Column(label="What", tight=True),
    Column(label="Before"),
    Column(label="After"),
)


@require_GET
@visitor.page
def compare(request: HttpRequest, code: str) -> HttpResponse:
    hierarchy = hierarchies.find(request, code)
    today = timezone.localdate()
    on = browsing.day(request.GET.get("on", "")) or today
    other_on = browsing.day(request.GET.get("with", "")) or tree_panel.next_month()
    others = Hierarchy.objects.filter(members=hierarchy.members, within=hierarchy.within).exclude(status="retired")
    options = [(one.code, one.name) for one in others.order_by("name")]
    asked = request.GET.get("other", "")
    other = asked if any(asked == value for value, _ in options) else hierarchy.code
    found = tree_shifts.compare(trees.Stored(hierarchy.code, on), trees.Stored(other, other_on))
    verb = request.GET.get("verb", "")
    listed = [one for one in found if one.verb == verb] if verb in VERBS else found
    page, pager = browsing.numbered(request, listed, size=COMPARED, one="node")
    context = {
        "page": Page(
            title=f"{hierarchy.name} compared",
            crumbs=[
                Link("Hierarchies", reverse("dimensions:hierarchies")),
                Link(hierarchy.code, tree_page.url_of(hierarchy)),
                Link("Compare", ""),
            ],
        ),
        "form": {
            "on": on, "with": other_on,
            "others": [Option(value=value, label=label, selected=value == other) for value, label in options],
        },
        "tiles": _tiles(request, found, verb),
        "table": _shifts(request, hierarchy, page) if page else None,
        "pager": pager,
        "empty": Empty(title="Nothing differs", text="Every node stands in the same place on both sides."),
    }  # fmt: skip
    return render(request, "dimensions/hierarchy_compare.html", context)


def _tiles(request: HttpRequest, found: Sequence[tree_shifts.Shift], verb: str) -> list[Tile]:
    tiles = []
    for name, (label, tone, _) in VERBS.items():
        number = sum(one.verb == name for one in found)
        url = visitor.changed_query(request, verb=None if verb == name else name)
        tiles.append(Tile(label=label, value=number, url=url, tone=tone if number else "", current=verb == name))  # type: ignore[arg-type]
    return tiles


def _shifts(request: HttpRequest, hierarchy: Hierarchy, page: Sequence[tree_shifts.Shift]) -> Table:
    known = tree_members.members(
        hierarchy, [one.node for one in page if one.kind == "member"], visitor.entities(request)
    )
    rows = []
    for one in page:
        if one.kind == "member" and one.node not in known:
            continue
        label, tone, icon = VERBS[one.verb]
        name = tree_members.name_of(one.after or one.before, known)  # type: ignore[arg-type]
        rows.append(
            Row(
                title=one.node,
                cells=[
                    Cell(value=one.node, kind="id", url=tree_page.url_of(hierarchy, f"?node={one.node}")),
                    Cell(value=name),
                    Cell(kind="badges", badges=[Badge(label=label, tone=tone, icon=icon)]),  # type: ignore[arg-type]
                    Cell(value=_stood(one.before, one.verb)),
                    Cell(value=_stood(one.after, one.verb)),
                ],
            )
        )
    return Table(caption="What differs", columns=COLUMNS, rows=rows)


def _stood(one: trees.Standing | None, verb: str) -> str:
    if one is None:
        return "nowhere"
    if verb == "renamed":
        return one.name or one.node
    return f"under {one.parent}" if one.parent else "at the top"
