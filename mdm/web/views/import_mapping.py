"""The columns of an uploaded file: look at them, map them, rehearse, start."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from mdm import registry
from mdm.errors import CorrectInput, HubError
from mdm.models import ImportJob
from mdm.reading import columns as reading
from mdm.selectors import imports
from mdm.services import importing, rehearsal
from mdm.types import Problem
from mdm.web import import_columns, visitor
from mdm.web.page import Action, Callout, Confirm, Link, Meta, Page
from mdm.web.values import number
from mdm.web.views.imports import job_at
from mdm.web.visitor import link


@require_http_methods(["GET", "POST"])
@visitor.page
def columns(request: HttpRequest, uid: UUID) -> HttpResponse:
    job = job_at(request, uid, to_change=True)
    if job.state != "uploaded":
        if request.method == "POST":
            messages.warning(request, "This import was started already; its mapping can no longer be changed.")
        return redirect("web:import", uid)
    look = importing.look(job)
    if request.method == "GET":
        return _page(request, job, look, job.mapping)
    names = [column["name"] for column in look["columns"]]
    spec = import_columns.read_form(names, request.POST, job.mapping)
    try:
        return _act(request, job, look, spec)
    except HubError as error:
        return _page(request, job, look, spec, error=error, status=visitor.status_of(error))


def _act(request: HttpRequest, job: ImportJob, look: dict[str, Any], spec: import_columns.Spec) -> HttpResponse:
    by = visitor.actor(request)
    job = rehearsal.keep_mapping(job=job, mapping=spec, by=by)
    action = request.POST.get("action", "preview")
    if action == "run":
        importing.enqueue(job=job, by=by, mapping=spec)
        messages.success(request, "The import is on its way.")
        return redirect("web:import", job.uid)
    if action == "save":
        messages.success(request, "The mapping is kept with this file. Nothing was started.")
        return redirect("web:import-map", job.uid)
    found = rehearsal.rehearse(job=job, mapping=spec, by=by)
    return _page(request, job, look, spec, preview=import_columns.preview(registry.get(job.type), found))


def _page(
    request: HttpRequest,
    job: ImportJob,
    look: dict[str, Any],
    spec: import_columns.Spec,
    *,
    preview: dict[str, Any] | None = None,
    error: HubError | None = None,
    status: int = 200,
) -> HttpResponse:
    kind = registry.get(job.type)
    names = [column["name"] for column in look["columns"]]
    problems: list[Problem] = list(error.problems) if error else []
    errors = import_columns.form_errors(job, names, problems)
    if error and not errors:
        errors = [{"id": "", "text": error.message}]
    guessed = reading.guess(kind, names, [])
    steps = [("File", "done"), ("Columns", "done" if preview else "now"), ("Preview", "now" if preview else "open"),
             ("Run", "open"), ("Done", "open")]  # fmt: skip
    context = {
        "page": _head(job, len(names), len(spec.get("columns", {}))),
        "callouts": [*_again(job), *import_columns.about_days(kind, spec)],
        "steps": [{"label": label, "state": state} for label, state in steps],
        "form": {"url": request.path, "errors": errors},
        "columns": import_columns.rows(kind, look, spec, {**reading.paths_by_column(guessed), **_paths(job)}, problems),
        "missing": import_columns.missing(kind, spec),
        "constants": import_columns.constants(kind, spec, problems),
        "tables": import_columns.value_tables(kind, spec, problems),
        "preview": preview,
    }
    return render(request, "web/import_map.html", context, status=status)


def _paths(job: ImportJob) -> dict[str, str]:
    try:
        return reading.paths_by_column(job.mapping)
    except (AttributeError, CorrectInput):  # a mapping half made by hand: nothing of it is recognised
        return {}


def _head(job: ImportJob, columns: int, mapped: int) -> Page:
    kind = registry.get(job.type)
    ask = Confirm(
        title="Throw this file away?",
        body="It was not started, so nothing else changes. The mapping of the system stays.",
        button="Throw it away",
        danger=True,
    )
    drop = Action(label="Throw this file away", url=link("web:import-cancel", job.uid), method="post", icon="no", style="danger",
                  confirm=ask)  # fmt: skip
    return Page(
        title=f"Columns of {job.file_name}",
        crumbs=[Link("Imports", link("web:imports")), Link(f"{kind.plural} from {job.system.title}", "")],
        meta=[
            Meta(text=f"{number(mapped)} of {number(columns)} columns feed a field"),
            Meta(text=", ".join(filter(None, [job.format.upper(), job.encoding]))),
            Meta(kind="person", text=job.created_by_name, at=job.created_at),
        ],
        menu=[drop],
    )


def _again(job: ImportJob) -> list[Callout]:
    before = imports.same_file(job)
    if before is None:
        return []
    url = link("web:import", before.uid)
    return [
        Callout(
            title="This very file was imported before",
            body=f"On {before.created_at:%d %b %Y}, by {before.created_by_name}. Its rows count as the same: nothing doubles.",
            tone="amber",
            icon="info",
            action=Action(label="Open that import", url=url),
        )
    ]
