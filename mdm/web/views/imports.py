"""Files that came in: the list, a new one, its progress, what became of its rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.text import get_valid_filename
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mdm import registry
from mdm.errors import CorrectInput, HubError, NotAllowed, NotFound
from mdm.models import ImportJob, System
from mdm.permissions import may
from mdm.selectors import imports
from mdm.services import importing
from mdm.types import Actor
from mdm.web import browsing, import_outcome, import_pages, import_words, quarantine_grid, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Action, Empty, Link, Page
from mdm.web.tables import Field, Option
from mdm.web.visitor import link

STATES = [
    ("uploaded", "Not started"), ("queued", "Queued"), ("running", "Running"), ("done", "Done"), ("failed", "Stopped"),
    ("cancelled", "Cancelled"),
]  # fmt: skip


def job_at(request: HttpRequest, uid: UUID, *, to_change: bool = False) -> ImportJob:
    """The import, when the person may see it (or load such records)."""
    by = visitor.actor(request)
    job = imports.visible(by, visitor.entities(request)).filter(uid=uid).first()
    if job is None:
        raise NotFound("There is no such import.")
    if to_change:
        require_propose(by, registry.get(job.type))
    return job


def require_propose(by: Actor, kind: registry.RecordType) -> None:
    if not may(by, f"propose:{kind.path}"):
        raise NotAllowed(f"Your role may not load {kind.nouns}. A governance lead can change that.")


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    by = visitor.actor(request)
    filters = _filters()
    held = browsing.values_of(request, filters)
    rows = imports.visible(by, visitor.entities(request)).filter(
        **{name: value for name, value in held.items() if value}
    )
    part = browsing.cut(request, rows)
    propose = any(may(by, f"propose:{kind.path}") for kind in registry.all_types())
    new = (
        Action(label="Import a file", url=link("web:import-new"), icon="upload", key="n", name="new")
        if propose
        else None
    )
    context = {
        "page": Page(title="Imports", primary=new),
        "filters": browsing.bar(request, "Imports where", filters),
        "table": import_pages.table(part.rows, imports.in_quarantine(part.rows)),
        "pager": browsing.pager(request, part, "imports"),
        "empty": _empty(bool(any(held.values())), new),
    }
    return render(request, "web/imports.html", context)


def _filters() -> list[Filter]:
    systems = list(System.objects.values_list("code", "title"))
    types = [(kind.key, kind.plural) for kind in registry.all_types()]
    return [
        Filter(name="system__code", words="system is", options=systems),
        Filter(name="type", words="type is", options=types),
        Filter(name="state", words="state is", options=STATES),
    ]


def _empty(filtered: bool, new: Action | None) -> Empty:
    if filtered:
        return Empty(title="No import is like that", text="Take a filter away to see more.", icon="filter")
    text = "A file from a platform becomes golden records here: known ones are linked, doubtful ones wait for you."
    return Empty(title="No file was imported yet", text=text, icon="upload", actions=[new] if new else [])


@require_http_methods(["GET", "POST"])
@visitor.page
def new(request: HttpRequest) -> HttpResponse:
    by = visitor.actor(request)
    kinds = [kind for kind in registry.all_types() if may(by, f"propose:{kind.path}")]
    if not kinds:
        raise NotAllowed("Your role may not load files. A governance lead can change that.")
    if request.method == "GET":
        return _new_page(request, kinds)
    system = System.objects.filter(code=request.POST.get("system", "")).first()
    file = request.FILES.get("file")
    if file is None or system is None:
        missing = {
            "file": "" if file else "Choose a file.",
            "system": "" if system else "Choose the system it comes from.",
        }
        return _new_page(request, kinds, missing, status=422)
    try:
        job = importing.receive(
            system=system, type=request.POST.get("type", ""), file_name=file.name or "file", stream=file, by=by, start=False  # type: ignore[arg-type]
        )  # fmt: skip
    except HubError as error:
        visitor_status = visitor.status_of(error)
        return _new_page(request, kinds, {"file": error.message}, status=visitor_status)
    return redirect("web:import-map", job.uid)


def _new_page(
    request: HttpRequest, kinds: list[registry.RecordType], errors: dict[str, str] | None = None, *, status: int = 200
) -> HttpResponse:
    wrong = errors or {}
    told = request.POST or request.GET  # a link may say what is to be imported
    system, type_ = told.get("system", ""), told.get("type", "")
    options = [Option(value="", label="Choose a system", selected=not system)]
    options += [Option(value=s.code, label=s.title, selected=s.code == system) for s in System.objects.all()]
    types = [Option(value=k.key, label=k.plural, selected=k.key == type_) for k in _matched_first(kinds)]
    help_ = "The first row names the columns. CSV in any usual encoding, XLSX, or NDJSON with one object per line."
    form = {
        "url": request.path,
        "errors": [{"id": name, "text": text} for name, text in wrong.items() if text],
        "file": {"name": "file", "error": wrong.get("file", ""), "help": help_},
        "fields": [
            Field(name="system", label="System", kind="select", options=options, error=wrong.get("system", ""),
                  help="Its column mapping and its rank for survivorship are used."),
            Field(name="type", label="Records", kind="select", options=types, error=wrong.get("type", "")),
        ],
    }  # fmt: skip
    steps = [{"label": label, "state": state} for label, state in
             (("File", "now"), ("Columns", "open"), ("Run", "open"), ("Done", "open"))]  # fmt: skip
    page = Page(title="Import a file", crumbs=[Link("Imports", link("web:imports")), Link("New", "")])
    return render(request, "web/import_new.html", {"page": page, "form": form, "steps": steps}, status=status)


def _matched_first(kinds: list[registry.RecordType]) -> list[registry.RecordType]:
    return sorted(kinds, key=lambda kind: kind.match is None)


@require_GET
@visitor.page
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    job = job_at(request, uid)
    if job.state == "uploaded" and may(visitor.actor(request), f"propose:{registry.get(job.type).path}"):
        return redirect("web:import-map", uid)
    return show(request, job)


def show(
    request: HttpRequest,
    job: ImportJob,
    *,
    typed: quarantine_grid.Typed | None = None,
    refused: dict[str, HubError] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of an import; with `typed` and `refused` a grid comes back as it was sent."""
    by = visitor.actor(request)
    waiting = imports.in_quarantine([job]).get(job.pk, 0)
    corrects = may(by, f"propose:{registry.get(job.type).path}")
    context: dict[str, Any] = {
        "page": import_pages.page(job, by, waiting),
        "callouts": import_pages.callouts(job),
        "run": import_pages.run(job),
        "progress_url": link("web:import-progress", job.uid),
        "quarantine": quarantine_grid.build(request, job, typed=typed, refused=refused) if waiting else None,
        "may_correct": corrects,
    }
    context |= _rows(request, job)
    return render(request, "web/import_detail.html", context, status=status)


