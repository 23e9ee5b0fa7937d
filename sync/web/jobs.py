"""Push jobs: the list of replays, loads and plans, one job with its rows, and the levers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mdm.errors import CorrectInput
from mdm.reading import exports
from mdm.selectors.visibility import Entities
from mdm.web import browsing, live, visitor
from mdm.web.browsing import Filter, plural
from mdm.web.page import Badge, Empty, Page
from mdm.web.states import LOOKS
from mdm.web.tables import Cell, Column, Row, Table
from sync.models import PushJob, PushRow, Target
from sync.selectors import jobs as views
from sync.selectors import sight
from sync.services import jobs
from sync.web import doors, job_page, job_words
from sync.web.findings import is_uid

COLUMNS = (
    Column(label="Job"),
    Column(label="State"),
    Column(label="Progress", tight=True, priority=1),
    Column(label="Records", numeric=True),
    Column(label="Asked for by", priority=2),
    Column(label="Approved by", priority=3),
    Column(label="When", priority=1),
)
EXPORTED = (
    "place", "type", "record", "label", "key", "effect", "changes", "planned_version", "repeated_version", "state",
    "why", "delivery",
)  # fmt: skip


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    filters = [
        Filter(name="target", words="target is", options=tuple(Target.objects.values_list("code", "title"))),
        Filter(name="kind", words="kind is", options=tuple(job_words.KINDS.items())),
        Filter(name="state", words="state is", options=tuple((key, one.label) for key, one in LOOKS["job"].items())),
    ]
    held = dict(browsing.values_of(request, filters))
    batch = request.GET.get("batch", "")
    rows = views.matching(views.jobs(), held | {"batch": batch if is_uid(batch) else ""})
    part = browsing.cut(request, rows, size=50)
    context = {
        "page": Page(title="Push jobs", note="Replays, loads and plans: many records to one target"),
        "filters": browsing.bar(request, "Push jobs where", filters, keep=("batch",)),
        "table": _table(part.rows) if part.rows else None,
        "pager": browsing.pager(request, part, "jobs"),
        "live": any(job.state in job_page.MOVING for job in part.rows),
        "empty": Empty(
            title="No push job fits" if request.GET else "No push job yet",
            text="Take a filter away." if request.GET else "Replays of dead letters, whole loads and plans stand here.",
            icon="send",
        ),
    }
    return render(request, "sync/jobs.html", context)


def _table(rows: list[PushJob]) -> Table:
    def cells(job: PushJob) -> list[Cell]:
        badges = [Badge(label="As it was", tone="amber", icon="history", outline=True)] if job.forced else []
        share = 0 if job.state == "waiting" else views.progress(job)
        return [
            Cell(
                value=job_words.title(job), kind="title", url=reverse("sync:job", args=[job.uid]),
                sub=job.reason[:80], badges=badges,
            ),
            Cell(value=job.state, kind="state", domain="job", loud=job.state in ("waiting", "stale", "failed")),
            Cell(value=round((share or 0) * 100), kind="progress"),
            Cell(value=job.total, kind="number"),
            Cell(value=job.requested_by_name, kind="person"),
            Cell(value=views.name_of(job.approved_by) if job.approved_by else None, kind="person")
            if job.approved_by
            else Cell(value="", note="needs somebody" if job.state == "waiting" and job.needs_approval else ""),
            Cell(value=job.created_at, kind="time"),
        ]  # fmt: skip

    return Table(caption="Push jobs", columns=COLUMNS, rows=[Row(cells=cells(job)) for job in rows])


@require_GET
@visitor.page
def detail(request: HttpRequest, uid: Any) -> HttpResponse:
    doors.require_read(request)
    context = job_page.build(request, views.find(uid))
    return live.ended(request, render(request, "sync/job.html", context), live=context["job"]["live"])


@require_GET
@visitor.page
def export(request: HttpRequest, uid: Any) -> StreamingHttpResponse:
    """Every row of the job: what was planned, what came of it. Bank numbers are masked."""
    doors.require_read(request)
    job, seen = views.find(uid), visitor.entities(request)
    head = [*EXPORTED, f"job {job.uid}", f"hash {job.content_hash}"]

    def lines() -> Iterator[list[Any]]:
        rows = views.rows_of(job, seen).order_by("place").iterator(chunk_size=2000)
        for row, changes in _with_changes(rows, seen):
            yield [
                row.place, row.type, row.record, row.label, row.key, row.effect, changes, row.planned_version,
                row.version, row.state, row.why, row.made.uid if row.made else None,
            ]  # fmt: skip

    response = StreamingHttpResponse(exports.csv_chunks(head, lines()), content_type=exports.CSV_TYPE)
    name = f"{job.kind}-{job.target.code}-{job.created_at:%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _with_changes(rows: Iterator[PushRow], entities: Entities) -> Iterator[tuple[PushRow, str]]:
    """Each row with its changes in words; what is hidden is looked up for a thousand at a time."""
    for some in sight.parts(rows):
        seen = views.sight_of(some, entities)
        for row in some:
            changes = views.changes_of(row, seen)
            words = [f"{c['field']}: {c['theirs']} → {c['ours']}" for c in changes]
            yield row, "; ".join([*words, sight.HIDDEN] if len(changes) < len(row.changes) else words)


def _lever(request: HttpRequest, uid: Any, do: Callable[[PushJob], str]) -> HttpResponse:
    return doors.act(request, lambda: do(views.find(uid)), reverse("sync:job", args=[uid]))


@require_POST
@visitor.page
def approve(request: HttpRequest, uid: Any) -> HttpResponse:
    def do(job: PushJob) -> str:
        seen = request.POST.get("content_hash", "")
        jobs.approve(job, by=visitor.actor(request), content_hash=seen, comment=request.POST.get("comment", ""))
        return f"{plural(job.sends, 'record goes', 'records go')} to {job.target.title}"

    return _lever(request, uid, do)


@require_POST
@visitor.page
def refuse(request: HttpRequest, uid: Any) -> HttpResponse:
    def do(job: PushJob) -> str:
        jobs.refuse(job, by=visitor.actor(request), reason=request.POST.get("reason", ""))
        return "Refused: nothing is sent"

    return _lever(request, uid, do)


@require_POST
@visitor.page
def move(request: HttpRequest, uid: Any) -> HttpResponse:
    """Pause, resume or cancel."""
    moves = {
        "pause": (jobs.pause, "Paused: no further record is queued"),
        "resume": (jobs.resume, "It goes on"),
        "cancel": (jobs.cancel, "Cancelled: what was not queued is not sent"),
    }

    def do(job: PushJob) -> str:
        wanted = moves.get(request.POST.get("do", ""))
        if wanted is None:
            raise CorrectInput("Say what to do: pause, resume or cancel.")
        wanted[0](job, by=visitor.actor(request))
        return wanted[1]

    return _lever(request, uid, do)


@require_POST
@visitor.page
def repeat(request: HttpRequest, uid: Any) -> HttpResponse:
    """What failed once more, or a stale plan anew; leads to the new job."""
    job = views.find(uid)
    made: list[PushJob] = []

    def do() -> str:
        again = jobs.repeat_failed if job.kind != "plan" or job.state == "done" else jobs.plan_again
        made.append(again(job, by=visitor.actor(request)))
        return "Planned again" if made[0].kind == "plan" else "What failed is sent again"

    page = reverse("sync:job", args=[uid])
    return doors.act(request, do, page, lambda: reverse("sync:job", args=[made[0].uid]))
