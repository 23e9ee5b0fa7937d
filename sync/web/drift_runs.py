"""One drift run: how far it is, what it found, its report as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mdm.crypto import mask_tree
from mdm.reading import exports
from mdm.web import live, visitor
from mdm.web.page import Action, Badge, Callout, Fact, Link, Meta, Page, Tile
from sync.models import DriftFinding, DriftRun, Target
from sync.selectors import drift_views, sight
from sync.services import drift
from sync.web import doors
from sync.web.drift import LIVE_RUNS, heat_url
from sync.web.findings import listed

REPORT = (
    "target",
    "type",
    "record",
    "label",
    "target_key",
    "kind",
    "field",
    "path",
    "golden",
    "target_value",
    "cause",
    "state",
)


@require_GET
@visitor.page
def run(request: HttpRequest, uid: Any) -> HttpResponse:
    doors.require_read(request)
    row = drift_views.find_run(uid)
    moving = row.state in LIVE_RUNS
    stop = doors.action(
        request, label="Stop this run", name="stop", url=reverse("sync:drift-cancel", args=[uid]), icon="no",
    )  # fmt: skip
    report = Action(label="Download the report", url=reverse("sync:drift-report", args=[uid]), icon="download")
    context = {
        "page": Page(
            title=f"Drift of {row.target.title}",
            crumbs=[Link("Drift", reverse("sync:drift")), Link(row.target.title, "")],
            badges=[Badge(state=row.state, domain="drift")],
            meta=[
                Meta(text="One record" if row.record else "All its records"),
                Meta(kind="person", text=row.requested_by_name, at=row.created_at),
            ],
            menu=[stop] if moving else [report],
            primary=None if moving else _look_again(request, row.target),
        ),
        "run": {"state": row.state, "done": row.done, "total": row.total, "note": ""},
        "callouts": [Callout(title="The run stopped", body=row.error, tone="red", icon="alert")] if row.error else [],
        "tiles": _run_tiles(row),
        "heat": drift_views.heat_map(row, heat_url),
        "facts": _run_facts(row),
        **listed(request, drift_views.findings(visitor.entities(request)).filter(last_run=row)),
    }
    return live.ended(request, render(request, "sync/drift_run.html", context), live=moving)


def _run_facts(row: DriftRun) -> list[Fact]:
    rate = row.timings.get("records_per_s")
    return [
        Fact(label="Started", value=row.started_at, kind="time"),
        Fact(label="Took", value=f"{row.timings['seconds']:,.1f} s" if row.timings.get("seconds") else None,
             note=f"{rate:,.1f} records a second" if rate else ""),
        Fact(label="Fingerprint", value=row.report_hash, kind="id", note="stands in the report too"),
        Fact(label="Correlation", value=row.correlation_id, kind="id"),
    ]  # fmt: skip


def _look_again(request: HttpRequest, target: Target) -> Action:
    url = reverse("sync:target-drift", args=[target.code])
    fields = {"next": reverse("sync:drift")}
    return doors.action(request, label="Check again now", name="look", url=url, icon="refresh", fields=fields)


def _run_tiles(row: DriftRun) -> list[Tile]:
    counts = drift_views.counts_of(row)
    return [
        Tile(label=label, value=counts.get(name, 0), note=note)
        for name, label, note in (
            ("scanned", "Looked at", f"{counts['unchanged']:,} as last time"),
            ("different", "Different", f"{counts['new_findings']:,} new"),
            ("missing", "Missing there", ""),
            ("extra", "Extra there", ""),
            ("resolved", "Gone", "since the last look"),
        )
    ]


@require_POST
@visitor.page
def cancel(request: HttpRequest, uid: Any) -> HttpResponse:
    row = get_object_or_404(DriftRun, uid=uid)

    def do() -> str:
        drift.cancel(row, by=visitor.actor(request))
        return "The run was stopped; what it found stays"

    return doors.act(request, do, reverse("sync:drift-run", args=[uid]))


@require_GET
@visitor.page
def report(request: HttpRequest, uid: Any) -> HttpResponse | StreamingHttpResponse:
    """What a run found, as a table; its first line tells which run and the fingerprint it is recognised by."""
    doors.require_read(request)
    row, seen = drift_views.find_run(uid), visitor.entities(request)
    if row.state in LIVE_RUNS:
        return redirect("sync:drift-run", uid)
    head = [*REPORT, f"run {row.uid}", f"fingerprint {row.report_hash}"]

    def lines() -> Iterator[list[Any]]:
        found = drift_views.findings(seen).filter(last_run=row).order_by("target_key", "record", "kind", "field")
        for some in sight.parts(found.iterator(chunk_size=1000)):
            hidden = drift_views.sight_of(some, seen)
            for one in some:
                yield [mask_tree(value) for value in _reported(one, drift_views.hides(one, hidden))]

    response = StreamingHttpResponse(exports.csv_chunks(head, lines()), content_type=exports.CSV_TYPE)
    response["Content-Disposition"] = f'attachment; filename="drift-{row.target.code}-{row.created_at:%Y-%m-%d}.csv"'
    return response


def _reported(one: DriftFinding, hidden: bool) -> list[Any]:
    own = {"target": one.target.code} | ({"golden": sight.HIDDEN, "target_value": sight.HIDDEN} if hidden else {})
    return [own[name] if name in own else getattr(one, name) for name in REPORT]
