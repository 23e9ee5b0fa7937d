"""Drift: what the platforms hold other than the golden records say, and what a steward does about it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST

from mdm.errors import CorrectInput, HubError
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Action, Confirm, Empty, Fact, Link, Page, Tile
from mdm.web.tables import Cell, Column, Row, Table
from sync.models import DriftFinding, DriftRun, Target
from sync.selectors import drift_views
from sync.services import drift, resolving
from sync.web import doors
from sync.web.findings import CAUSES, KINDS, findings_of

RUNS = 12
RUN_COLUMNS = (
    Column(label="Target"),
    Column(label="State"),
    Column(label="Compared", numeric=True, priority=1),
    Column(label="Differences", numeric=True),
    Column(label="Asked for by", priority=2),
    Column(label="Started", priority=1),
)


@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    """Everything open over all targets."""
    doors.require_read(request)
    runs = list(drift_views.runs()[:RUNS])
    running = next((run for run in runs if run.state in ("queued", "running")), None)
    rows = drift_views.findings().filter(state="open")
    context = {
        "page": Page(
            title="Drift", note="What the platforms hold other than the golden records say", menu=_starts(request)
        ),
        "tiles": _tiles(rows),
        "trend": drift_views.trend(),
        "periods": [],
        "heat": drift_views.heat_map(),
        "running": _running(running) if running else None,
        "runs": _runs(runs) if runs else None,
        **_findings(request, rows),
    }
    return render(request, "sync/drift.html", context)


@visitor.page
def run(request: HttpRequest, uid: Any) -> HttpResponse:
    doors.require_read(request)
    row = drift_views.find_run(uid)
    rows = drift_views.findings().filter(last_run=row).exclude(state="resolved")
    title = f"{row.target.title}, {'one record' if row.record else 'everything'}"
    context = {
        "page": Page(
            title=f"Drift of {title}",
            crumbs=[Link(label="Drift", url=reverse("sync:drift"))],
            primary=_look_again(request, row.target),
        ),
        "run": {"state": row.state, "done": row.done, "total": row.total, "note": row.error},
        "tiles": _run_tiles(row),
        "heat": drift_views.heat_map(row),
        "facts": [
            Fact(label="State", value=row.state),
            Fact(label="Asked for by", value=row.requested_by_name, kind="person"),
            Fact(label="Started", value=row.started_at, kind="time"),
            Fact(label="Finished", value=row.finished_at, kind="time"),
            Fact(label="Correlation", value=row.correlation_id, kind="id"),
            Fact(label="Report", value=row.report_hash or None, kind="id"),
        ],
        **_findings(request, rows),
    }
    return render(request, "sync/drift_run.html", context)


def _starts(request: HttpRequest) -> list[Action]:
    return [
        doors.action(
            request,
            label=f"Look at {target.title}",
            name=f"look-{target.code}",
            url=reverse("sync:target-drift", args=[target.code]),
            icon="drift",
        )
        for target in Target.objects.filter(active=True)
    ]


def _look_again(request: HttpRequest, target: Target) -> Action:
    url = reverse("sync:target-drift", args=[target.code])
    return doors.action(request, label="Look again", name="look", url=url, icon="drift", style="primary")


def _tiles(rows: QuerySet[DriftFinding]) -> list[Tile]:
    """One per cause that needs a person, most frequent first."""
    counts = dict(rows.order_by().values_list("cause").annotate(n=Count("pk")))
    url = reverse("sync:drift")
    tiles = [Tile(label="Open differences", value=sum(counts.values()), url=url)]
    for cause, count in sorted(counts.items(), key=lambda pair: -pair[1])[:4]:
        tiles.append(Tile(label=CAUSES[cause][0], value=count, url=f"{url}?cause={cause}"))
    return tiles


def _run_tiles(row: DriftRun) -> list[Tile]:
    counts = drift_views.counts_of(row)
    return [
        Tile(label=label, value=counts.get(name, 0))
        for name, label in (
            ("scanned", "Looked at"),
            ("unchanged", "As last time"),
            ("different", "Different"),
            ("missing", "Missing there"),
            ("extra", "Extra there"),
        )
    ]


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
            Cell(value=row.target.title, kind="title", url=reverse("sync:drift-run", args=[row.uid])),
            Cell(value=row.state, kind="state", domain="import"),
            Cell(value=counts.get("scanned", 0), kind="number"),
            Cell(value=found, kind="number"),
            Cell(value=row.requested_by_name, kind="person"),
            Cell(value=row.started_at or row.created_at, kind="time"),
        ]

    return Table(caption="Drift runs", columns=RUN_COLUMNS, rows=[Row(cells=cells(row)) for row in rows])


def _findings(request: HttpRequest, rows: QuerySet[DriftFinding]) -> dict[str, Any]:
    filters = [
        Filter(name="target", words="target is", options=tuple(Target.objects.values_list("code", "title"))),
        Filter(name="cause", words="cause is", options=tuple((key, words[0]) for key, words in CAUSES.items())),
        Filter(name="kind", words="kind is", options=tuple(KINDS.items())),
        Filter(name="record", words="record is", kind="text"),
    ]
    held = {name: value for name, value in browsing.values_of(request, filters).items() if value}
    try:
        rows = drift_views.matching(rows, held)
    except HubError:
        rows = rows.none()  # a record that is no uid finds nothing
    return {
        "filters": browsing.bar(request, "Findings where", filters),
        "findings": findings_of(request, rows, _bulk(request)),
        "empty": Empty(
            title="Nothing differs" if not held else "No finding fits",
            text="Every platform that was looked at holds what the golden records say."
            if not held
            else "Take a filter away.",
            icon="ok",
        ),
    }


def _bulk(request: HttpRequest) -> list[Action]:
    url = reverse("sync:findings-decide")

    def action(what: str, label: str, icon: str, confirm: Confirm | None = None) -> Action:
        fields = {"do": what}
        return doors.action(
            request, label=label, name=f"{what}-many", url=url, icon=icon, fields=fields, confirm=confirm
        )

    return [
        action("push", "Push ours", "send"),
        action("adopt", "Adopt theirs", "pencil"),
        action("ignore", "Ignore…", "no", IGNORE),
    ]


IGNORE = Confirm(
    title="Ignore these differences?",
    body="They stay as they are at the platform and are not counted until they change.",
    button="Ignore",
    reason_label="Why this is all right",
)


@require_POST
@visitor.page
def decide(request: HttpRequest) -> HttpResponse:
    """Push, adopt or ignore one finding or many."""
    uids = request.POST.getlist("uid")[:500]
    back = visitor.onward(request, reverse("sync:drift"))
    try:
        if not uids:
            raise CorrectInput("Choose at least one finding.")
        found = [drift_views.find_finding(uid) for uid in uids]
        messages.success(request, _decided(request, found))
    except HubError as error:
        messages.error(request, error.message)
    return redirect(back)


def _decided(request: HttpRequest, found: list[DriftFinding]) -> str:
    by, what, count = visitor.actor(request), request.POST.get("do"), browsing.plural(len(found), "difference")
    if what == "push":
        resolving.push(found, by=by)
        return f"{count}: our values are on their way, and looked at again afterwards"
    if what == "adopt":
        requests = resolving.adopt(found, by=by, reason=request.POST.get("reason", ""))
        return f"{count}: {browsing.plural(len(requests), 'change request')} ask for the platform's values"
    if what == "ignore":
        until = parse_date(request.POST.get("until", "")) if request.POST.get("until") else None
        resolving.ignore(found, reason=request.POST.get("reason", ""), until=until, by=by)
        return f"{count} ignored"
    raise CorrectInput("Push, adopt or ignore: nothing else can be done with a difference.")


@require_POST
@visitor.page
def cancel(request: HttpRequest, uid: Any) -> HttpResponse:
    row = get_object_or_404(DriftRun, uid=uid)

    def do() -> str:
        drift.cancel(row, by=visitor.actor(request))
        return "The run was stopped; what it found stays"

    return doors.act(request, do, reverse("sync:drift-run", args=[uid]))
