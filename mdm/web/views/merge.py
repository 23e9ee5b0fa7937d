"""Merging a pair: the preview keeps every pick, sending it makes a change request."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from mdm import registry
from mdm.errors import HubError
from mdm.models import DuplicatePair
from mdm.selectors import duplicates, records
from mdm.services import merging
from mdm.web import merge_page, pair_page, visitor
from mdm.web.page import Badge, Link, Page
from mdm.web.pointers import request_url
from mdm.web.views.duplicates import pair_at
from mdm.web.visitor import link


@require_http_methods(["GET", "POST"])
@visitor.page
def merge(request: HttpRequest, uid: UUID) -> HttpResponse:
    pair = pair_at(request, uid)
    kind = visitor.kind_at(request, registry.get(pair.type).path, "propose")
    survivor, losers = _who(request, pair)
    chosen = merge_page.picks(request.POST, [survivor, *losers])
    seen = merging.preview(kind=kind, survivor=survivor, losers=losers)
    chosen = merge_page.wanted(kind, seen, chosen)
    if request.method == "POST" and request.POST.get("action") == "submit":
        reason = request.POST.get("reason", "").strip()
        try:
            change = merging.propose(
                kind=kind, survivor=survivor, losers=losers, choices=chosen, reason=reason, by=visitor.actor(request)
            )
        except HubError as error:
            return _page(request, pair, kind, survivor, losers, chosen, error=error)
        done = "is applied" if change.state == "applied" else "waits for approval"
        messages.success(request, f"The merge is proposed as {change.number} and {done}.")
        return redirect(request_url(change) or link("web:duplicates"))
    return _page(request, pair, kind, survivor, losers, chosen)


def _who(request: HttpRequest, pair: DuplicatePair) -> tuple[str, list[str]]:
    """Who stays, who becomes part of it; suggested until somebody chooses."""
    both = [str(pair.left), str(pair.right)]
    survivor = request.POST.get("survivor") or request.GET.get("survivor") or ""
    if survivor not in both:
        found = records.current_documents(pair.type, both)
        if len(found) == len(both):
            stays, _ = pair_page.survivor_first(found[both[0]], found[both[1]], duplicates.keys(both))
            survivor = stays["uid"]
        else:
            survivor = both[0]
    return survivor, [uid for uid in both if uid != survivor]


def _page(
    request: HttpRequest,
    pair: DuplicatePair,
    kind: registry.RecordType,
    survivor: str,
    losers: list[str],
    chosen: dict[str, str],
    *,
    error: HubError | None = None,
) -> HttpResponse:
    seen = merging.preview(kind=kind, survivor=survivor, losers=losers, choices=chosen)
    errors = [{"id": "reason" if "why" in error.message.lower() else "", "text": error.message}] if error else []
    context: dict[str, Any] = {
        "page": Page(
            title=f"Merge into {kind.name_of(seen['survivor'])}",
            crumbs=[
                Link("Duplicates", link("web:duplicates")),
                Link(f"Pair {pair.probability:.2f}", link("web:duplicate", pair.uid)),
            ],
            badges=[Badge(state=pair.state, domain="pair")],
        ),
        "form": {"url": request.path, "errors": errors, "hidden": []},
        **merge_page.build(
            kind, seen, chosen, entities=visitor.entities(request), reason=request.POST.get("reason", "")
        ),
    }
    return render(request, "web/merge.html", context, status=visitor.status_of(error) if error else 200)
