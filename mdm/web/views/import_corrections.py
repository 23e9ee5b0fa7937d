"""Rows that wait: corrected in the grid or on a page of their own, or left out with a reason."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from mdm import registry
from mdm.errors import CorrectInput, HubError, NotFound
from mdm.models import ImportJob, QuarantinedRow
from mdm.permissions import may
from mdm.services import quarantine
from mdm.types import Actor
from mdm.web import browsing, import_words, quarantine_grid, visitor
from mdm.web.page import Badge, Link, Page
from mdm.web.views.imports import job_at, show
from mdm.web.visitor import link

MOST = 200  # rows corrected in one go: a grid has far fewer


@require_POST
@visitor.page
def problems(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The grid comes back: what is right is taken in, what is not stays with everything that was typed."""
    job = job_at(request, uid, to_change=True)
    by = visitor.actor(request)
    typed = quarantine_grid.typed_in(request.POST)
    chosen = request.POST.getlist("uid")[:MOST]
    try:
        if request.POST.get("action") == "discard":
            refused = _discard(request, job, chosen, by)
        else:
            refused = _resubmit(request, job, typed, chosen, by)
    except HubError as error:
        messages.error(request, error.message)
        return show(request, job_at(request, uid), typed=typed, status=visitor.status_of(error))
    if refused:
        return show(request, job_at(request, uid), typed=typed, refused=refused, status=422)
    return redirect(f"{link('web:import', uid)}#quarantine")


def _rows(job: ImportJob, uids: list[str]) -> list[QuarantinedRow]:
    known = [uid for uid in uids if _is_uid(uid)]
    return list(job.quarantine.filter(uid__in=known, state="open").select_related("job").order_by("row"))


def _is_uid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _resubmit(
    request: HttpRequest, job: ImportJob, typed: dict[str, dict[str, str]], chosen: list[str], by: Actor
) -> dict[str, HubError]:
    """The selected rows; without a selection those that were edited."""
    rows = _rows(job, chosen or list(typed)[:MOST])
    corrections = {row: quarantine_grid.changed(row, typed.get(str(row.uid), {})) for row in rows}
    if not chosen:
        corrections = {row: values for row, values in corrections.items() if values}
    if not corrections:
        raise CorrectInput("Correct a row, or select the rows to send again.")
    accepted, refused = quarantine.resubmit_many(corrections=corrections, by=by)
    if accepted:
        messages.success(request, f"{browsing.plural(len(accepted), 'row')} accepted, on the way into the records.")
    if refused:
        needs = "need" if len(refused) > 1 else "needs"
        messages.error(request, f"{browsing.plural(len(refused), 'row')} still {needs} correction.")
    return {str(row.uid): error for row, error in refused.items()}


def _discard(request: HttpRequest, job: ImportJob, chosen: list[str], by: Actor) -> dict[str, HubError]:
    rows = _rows(job, chosen)
    if not rows:
        raise CorrectInput("Select the rows to leave out.")
    for row in rows:
        quarantine.dismiss(row=row, reason=request.POST.get("reason", ""), by=by)
    messages.success(request, f"{browsing.plural(len(rows), 'row')} left out; the reason is on record.")
    return {}


@require_http_methods(["GET", "POST"])
@visitor.page
def row(request: HttpRequest, uid: UUID, row_uid: UUID) -> HttpResponse:
    """One row with all its columns, as it was received."""
    job = job_at(request, uid)
    found = job.quarantine.select_related("job__system").filter(uid=row_uid).first()
    if found is None:
        raise NotFound("There is no such row.")
    if request.method == "GET":
        return _row_page(request, found)
    job_at(request, uid, to_change=True)
    typed = quarantine_grid.typed_in(request.POST).get(str(found.uid), {})
    by = visitor.actor(request)
    try:
        if request.POST.get("action") == "discard":
            quarantine.dismiss(row=found, reason=request.POST.get("reason", ""), by=by)
            messages.success(request, "The row is left out; the reason is on record.")
        else:
            quarantine.resubmit(row=found, values=quarantine_grid.changed(found, typed), by=by)
            messages.success(request, "The row is accepted, on the way into the records.")
    except HubError as error:
        messages.error(request, error.message)
        return _row_page(request, found, typed=typed, error=error, status=visitor.status_of(error))
    return redirect(f"{link('web:import', uid)}#quarantine")


def _row_page(
    request: HttpRequest,
    found: QuarantinedRow,
    *,
    typed: dict[str, str] | None = None,
    error: HubError | None = None,
    status: int = 200,
) -> HttpResponse:
    job, is_open = found.job, found.state == "open"
    badge = (
        Badge(label=import_words.cause(found.cause), tone="red", icon="alert")
        if is_open
        else Badge(label=found.get_state_display(), tone="grey", icon="check")
    )
    context = {
        "page": Page(
            title=f"Row {found.row} of {job.file_name}",
            crumbs=[Link("Imports", link("web:imports")), Link(job.file_name, link("web:import", job.uid))],
            badges=[badge],
        ),
        "form": {"url": request.path, **quarantine_grid.row_form(found, typed=typed, error=error)},
        "may_correct": is_open and may(visitor.actor(request), f"propose:{registry.get(job.type).path}"),
        "back_url": f"{link('web:import', job.uid)}#quarantine",
    }
    return render(request, "web/import_row.html", context, status=status)
