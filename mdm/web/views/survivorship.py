"""Survivorship rules: those in force, and each change of them with its rehearsal."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mdm import registry
from mdm.errors import HubError, NotFound
from mdm.models import RuleChange, RuleEffect, System
from mdm.permissions import may
from mdm.reading import exports
from mdm.selectors import keyset
from mdm.services import rule_changes, survivorship
from mdm.web import browsing, navigation, rule_pages, visitor
from mdm.web.page import Action, Empty, Page

SIZE = 50


def _kinds(request: HttpRequest) -> list[registry.RecordType]:
    by = visitor.actor(request)
    kinds = sorted(registry.all_types(), key=lambda kind: kind.match is None)  # the busiest first, as in the rail
    return [kind for kind in kinds if may(by, f"read:{kind.path}")]


def _find(request: HttpRequest, uid: UUID) -> RuleChange:
    row = (
        RuleChange.objects.filter(uid=uid, type__in=[kind.key for kind in _kinds(request)])
        .select_related("proposed_by", "change")
        .first()
    )
    if row is None:
        raise NotFound("There is no such change of rules.")
    return row


def _titles() -> dict[str, str]:
    return {"hub": "Entered in the hub", **dict(System.objects.values_list("code", "title"))}


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    kinds, titles = _kinds(request), _titles()
    rows = RuleChange.objects.filter(type__in=[kind.key for kind in kinds]).select_related("proposed_by", "change")
    part = keyset.cut(rows, size=SIZE, cursor=request.GET.get("cursor", ""), falling=True)
    change = None
    if navigation.may_see(request.user, "admin"):
        change = Action(label="Change rules", url=reverse("admin:mdm_survivorshiprule_changelist"), icon="pencil")
    stored = {kind.key: survivorship.stored(kind) for kind in kinds}
    text = "Whoever proposes other rules sees first what they would change; somebody else signs it."
    context = {
        "page": Page(title="Survivorship", note="Which source a value comes from, field by field", primary=change),
        "types": [
            {"title": kind.plural, "table": rule_pages.in_force(kind, stored[kind.key], titles)} for kind in kinds
        ],
        "changes": rule_pages.changes_table(part.rows) if part.rows else None,
        "pager": browsing.pager(request, part, "changes"),
        "empty": None if part.rows else Empty(title="No rule was changed yet", text=text, icon="gear"),
    }
    return render(request, "web/survivorship.html", context)


def _effects(request: HttpRequest, row: RuleChange) -> QuerySet[RuleEffect]:
    """Without rows that other legal entities alone may see."""
    rows = row.effects.all()
    if visitor.entities(request) is not None:
        for child in registry.get(row.type).children:
            if child.entity_field or child.sealed:
                rows = rows.exclude(path__startswith=f"{child.name}/")
    return rows


@require_GET
@visitor.page
def show(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = _find(request, uid)
    kind = registry.get(row.type)
    part = keyset.cut(_effects(request, row), size=SIZE, cursor=request.GET.get("cursor", ""))
    context = {
        "page": rule_pages.page(row, visitor.actor(request)),
        "callouts": rule_pages.callouts(row),
        "run": rule_pages.run(row),
        "progress_url": visitor.link("web:rule-change-progress", row.uid),
        "rules": rule_pages.compared(kind, row, _titles()),
        "effects": rule_pages.effects_table(kind, part.rows) if part.rows else None,
        "pager": browsing.pager(request, part, "values"),
        "more": row.effects.count() >= rule_changes.MOST_EFFECTS,
    }
    return render(request, "web/rule_change.html", context)


@require_GET
@visitor.page
def progress(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The moving part; when the work is done the page is asked for once more as a whole."""
    row = _find(request, uid)
    run = rule_pages.run(row)
    shown: dict[str, Any] = {"run": run, "progress_url": request.path}
    response = render(request, "web/_rule_progress.html", shown)
    if not run["live"]:
        response["HX-Refresh"] = "true"
    return response


@require_GET
@visitor.page
def effects_csv(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    row = _find(request, uid)
    rows = rule_pages.csv_rows(registry.get(row.type), _effects(request, row).iterator(chunk_size=2000))
    headers = {
        "Content-Disposition": f'attachment; filename="survivorship-{row.type}-{row.pk}.csv"',
        "Cache-Control": "no-store",
    }
    chunks = exports.csv_chunks(list(rule_pages.CSV_HEADINGS), rows)
    return StreamingHttpResponse(chunks, content_type=exports.CSV_TYPE, headers=headers)


@require_POST
@visitor.page
def withdraw(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = _find(request, uid)
    try:
        rule_changes.withdraw(rule_change=row, by=visitor.actor(request), reason=request.POST.get("reason", "")[:1000])
        messages.success(request, "Withdrawn: the rules in force stay.")
    except HubError as error:
        messages.error(request, error.message)
    return redirect("web:rule-change", uid)