def _rows(request: HttpRequest, job: ImportJob) -> dict[str, Any]:
    """The rows behind one of the numbers, when it was chosen."""
    outcome = request.GET.get("outcome", "")
    if outcome not in import_words.NAMES or outcome == "quarantined":
        return {}
    part = browsing.cut(request, imports.rows_with(job, outcome), order=("row",))
    note = "" if part.next else import_pages.unlisted(job, outcome)
    return {
        "rows_title": import_words.NAMES[outcome],
        "rows": import_pages.rows_table(job, part.rows, outcome),
        "rows_pager": browsing.pager(request, part, "rows", ends=note),
    }


@require_GET
@visitor.page
def progress(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The polled part. Once the run ended the whole page is drawn again, with quarantine and what to do next."""
    job = job_at(request, uid)
    run = import_pages.run(job)
    response = render(request, "web/_import_progress.html", {"run": run, "progress_url": request.path})
    if run["state"] not in import_pages.LIVE:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@visitor.page
def cancel(request: HttpRequest, uid: UUID) -> HttpResponse:
    job = job_at(request, uid, to_change=True)
    try:
        importing.cancel(job=job, by=visitor.actor(request))
    except HubError as error:
        messages.error(request, error.message)
        return show(request, job_at(request, uid), status=visitor.status_of(error))
    messages.success(request, "The import was stopped. What it had taken in stays.")
    return redirect("web:import", uid)


@require_GET
@visitor.page
def outcome(request: HttpRequest, uid: UUID) -> HttpResponse | StreamingHttpResponse:
    """The file with a column that says what became of each row."""
    job = job_at(request, uid)
    if job.state == "uploaded":
        raise CorrectInput("This import was not started: nothing became of its rows yet.")
    stem = get_valid_filename(job.file_name.rpartition(".")[0] or job.file_name)
    response = StreamingHttpResponse(import_outcome.chunks(job), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{stem}-outcome.csv"'
    return response
