"""One correlation id from who asked to what the targets answered: the chain on one page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from mdm.errors import NotFound
from mdm.selectors import records
from mdm.web import visitor
from mdm.web.browsing import plural
from mdm.web.page import Badge, Link, Meta, Page, Step
from mdm.web.pointers import request_url
from mdm.web.tables import Cell, Column, Row, Table
from sync.models import Delivery
from sync.models.states import DEAD
from sync.selectors import chain, ledger
from sync.selectors.chain import Chain
from sync.web import delivery_page, doors, job_words

REQUESTS = (Column(label="Request"), Column(label="State"), Column(label="By", priority=1), Column(label="When"))
EVENTS = (
    Column(label="Record"),
    Column(label="What happened"),
    Column(label="Version", numeric=True),
    Column(label="Number", numeric=True, priority=2),
    Column(label="When", priority=1),
)
FEW = 5  # deliveries that lie open however they went
JOBS = (Column(label="Job"), Column(label="State"), Column(label="Done", numeric=True), Column(label="By", priority=1))


@require_GET
@visitor.page
def show(request: HttpRequest, correlation_id: str) -> HttpResponse:
    doors.require_read(request)
    by, seen = visitor.actor(request), visitor.entities(request)
    found = chain.of(correlation_id, by=by, entities=seen, exchanges=True)
    if not found:
        raise NotFound("Nothing carries this correlation id.")
    context = {
        "page": Page(
            title="From the request to the answer",
            crumbs=[Link("Deliveries", reverse("sync:deliveries")), Link("Correlation", "")],
            meta=[Meta(kind="id", text=found.id)],
        ),
        "steps": _steps(found),
        "requests": _requests(found),
        "events": _events(found),
        "jobs": _jobs(found),
        "deliveries": [
            _delivery(row, few=len(found.deliveries) <= FEW, hidden=row.pk in found.silent) for row in found.deliveries
        ],
        "more_url": f"{reverse('sync:deliveries')}?correlation_id={found.id}" if found.more else "",
    }
    return render(request, "sync/chain.html", context)


def _steps(found: Chain) -> list[Step]:
    """The chain in four words: where it came from, what was applied, what was sent, what came of it."""
    posted = sum(row.state == "posted" for row in found.deliveries)
    verified = sum(row.verified for row in found.deliveries)
    total = len(found.deliveries)
    began = min([*(row.created_at for row in found.requests), *(job.created_at for job in found.jobs)], default=None)
    asked = plural(len(found.requests), "change request") if found.requests else plural(len(found.jobs), "push job")
    return [
        Step(title="Asked for", state="done" if began else "open", at=began, body=asked),
        Step(
            title="Applied", state="done" if found.events else "open", at=found.events[0].at if found.events else None,
            body=plural(len(found.events), "event"),
        ),
        Step(
            title="Sent", state="done" if total else "open", at=found.deliveries[0].created_at if total else None,
            body=plural(total, "delivery", "deliveries") + (" shown, there are more" if found.more else ""),
        ),
        Step(
            title="Answered",
            state="done" if total and posted == total else "refused" if _stopped(found) else "now" if total else "open",
            body=f"{posted} of {total} posted, {verified} verified",
        ),
    ]  # fmt: skip


def _stopped(found: Chain) -> bool:
    return any(row.state in ("rejected", "failed", "poison") and row.corrected_by is None for row in found.deliveries)


def _requests(found: Chain) -> Table | None:
    rows = [
        Row(
            cells=[
                Cell(value=row.title, kind="title", url=request_url(row), sub=row.number),
                Cell(value=row.state, kind="state", domain="request"),
                Cell(value=row.requester_name, kind="person"),
                Cell(value=row.created_at, kind="time"),
            ]
        )
        for row in found.requests
    ]
    return Table(caption="Change requests", columns=REQUESTS, rows=rows, plain=True) if rows else None


def _events(found: Chain) -> Table | None:
    names: dict[tuple[str, str], tuple[str, str]] = {}
    for type in {event.type for event in found.events}:
        named = records.names(type, {str(event.subject) for event in found.events if event.type == type})
        names |= {(type, str(uid)): name for uid, name in named.items()}
    rows = []
    for event in found.events:
        code, name = names.get((event.type, str(event.subject)), ("", "A record"))
        url = doors.record_link(event.type, event.subject)
        cells = [
            Cell(value=name, kind="title", url=url, sub=code),
            Cell(value=event.verb.capitalize()),
            Cell(value=event.version, kind="number"),
            Cell(value=event.seq, kind="number"),
            Cell(value=event.at, kind="time"),
        ]
        rows.append(Row(cells=cells))
    return Table(caption="Events", columns=EVENTS, rows=rows, plain=True) if rows else None


def _jobs(found: Chain) -> Table | None:
    rows = [
        Row(
            cells=[
                Cell(value=job_words.title(job), kind="title", url=reverse("sync:job", args=[job.uid])),
                Cell(value=job.state, kind="state", domain="job"),
                Cell(value=job.done, kind="number"),
                Cell(value=job.requested_by_name, kind="person"),
            ]
        )
        for job in found.jobs
    ]
    return Table(caption="Push jobs", columns=JOBS, rows=rows, plain=True) if rows else None


def _delivery(row: Delivery, few: bool, hidden: bool) -> dict[str, Any]:
    """Its story with every attempt, and what the target answered to the last thing it was told to write."""
    attempts = list(row.attempt_rows.all())
    said = [one for attempt in attempts for one in getattr(getattr(attempt, "result", None), "exchanges", [])]
    told = [one for one in said if one["method"] != "GET"] or said
    return {
        "title": f"{row.label or row.record} to {row.target.title}",
        "url": reverse("sync:delivery", args=[row.uid]),
        "badge": Badge(state=ledger.shown_state(row), domain="delivery"),
        "key": row.target_key,
        # Of many only those that stopped lie open: what went well is counted above.
        "open": few or row.state in DEAD,
        "story": delivery_page.story(row, attempts, hidden),
        "answer": delivery_page.exchange(told[-1]) if told and not hidden else None,
    }
