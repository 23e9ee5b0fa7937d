"""Dead letters: everything that was refused, failed or set aside, found by filter, exported, chosen to be sent again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator
from django.views.decorators.http import require_GET, require_POST

from mdm import registry
from mdm.errors import CorrectInput
from mdm.reading import exports
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Action, Empty, Page, Tile
from mdm.web.states import look
from mdm.web.tables import Cell, Column, Row, Table
from sync.models import Delivery, Target
from sync.models.states import DEAD
from sync.selectors import dead_letters, sight
from sync.web import doors

FORM = "letters-form"
AGES = {
    "1h": ("in the last hour", timedelta(hours=1)),
    "1d": ("in the last day", timedelta(days=1)),
    "7d": ("in the last week", timedelta(days=7)),
    "-1d": ("more than a day ago", timedelta(days=1)),
    "-7d": ("more than a week ago", timedelta(days=7)),
    "-30d": ("more than 30 days ago", timedelta(days=30)),
}
FOLLOWED = (("no", "not yet"), ("yes", "since then"))
COLUMNS = (
    Column(label="Record"),
    Column(label="Target", priority=1, tight=True),
    Column(label="State", tight=True),
    Column(label="Why"),
    Column(label="Version", numeric=True, priority=2),
    Column(label="Attempts", numeric=True, priority=3),
    Column(label="Since", priority=1, tight=True),
)
EXPORTED = (
    "uid", "target", "type", "record", "label", "target_key", "action", "version", "state", "error_code", "error_text",
    "attempts", "created_at", "changed_at", "correlation_id", "corrected_by",
)  # fmt: skip


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    filters = _filters()
    held = browsing.values_of(request, filters)
    rows = _matching(request, held)
    part = browsing.cut(request, rows.select_related("target", "corrected_by"), size=50)
    may_act = doors.may_act(request)
    hidden = sight.hidden_deliveries(part.rows, visitor.entities(request))
    listed = [_row(row, hidden=row.pk in hidden) for row in part.rows]
    table = Table(caption="Dead letters", columns=COLUMNS, rows=listed, selectable=may_act, form_id=FORM)
    context = {
        "page": Page(
            title="Dead letters",
            note="What did not arrive and is not tried any more; kept for ever",
            menu=[Action(label="Download this list", url=_with("sync:dead-letters-export", request), icon="download")],
            primary=_again(request, held, rows),
        ),
        "tiles": _tiles(held["state"]),
        "filters": browsing.bar(request, "Dead letters where", filters, placeholder="Name, key or error"),
        "table": table if part.rows else None,
        "pager": browsing.pager(request, part, "dead letters"),
        "bulk": [_chosen(request)] if may_act else [],
        "empty": Empty(
            title="No dead letter fits" if request.GET else "No dead letters",
            text="Take a filter away." if request.GET else "Everything that was to be sent arrived, or is on its way.",
            icon="ok",
        ),
    }
    return render(request, "sync/dead_letters.html", context)


def _filters() -> list[Filter]:
    kinds = tuple((kind.key, kind.plural) for kind in registry.all_types())
    return [
        Filter(name="target", words="target is", options=tuple(Target.objects.values_list("code", "title"))),
        Filter(name="type", words="type is", options=kinds),
        Filter(name="state", words="state is", options=tuple((one, look(one, "delivery").label) for one in DEAD)),
        Filter(name="code", words="code is", label="Code", kind="text"),
        Filter(
            name="age", words="it died", label="When", options=tuple((key, said) for key, (said, _) in AGES.items())
        ),
        Filter(name="followed", words="followed up", label="Followed up", options=FOLLOWED, default="no"),
    ]


def _matching(request: HttpRequest, held: Mapping[str, str]) -> QuerySet[Delivery]:
    rows = sight.seen(dead_letters.select(_wanted(request, held)), visitor.entities(request))
    if held["followed"] == "no":
        rows = rows.filter(corrected_by=None)
    elif held["followed"] == "yes":
        rows = rows.exclude(corrected_by=None)
    return rows.order_by("-pk")


def _wanted(request: HttpRequest, held: Mapping[str, str]) -> dict[str, Any]:
    """The filter of the list as a replay understands it; moments are fixed, so that a look and what follows agree."""
    wanted: dict[str, Any] = {"state": held["state"] or list(DEAD)}
    wanted |= {name: held[name] for name in ("target", "type") if held[name]}
    if held["code"]:
        wanted["error_code"] = held["code"].replace("\x00", "")
    if words := request.GET.get("q", "").replace("\x00", "").strip()[:100]:
        wanted["q"] = words
    if held["age"]:
        moment = (timezone.now() - AGES[held["age"]][1]).isoformat(timespec="seconds")
        wanted["created_to" if held["age"].startswith("-") else "created_from"] = moment
    return wanted


def _tiles(held: str) -> list[Tile]:
    found = dead_letters.dead().order_by().values_list("state").annotate(n=Count("pk"))
    counts = dict(found)
    notes = {
        "rejected": "the platform refused the data",
        "failed": "given up after many tries",
        "poison": "its line is held until it is released",
    }
    url = reverse("sync:dead-letters")
    return [
        Tile(
            label=look(one, "delivery").label, value=counts.get(one, 0), note=notes[one], url=f"{url}?state={one}",
            current=held == one,
        )
        for one in DEAD
    ]  # fmt: skip


def _row(row: Delivery, *, hidden: bool) -> Row:
    followed = row.corrected_by is not None
    return Row(
        uid="" if followed else str(row.uid),
        title=row.label or str(row.record),
        cells=[
            Cell(
                value=row.label or str(row.record), kind="title", sub=row.target_key,
                url=reverse("sync:delivery", args=[row.uid]),
            ),
            Cell(value=row.target.title),
            Cell(value="corrected" if followed else row.state, kind="state", domain="delivery", loud=not followed),
            Cell(value=sight.HIDDEN if hidden else Truncator(row.error_text).chars(200), sub=row.error_code.replace("_", " ")),
            Cell(value=row.version, kind="number"),
            Cell(value=row.attempts, kind="number"),
            Cell(value=row.changed_at, kind="time"),
        ],
    )  # fmt: skip


def _again(request: HttpRequest, held: Mapping[str, str], rows: QuerySet[Delivery]) -> Action:
    _, number = browsing.counted(rows.filter(corrected_by=None))
    url = f"{reverse('sync:replay')}?{urlencode(_wanted(request, held), doseq=True)}"
    return Action(
        label=f"Send {number} again…",
        url=url,
        icon="refresh",
        allowed=doors.may_act(request) and number != "0",
        why_not=doors.WHY_NOT if not doors.may_act(request) else "There is nothing to send again here.",
    )


def _chosen(request: HttpRequest) -> Action:
    return Action(
        label="Send again", name="again", url=reverse("sync:dead-letters-again"), icon="refresh", method="post"
    )


def _with(view: str, request: HttpRequest) -> str:
    return f"{reverse(view)}?{request.GET.urlencode()}" if request.GET else reverse(view)


@require_POST
@visitor.page
def again(request: HttpRequest) -> HttpResponse:
    """What was chosen leads to the look before a replay, like a filter does."""
    chosen = request.POST.getlist("uid")[:200]
    if not chosen:
        raise CorrectInput("Choose at least one dead letter.")
    return redirect(f"{reverse('sync:replay')}?{urlencode({'uid': chosen}, doseq=True)}")


@require_GET
@visitor.page
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The list as it is filtered, all of it."""
    doors.require_read(request)
    rows = _matching(request, browsing.values_of(request, _filters())).select_related("target", "corrected_by")

    def lines() -> Iterator[list[Any]]:
        for some in sight.parts(rows.iterator(chunk_size=2000)):
            hidden = sight.hidden_deliveries(some, visitor.entities(request))
            for row in some:
                plain = {"target": row.target.code, "corrected_by": row.corrected_by.uid if row.corrected_by else None}
                plain |= {"error_text": sight.HIDDEN} if row.pk in hidden else {}
                yield [plain.get(name, getattr(row, name)) for name in EXPORTED]

    response = StreamingHttpResponse(exports.csv_chunks(EXPORTED, lines()), content_type=exports.CSV_TYPE)
    response["Content-Disposition"] = f'attachment; filename="dead-letters-{timezone.now():%Y-%m-%d}.csv"'
    return response
