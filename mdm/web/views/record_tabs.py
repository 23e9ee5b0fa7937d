"""The pages of one record, one view per tab."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from mdm.web import (
    record_frame,
    record_log,
    record_overview,
    record_sources,
    record_sync,
    record_timeline,
    visitor,
)


@require_GET
@visitor.page
def overview(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    frame = record_frame.load(request, type_path, uid)
    shown = record_overview.overview(frame)
    if getattr(request, "htmx", False) and request.htmx.target == "provenance" and shown.get("provenance"):  # type: ignore[attr-defined]
        return render(request, "web/_provenance.html", shown)
    return answer(request, frame, shown)


def answer(request: HttpRequest, frame: record_frame.Frame, shown: dict[str, Any], status: int = 200) -> HttpResponse:
    context = frame.context("") | shown
    if then := shown.get("then"):
        context["callouts"] = [then, *context["callouts"]]
    return render(request, "web/record_overview.html", context, status=status)


@require_GET
@visitor.page
def sources(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    frame = record_frame.load(request, type_path, uid)
    return render(request, "web/record_sources.html", frame.context("sources") | record_sources.sources(frame))


@require_GET
@visitor.page
def sources_csv(request: HttpRequest, type_path: str, uid: Any) -> HttpResponseBase:
    return record_sources.as_csv(record_frame.load(request, type_path, uid))


@require_GET
@visitor.page
def timeline(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    frame = record_frame.load(request, type_path, uid)
    return render(request, "web/record_timeline.html", frame.context("timeline") | record_timeline.timeline_of(frame))


@require_GET
@visitor.page
def sync(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    frame = record_frame.load(request, type_path, uid)
    return render(request, "sync/record_sync.html", frame.context("sync") | record_sync.tab(frame))


@require_GET
@visitor.page
def where_used(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    frame = record_frame.load(request, type_path, uid)
    return render(request, "web/record_where_used.html", frame.context("where-used") | record_sources.where_used(frame))


@require_GET
@visitor.page
def requests(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    frame = record_frame.load(request, type_path, uid)
    return render(request, "web/record_requests.html", frame.context("requests") | record_log.requests(frame))


@require_GET
@visitor.page
def audit(request: HttpRequest, type_path: str, uid: Any) -> HttpResponse:
    frame = record_frame.load(request, type_path, uid)
    return render(request, "web/record_audit.html", frame.context("audit") | record_log.audit(frame))
