"""The look before a replay: per target what would be sent, of which version, and then a job for each."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import Truncator
from django.views.decorators.http import require_http_methods

from mdm import permissions
from mdm.errors import CorrectInput
from mdm.selectors.visibility import Entities
from mdm.types import Problem
from mdm.web import visitor
from mdm.web.browsing import plural
from mdm.web.page import Empty, Link, Page, Tile
from mdm.web.states import look as look_of
from mdm.web.tables import Cell, Column, Field, Row, Table
from mdm.web.values import number
from sync.models.job import LIMIT
from sync.models.states import DEAD
from sync.selectors import sight
from sync.selectors.dead_letters import FILTERS, Look
from sync.services import jobs, replay
from sync.web import doors, forms, job_words

EVER = "2000-01-01T00:00:00Z"
COLUMNS = (
    Column(label="Target"),
    Column(label="Found"),
    Column(label="Lines", numeric=True, priority=2),
    Column(label="Would be sent", numeric=True),
    Column(label="Newer version", numeric=True, priority=1),
    Column(label="Left alone", priority=1),
    Column(label="At this pace", priority=2),
)
SAMPLE_COLUMNS = (
    Column(label="Record"),
    Column(label="Target", priority=1, tight=True),
    Column(label="Stopped as", tight=True),
    Column(label="Version then", numeric=True),
    Column(label="Version now", numeric=True),
    Column(label="Why it stopped", priority=1),
)


@require_http_methods(["GET", "POST"])
@visitor.page
def again(request: HttpRequest) -> HttpResponse:
    """Counted by the GET, put on record by the POST; the filter is the address."""
    wanted = _wanted(request)
    if request.method == "POST":
        return _start(request, wanted)
    found = replay.replay(filter=wanted, dry_run=True, by=visitor.actor(request))
    counts = found.counts
    queued = counts["queued"]
    context = {
        "page": Page(
            title="Send again",
            crumbs=[Link("Dead letters", reverse("sync:dead-letters")), Link("Send again", "")],
            note=_in_words(wanted),
        ),
        "tiles": [
            Tile(label="Deliveries found", value=counts["found"], note=_states(found.looks)),
            Tile(label="Records that would be sent", value=queued, note="" if _exact(found) else "at least"),
            Tile(label="Of them in a newer version", value=counts["newer"], note="than the one that stopped"),
            Tile(label="On their way already", value=counts["already_waiting"], note="left as they are"),
        ],
        "targets": _table(found.looks) if found.looks else None,
        "samples": _samples(found.looks, visitor.entities(request)),
        "large": queued > LIMIT or not _exact(found),
        "limit": LIMIT,
        "form": _form(request, queued),
        "empty": Empty(
            title="Nothing to send again",
            text="What stopped was followed up since, or the filter finds nothing.",
            icon="ok",
        ),
    }
    return render(request, "sync/replay.html", context)


def _wanted(request: HttpRequest) -> dict[str, Any]:
    """The filter in the address; without any, everything that stopped and nobody followed up."""
    given: dict[str, Any] = {}
    for name in FILTERS:
        values = [value.replace("\x00", "").strip()[:200] for value in request.GET.getlist(name)[:200]]
        values = [value for value in values if value]
        if values:
            given[name] = values[0] if name in ("created_from", "created_to", "q") else values
    if set(given.get("state", ())) == set(DEAD):
        del given["state"]  # every kind of dead letter, so: those nobody followed up
    return given or {"created_from": EVER}


def _start(request: HttpRequest, wanted: dict[str, Any]) -> HttpResponse:
    made: list[Any] = []

    def do() -> str:
        found = replay.replay(
            filter=wanted, dry_run=False, by=visitor.actor(request), forced=request.POST.get("force") == "on",
            reason=request.POST.get("reason", ""), rate_per_s=rate_of(request),
        )  # fmt: skip
        if not found.jobs:
            raise CorrectInput("There is nothing to send again.")
        made.extend(found.jobs)
        waiting = sum(job.state == "waiting" for job in found.jobs)
        if waiting:
            return f"{plural(waiting, 'job waits', 'jobs wait')} for a second person"
        return f"{plural(len(found.jobs), 'job is', 'jobs are')} under way"

    return doors.act(request, do, request.get_full_path(), lambda: _onward(made), form="replay")


def _onward(made: list[Any]) -> str:
    if len(made) == 1:
        return reverse("sync:job", args=[made[0].uid])
    return f"{reverse('sync:jobs')}?batch={made[0].batch}"


def rate_of(request: HttpRequest) -> float | None:
    text = request.POST.get("rate", "").strip().replace(",", ".")
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        text = "Give the pace as a number, such as 2.5."
        raise CorrectInput(text, problems=[Problem("rate", "no_number", text)]) from None


def _form(request: HttpRequest, queued: int) -> dict[str, Any]:
    by = visitor.actor(request)
    fields = [
        Field(
            name="rate", label="Pace, records a second", optional=True, placeholder="as fast as the target allows",
            help="Never more than the target's own rate. Urgent changes overtake it.",
        ),
        Field(name="reason", label="Why", kind="textarea", optional=True),
    ]  # fmt: skip
    if permissions.may(by, jobs.FORCE):
        words = "Send the versions as they were, not the newest. Needs a reason and a second person."
        fields.append(Field(name="force", label=words, kind="checkbox"))
    may = doors.may_act(request)
    return {
        **forms.drawn(request, "replay", fields),
        "label": f"Send {number(queued)} again",
        "allowed": may and queued > 0,
        "why_not": "" if may else doors.WHY_NOT,
    }


def _exact(found: replay.Replay) -> bool:
    return all(look.exact for look in found.looks)


def _states(looks: list[Look]) -> str:
    counts: dict[str, int] = {}
    for look in looks:
        for state, many in look.states.items():
            counts[state] = counts.get(state, 0) + many
    return ", ".join(f"{many:,} {look_of(state, 'delivery').label.lower()}" for state, many in counts.items())


def _in_words(wanted: dict[str, Any]) -> str:
    named = {name: value for name, value in wanted.items() if name not in ("uid", "created_from", "created_to")}
    parts = [f"{name.replace('_', ' ')} {_plain(value)}" for name, value in named.items()]
    if "uid" in wanted:
        parts.append(plural(len(wanted["uid"]), "chosen one"))
    parts += [f"since {wanted['created_from']}"] if wanted.get("created_from", EVER) != EVER else []
    parts += [f"before {wanted['created_to']}"] if "created_to" in wanted else []
    return " · ".join(parts)


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _table(looks: list[Look]) -> Table:
    def cells(look: Look) -> list[Cell]:
        states = ", ".join(
            f"{many:,} {look_of(state, 'delivery').label.lower()}" for state, many in look.states.items()
        )
        left = ", ".join(
            f"{many:,} {job_words.why(why)}" for why, many in look.counts.items() if why != "queued" and many
        )
        return [
            Cell(
                value=look.target.title, kind="title", url=f"{reverse('sync:dead-letters')}?target={look.target.code}"
            ),
            Cell(value=states),
            Cell(value=look.lanes, kind="number"),
            Cell(value=look.queued, kind="number", note="" if look.exact else "or more"),
            Cell(value=look.newer, kind="number"),
            Cell(value=left),
            Cell(value=job_words.duration(look.queued / look.target.rate_per_s)),
        ]

    return Table(
        caption="What would be sent, per target", columns=COLUMNS, plain=True, rows=[Row(cells=cells(x)) for x in looks]
    )


def _samples(looks: list[Look], entities: Entities) -> Table | None:
    def cells(row: Any) -> list[Cell]:
        newer = row.current is not None and row.current > row.version
        return [
            Cell(
                value=row.label or str(row.record), kind="title", sub=row.target_key,
                url=reverse("sync:delivery", args=[row.uid]),
            ),
            Cell(value=row.target.title),
            Cell(value=row.state, kind="state", domain="delivery"),
            Cell(value=row.version, kind="number"),
            Cell(value=row.current, kind="differs") if newer else Cell(value=row.current, kind="number"),
            Cell(value=Truncator(row.error_text).chars(160)),
        ]  # fmt: skip

    found = [row for look in looks for row in look.samples]
    hidden = sight.hidden_deliveries(found, entities)
    rows = [Row(cells=cells(row)) for row in found if row.pk not in hidden][:20]
    return Table(caption="Some of them", columns=SAMPLE_COLUMNS, rows=rows, plain=True) if rows else None
