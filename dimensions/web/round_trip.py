"""The rows of a mapping as a file, and back: upload, what it would do row by row, then one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dimensions import tasks
from dimensions.mapping_rows import MAPPINGS
from dimensions.models import MappingFile
from dimensions.services import row_files, row_plans
from dimensions.services.mappings import Pair
from dimensions.web.pairs import nothing, pair_of, query
from mdm import permissions
from mdm.errors import CorrectInput, HubError, NotFound
from mdm.reading import exports
from mdm.registry import RecordType
from mdm.selectors import request_items
from mdm.services import audit
from mdm.web import browsing, visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Badge, Callout, Link, Meta, Page, Tile, Tone
from mdm.web.tables import Cell, Column, Field, Option, Row, Table

SHOWN = 50
AT_ONCE = 200_000  # bytes of a file that is read while its sender waits
MODES = {"merge": "Merge: add and change, leave the others", "replace": "Replace: retire rows the file does not name"}
LISTS: dict[str, tuple[str, Tone]] = {
    "dropped": ("Dropped", "red"),
    "refused": ("Refused", "amber"),
    "changed": ("Changed", "blue"),
    "added": ("Added", "green"),
}
COLUMNS = (
    Column(label="Line", numeric=True, tight=True),
    Column(label="Row"),
    Column(label="Name", priority=1),
    Column(label="What"),
)
FORMATS = {"csv": exports.CSV_TYPE, "xlsx": exports.XLSX_TYPE}


@require_http_methods(["GET", "POST"])
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    pair, filters = pair_of(request)
    kind = visitor.kind_at(request, MAPPINGS[pair.kind].record_type.path)
    may = permissions.may(visitor.actor(request), f"propose:{kind.path}")
    empty, errors = nothing(kind, pair, may), {}
    if request.method == "POST" and empty is None:
        try:
            return _received(request, kind, pair)
        except HubError as error:
            errors = {"file": error.message}
    mode = request.POST.get("mode", "merge")
    export = reverse("dimensions:mapping-rows-export") + query(pair)
    context = {
        "page": _page("Rows as a file", pair),
        "filters": browsing.bar(request, "Rows where", filters),
        "empty": empty,
        "exports": [Link("CSV", f"{export}&format=csv"), Link("Excel", f"{export}&format=xlsx")],
        "fields": [
            Field(name="file", label="File", kind="file", accept=".csv,.xlsx", error=errors.get("file", ""),
                  help=f"CSV or XLSX with the columns of an export, at most {row_plans.MOST_ROWS:,} rows."),
            Field(name="mode", label="What it does", kind="radio", value=mode,
                  options=[Option(value=key, label=words, selected=key == mode) for key, words in MODES.items()]),
        ] if may else [],
        "recent": [] if empty else _recent(pair),
    }  # fmt: skip
    return render(request, "dimensions/rows.html", context, status=422 if errors else 200)


def _page(title: str, pair: Pair, **more: Any) -> Page:
    crumbs = [Link("Mappings", reverse("dimensions:mappings") + query(pair)), Link(title, "")]
    return Page(
        title=title, note=f"{pair.source or 'The hub'} to {pair.target}" if pair.target else "", crumbs=crumbs, **more
    )


def _received(request: HttpRequest, kind: RecordType, pair: Pair) -> HttpResponse:
    visitor.kind_at(request, kind.path, "propose")
    file, mode = request.FILES.get("file"), request.POST.get("mode", "")
    if file is None or mode not in MODES:
        raise CorrectInput("Choose a file." if file is None else "Say whether it is merged or replaces the rows.")
    held = row_files.receive(
        pair=pair, mode=mode, file_name=file.name or "file", stream=file, by=visitor.actor(request)  # type: ignore[arg-type]
    )  # fmt: skip
    _set_going(held, small=(file.size or 0) < AT_ONCE)
    return redirect("dimensions:mapping-file", held.uid)


def _set_going(held: MappingFile, *, small: bool) -> None:
    """A small file is worked on at once; a large one beside, with its progress on the page."""
    if small:
        row_files.work(held.pk)
    else:
        tasks.ring(held.pk)


def _recent(pair: Pair) -> list[Link]:
    rows = MappingFile.objects.filter(mapping=pair.kind, source=pair.source, target=pair.target).order_by("-pk")
    found = rows.only("uid", "file_name", "state", "created_by_name", "created_at")[:5]
    return [
        Link(
            f"{one.file_name}, {one.state}, by {one.created_by_name}",
            reverse("dimensions:mapping-file", args=[one.uid]),
        )
        for one in found
    ]


@require_GET
@visitor.page
def export(request: HttpRequest) -> HttpResponseBase:
    pair, _filters = pair_of(request)
    kind = visitor.kind_at(request, MAPPINGS[pair.kind].record_type.path)
    format_ = request.GET.get("format", "csv")
    if not pair.target or format_ not in FORMATS:
        raise CorrectInput("Rows can be exported as CSV or XLSX, of one mapping.")
    audit.record(
        action="records.exported",
        by=visitor.actor(request),
        object_type=kind.key,
        object_label=kind.plural,
        detail={"format": format_, "source": pair.source, "target": pair.target},
    )
    dimensions = row_plans.dimensions_of(pair)
    make = exports.csv_chunks if format_ == "csv" else exports.xlsx_chunks
    chunks = make(row_plans.headings(dimensions), row_plans.values_of(pair, dimensions))
    name = f"{kind.path}-{pair.source or 'hub'}-{pair.target}-{timezone.localdate():%Y-%m-%d}.{format_}"
    return StreamingHttpResponse(chunks, content_type=FORMATS[format_], headers=_as_file(name))


def _as_file(name: str) -> Mapping[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}


# --- one file -----------------------------------------------------------------------------------------------------------


def _at(request: HttpRequest, uid: UUID, verb: str = "read") -> MappingFile:
    held = MappingFile.objects.select_related("change", "created_by").defer("content").filter(uid=uid).first()
    if held is None:
        raise NotFound("There is no such file. Files are kept for 30 days.")
    visitor.kind_at(request, MAPPINGS[held.mapping].record_type.path, verb)
    return held


@require_GET
@visitor.page
def show(request: HttpRequest, uid: UUID) -> HttpResponse:
    return _shown(request, _at(request, uid))


def _shown(request: HttpRequest, held: MappingFile, error: str = "") -> HttpResponse:
    pair = row_files.pair_of(held)
    kind = MAPPINGS[held.mapping].record_type
    by = visitor.actor(request)
    may = permissions.may(by, f"propose:{kind.path}")
    refusal = row_files.why_not_sent(held, by) if may else f"Your role may not propose {kind.nouns}."
    meta = [Meta(text=MODES[held.mode].partition(":")[0]), Meta(text=f"by {held.created_by_name}")]
    context = {
        "page": _page(held.file_name, pair, meta=meta),
        "busy": held.state in MappingFile.BUSY,
        "done": held.done,
        "progress_url": reverse("dimensions:mapping-file-progress", args=[held.uid]),
        "callouts": _callouts(held, error),
        "tiles": [
            *(Tile(label=label, value=held.counts[name], tone=tone if held.counts[name] else "", url=f"#{name}")
              for name, (label, tone) in LISTS.items()),
            Tile(label="Unchanged", value=held.counts["unchanged"]),
        ] if held.counts else [],
        "lists": [_list(held, name) for name in LISTS if held.outcome.get(name)],
        "send": Action(label="Propose it", name="send", url=reverse("dimensions:mapping-file-send", args=[held.uid]),
                       method="post", icon="send", allowed=not refusal, why_not=refusal),
        "ready": held.state == "ready",
    }  # fmt: skip
    return render(request, "dimensions/rows_file.html", context, status=422 if error else 200)


def _callouts(held: MappingFile, error: str) -> list[Callout]:
    made = []
    if error or held.error:
        made.append(Callout(title=error or held.error, tone="red", icon="alert"))
    if held.change:
        url = reverse("web:request", args=[request_items.number_of(held.change)])
        made.append(
            Callout(
                title=f"Proposed as {held.change.number}",
                tone="green",
                icon="ok",
                action=Action(label="Open it", url=url),
            )
        )
    if held.state == "ready" and held.mode == "replace" and held.counts["dropped"]:
        words = f"{plural(held.counts['dropped'], 'row')} that the file does not name would be retired"
        made.append(Callout(title=words, body="They are listed first.", tone="amber", icon="alert"))
    return made


def _list(held: MappingFile, name: str) -> dict[str, Any]:
    label, tone = LISTS[name]
    listed = held.outcome[name]
    rows = [
        Row(title=one["code"] or one["name"], cells=[
            Cell(value=one.get("line"), kind="number") if one.get("line") else Cell(),
            Cell(value=one["code"], kind="mono") if one["code"] else Cell(note="new"),
            Cell(value=one["name"]),
            Cell(value=one["words"]),
        ])
        for one in listed[:SHOWN]
    ]  # fmt: skip
    return {
        "id": name,
        "title": label,
        "count": len(listed),
        "badge": Badge(label=label, tone=tone),
        "table": Table(caption=label, columns=COLUMNS, rows=rows),
        "more": max(0, len(listed) - SHOWN),
        "url": reverse("dimensions:mapping-file-list", args=[held.uid, name]),
    }


@require_GET
@visitor.page
def progress(request: HttpRequest, uid: UUID) -> HttpResponse:
    held = _at(request, uid)
    busy = held.state in MappingFile.BUSY
    url = reverse("dimensions:mapping-file-progress", args=[held.uid])
    answer = render(request, "dimensions/_rows_progress.html", {"busy": busy, "done": held.done, "progress_url": url})
    if not busy:
        answer["HX-Refresh"] = "true"
    return answer


@require_POST
@visitor.page
def send(request: HttpRequest, uid: UUID) -> HttpResponse:
    held = _at(request, uid, "propose")
    try:
        row_files.send(held=held, reason=request.POST.get("reason", "").strip()[:2000], by=visitor.actor(request))
    except HubError as error:
        return _shown(request, held, error.message)
    _set_going(held, small=sum(held.counts[name] for name in ("added", "changed", "dropped")) < SHOWN)
    return redirect("dimensions:mapping-file", held.uid)


@require_GET
@visitor.page
def listed(request: HttpRequest, uid: UUID, what: str) -> HttpResponseBase:
    held = _at(request, uid)
    if what not in LISTS:
        raise NotFound("There is no such list.")
    rows = ((one.get("line"), one["code"], one["name"], one["words"]) for one in held.outcome.get(what, []))
    chunks = exports.csv_chunks(("Line", "Row", "Name", "What"), rows)
    return StreamingHttpResponse(chunks, content_type=exports.CSV_TYPE, headers=_as_file(f"{what}.csv"))
