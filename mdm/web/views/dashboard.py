"""Today: what waits for whoever looks, what is stuck, how it goes, and what changed. Every number leads to its list."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from mdm import permissions, ports
from mdm.selectors import metrics, request_items, worklist
from mdm.web import dashboard_parts, visitor, worklists
from mdm.web.grids import HeatMap
from mdm.web.page import Action, Item, Link, Page, Tile

FEW = 6


@require_GET
@visitor.page
def dashboard(request: HttpRequest) -> HttpResponse:
    told = _told(request)
    mine = worklists.rows(request, "mine")
    counted = metrics.waiting(mine)
    kind = dashboard_parts.measured_type()
    measured = dashboard_parts.quality(kind) if kind else None
    tiles = [dashboard_parts.waiting_tile(counted), dashboard_parts.pairs_tile(), *told.get("tiles", ())]
    if "drift" in told:
        tiles.append(_drift_tile(request, told["drift"], told.get("drift_link")))
    if kind and measured:
        tiles.append(dashboard_parts.quality_tile(kind, measured))
    context = {
        "page": _head(counted["all"]),
        "tiles": tiles,
        "waiting": _waiting(request, mine),
        "waiting_all": Link("All", reverse("web:inbox"), counted["all"]),
        "stuck": [*told.get("stuck", ()), *dashboard_parts.stuck(request)][:FEW],
        "stuck_all": _stuck_all(request),
        "quality": dashboard_parts.quality_chart(measured),
        "quality_link": dashboard_parts.quality_link(kind, measured),
        "sync": "deliveries" in told,
        "deliveries": told.get("deliveries"),
        "deliveries_link": told.get("deliveries_link"),
        "drift": told.get("drift"),
        "drift_link": told.get("drift_link"),
        "cycle": dashboard_parts.cycle(),
        "cycle_link": Link("All requests", f"{reverse('web:inbox')}?tab=all"),
        "events": dashboard_parts.events(request),
        "events_all": _audit(request),
    }
    return render(request, "web/dashboard.html", context)


def _audit(request: HttpRequest) -> Link | None:
    may = permissions.may(visitor.actor(request), "audit")
    return Link("Audit log", visitor.link("web:audit")) if may else None


def _told(request: HttpRequest) -> dict[str, Any]:
    """What the packages above add; lists of several are put together."""
    merged: dict[str, Any] = {}
    for provider in ports.dashboard:
        for name, value in provider(request.user).items():
            merged[name] = [*merged[name], *value] if isinstance(merged.get(name), list) else value
    return merged


def _head(waiting: int) -> Page:
    today = timezone.localdate()
    return Page(
        title=f"Today, {today:%A} {today.day} {today:%B}",
        note=f"{waiting:,} wait{'s' * (waiting == 1)} for you" if waiting else "nothing waits for you",
        primary=Action(label="Open inbox", url=reverse("web:inbox"), icon="inbox", key="i"),
    )


def _waiting(request: HttpRequest, mine: Any) -> list[Item]:
    rows = worklist.with_steps(mine)[:FEW]
    return [worklists.item(row, url=reverse("web:request", args=[request_items.number_of(row)])) for row in rows]


def _drift_tile(request: HttpRequest, chart: HeatMap | None, link: Link | None) -> Tile:
    """The number that stands beside Drift in the rail."""
    number = ports.nav_counts(request.user).get("drift", 0)
    fields = len(chart.rows) if chart else 0
    note = f"in {fields} field{'s' * (fields > 1)}" if number and fields else "no difference known"
    return Tile(label="Drift", value=number, note=note, url=link.url if link else "")


def _stuck_all(request: HttpRequest) -> Link | None:
    if permissions.may(visitor.actor(request), "sync:read") and (url := visitor.link("sync:exceptions")):
        return Link("All exceptions", url)
    return Link("Open requests of the team", f"{reverse('web:inbox')}?tab=team")
