"""In a change request with mapping rows: what they would change for the codes in use, and the same as a file."""

from __future__ import annotations

from datetime import date

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from dimensions.mapping_rows import MAPPINGS
from dimensions.services import rehearsing
from dimensions.services.mappings import Pair
from dimensions.services.rehearsing import Rehearsal
from dimensions.web import differences
from mdm.errors import HubError
from mdm.models import ChangeRequest
from mdm.models.change import OPEN_STATES
from mdm.reading import exports
from mdm.selectors import request_items
from mdm.services import audit
from mdm.web import browsing, visitor
from mdm.web.tables import Field

SHOWN = 25
HEADINGS = ("Mapping", "From", "To", "Tried for", *differences.HEADINGS)


@require_GET
@visitor.page
def panel(request: HttpRequest, number: int) -> HttpResponse:
    change = request_items.find(visitor.requests_seen(request), number)
    months, on = differences.months_of(request.GET), browsing.day(request.GET.get("on", ""))
    context = {
        "months": differences.months_field(months),
        "day": Field(
            name="on", label="Tried for the day", kind="date", id="rehearsed-on", value=on or "", optional=True
        ),
        "file_url": _file_url(number, months, on),
    }
    try:
        found = _rehearsed(change, months, on)
    except HubError as error:
        return render(request, "dimensions/_rehearsal.html", context | {"refused": error.message})
    parts = [
        {
            "title": title(one.pair),
            "words": differences.words(one),
            "table": differences.table(one.differences[:SHOWN]),
            "more": max(0, len(one.differences) - SHOWN),
        }
        for one in found
    ]
    return render(request, "dimensions/_rehearsal.html", context | {"parts": parts})


@require_GET
@visitor.page
def file(request: HttpRequest, number: int) -> HttpResponseBase:
    change = request_items.find(visitor.requests_seen(request), number)
    months, on = differences.months_of(request.GET), browsing.day(request.GET.get("on", ""))
    found = _rehearsed(change, months, on)
    audit.record(
        action="mappings.rehearsal_exported",
        by=visitor.actor(request),
        object_type="change_request",
        object_label=change.number,
        detail={"months": months, "on": str(on or "")},
    )
    rows = (
        (one.pair.kind, one.pair.source, one.pair.target, one.on, *values)
        for one in found
        for values in differences.file_rows(one)
    )
    name = f"{change.number}-codes-{timezone.localdate():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(exports.csv_chunks(HEADINGS, rows), content_type=exports.CSV_TYPE, headers=headers)


def _rehearsed(change: ChangeRequest, months: int, on: date | None) -> list[Rehearsal]:
    day = on or (max(change.effective_on, timezone.localdate()) if change.effective_on else None)
    pairs = rehearsing.pairs_of(change)
    return [rehearsing.rehearse_rows(pair, rows, months=months, on=day) for pair, rows in sorted(pairs.items())]


def _file_url(number: int, months: int, on: date | None) -> str:
    return reverse("dimensions:mapping-rehearsal-file", args=[number]) + f"?months={months}&on={on or ''}"


def title(pair: Pair) -> str:
    """“GL mapping GROUP → LOCAL”"""
    return f"{MAPPINGS[pair.kind].record_type.title} {pair.source or 'hub'} → {pair.target}"


def panels_of(change: ChangeRequest, types: set[str]) -> list[str]:
    """For open requests with mapping rows: what was applied cannot be tried any more."""
    if change.state not in OPEN_STATES or types.isdisjoint(MAPPINGS):
        return []
    return [reverse("dimensions:mapping-rehearsal", args=[request_items.number_of(change)])]
