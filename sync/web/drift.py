"""Drift: what the platforms hold other than the golden records say, and what a steward does about it."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mdm.errors import CorrectInput
from mdm.web import browsing, visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Confirm, Page, Tile
from mdm.web.tables import Cell, Column, Field, Option, Row, Table
from sync.models import DriftFinding, DriftRun, Target
from sync.selectors import drift_views, sight
from sync.services import drift, resolving
from sync.web import doors
from sync.web.findings import CAUSES, is_uid, listed

RUNS = 12
MOST = 500  # findings decided in one go
LIVE_RUNS = ("queued", "running")
RUN_COLUMNS = (
    Column(label="Target"),
    Column(label="State"),
    Column(label="Looked at", numeric=True, priority=1),
    Column(label="Differences", numeric=True),
    Column(label="New", numeric=True, priority=2),
    Column(label="Gone", numeric=True, priority=2),
    Column(label="Asked for by", priority=2),
    Column(label="Started", priority=1),
)


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    """Everything open over all targets."""
    doors.require_read(request)
    runs = list(drift_views.runs()[:RUNS])
    running = next((run for run in runs if run.state in LIVE_RUNS), None)
    open_ = drift_views.findings(visitor.entities(request)).filter(state="open")
    context = {
        "page": Page(
            title="Drift",
            note="What the platforms hold other than the golden records say",
            primary=_start(request),
        ),
        "tiles": _tiles(open_),
        "trend": drift_views.trend(),
        "periods": [],
        "heat": drift_views.heat_map(url_of=heat_url),
        "running": _running(running) if running else None,
        "runs": _runs(runs) if runs else None,
        **listed(request, drift_views.findings(visitor.entities(request))),
    }
    return render(request, "sync/drift.html", context)


def heat_url(field: str, target: str) -> str:
    return f"{reverse('sync:drift')}?{urlencode({'target': target, 'field': field})}#findings"


def _start(request: HttpRequest) -> Action:
    targets = list(Target.objects.filter(active=True).values_list("code", "title"))
    options = [Option(value="", label="All platforms"), *(Option(value=code, label=title) for code, title in targets)]
    ask = Confirm(
        title="Look what the platforms really hold",
        body="Everything they hold is read at their own pace and compared with the golden records. Nothing is changed.",
        button="Start",
        cancel="Not now",
        fields=(Field(name="target", id="start-target", label="Where", kind="select", options=options),),
    )
    return doors.action(
        request, label="Check again now", name="start", url=reverse("sync:drift-start"), icon="refresh", confirm=ask,
        allowed=bool(targets), why_not="There is no target yet.",
    )  # fmt: skip


@require_POST
@visitor.page
def start(request: HttpRequest) -> HttpResponse:
    """Ask for a look at one platform or at all of them."""
    rows = Target.objects.filter(active=True)
    if code := request.POST.get("target", ""):
        rows = rows.filter(code=code)

    def do() -> str:
        targets = list(rows)
        if not targets:
            raise CorrectInput("Choose a platform.")
        for target in targets:
            drift.request(target, by=visitor.actor(request))
        return f"Looking at what {' and '.join(target.title for target in targets)} hold{'s' * (len(targets) == 1)}"

    return doors.act(request, do, reverse("sync:drift"))


def _tiles(rows: QuerySet[DriftFinding]) -> list[Tile]:
    """One per cause that needs a person, most frequent first."""
    counts = dict(rows.order_by().values_list("cause").annotate(n=Count("pk")))
    url = reverse("sync:drift")
    tiles = [Tile(label="Open differences", value=sum(counts.values()), url=url)]
    for cause, count in sorted(counts.items(), key=lambda pair: -pair[1])[:4]:
        tiles.append(Tile(label=CAUSES[cause][0], value=count, url=f"{url}?cause={cause}#findings"))
    return tiles


def _running(row: DriftRun) -> dict[str, Any]:
    return {
        "done": row.done,
        "total": row.total,
        "title": f"Looking at what {row.target.title} holds",
        "url": reverse("sync:drift-run", args=[row.uid]),
    }


def _runs(rows: list[DriftRun]) -> Table:
    def cells(row: DriftRun) -> list[Cell]:
        counts = drift_views.counts_of(row)
        found = sum(counts.get(kind, 0) for kind in DriftFinding.KINDS)
        return [
            Cell(value=row.target.title, kind="title", url=reverse("sync:drift-run", args=[row.uid]),
                 sub="one record" if row.record else ""),
            Cell(value=row.state, kind="state", domain="drift"),
            Cell(value=counts["scanned"], kind="number"),
            Cell(value=found, kind="number"),
            Cell(value=counts["new_findings"], kind="number"),
            Cell(value=counts["resolved"], kind="number"),
            Cell(value=row.requested_by_name, kind="person"),
            Cell(value=row.started_at or row.created_at, kind="time"),
        ]  # fmt: skip

    return Table(caption="Drift runs", columns=RUN_COLUMNS, rows=[Row(cells=cells(row)) for row in rows])


# --- decisions --------------------------------------------------------------------------------------------------------


@require_POST
@visitor.page
def decide(request: HttpRequest) -> HttpResponse:
    """Push, adopt or ignore one finding or many."""
    uids = request.POST.getlist("uid")[:MOST]

    def do() -> str:
        if not uids:
            raise CorrectInput("Choose at least one finding.")
        found = list(
            drift_views.findings(visitor.entities(request)).filter(uid__in=[uid for uid in uids if is_uid(uid)])
        )
        seen = drift_views.sight_of(found, visitor.entities(request))
        sight.require(any(drift_views.hides(one, seen) for one in found))
        return _decided(request, found)

    return doors.act(request, do, reverse("sync:drift"))


def _decided(request: HttpRequest, found: list[DriftFinding]) -> str:
    by, count = visitor.actor(request), plural(len(found), "difference")
    what, reason = request.POST.get("do") or request.GET.get("do"), request.POST.get("reason", "")
    if what == "push":
        resolving.push(found, by=by)
        return f"{count}: our values are on their way, and looked at again afterwards"
    if what == "adopt":
        requests = resolving.adopt(found, by=by, reason=reason)
        return f"{count}: {plural(len(requests), 'change request')} ask{'s' * (len(requests) == 1)} for the platform's values"
    if what == "ignore":
        resolving.ignore(found, reason=reason, until=_until(request), by=by)
        return f"{count} ignored"
    raise CorrectInput("Push, adopt or ignore: nothing else can be done with a difference.")


def _until(request: HttpRequest) -> date | None:
    text = request.POST.get("until", "").strip()
    if text and browsing.day(text) is None:
        raise CorrectInput("Give the last day as a date such as 2026-12-31.")
    return browsing.day(text) if text else None
