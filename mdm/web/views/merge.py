"""Merging a pair or a selection: the preview keeps every pick, sending it makes a change request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from mdm import registry
from mdm.errors import CorrectInput, HubError, NotFound
from mdm.models import MergeBlock
from mdm.registry import RecordType
from mdm.selectors import duplicates, visibility
from mdm.services import merge_blocks, merging
from mdm.web import merge_page, visitor
from mdm.web.page import Badge, Link, Page
from mdm.web.pointers import request_url
from mdm.web.views.duplicates import pair_at
from mdm.web.visitor import link


@require_http_methods(["GET", "POST"])
@visitor.page
def merge(request: HttpRequest, uid: UUID) -> HttpResponse:
    """From a pair: its two records, and others that may be the same to add."""
    pair = pair_at(request, uid)
    kind = visitor.kind_at(request, registry.get(pair.type).path, "propose")
    crumbs = [
        Link("Duplicates", link("web:duplicates")),
        Link(f"Pair {pair.probability:.2f}", link("web:duplicate", pair.uid)),
    ]
    return _answer(request, kind, [str(pair.left), str(pair.right)], crumbs, [Badge(state=pair.state, domain="pair")])


@require_http_methods(["GET", "POST"])
@visitor.page
def merge_records(request: HttpRequest, type_path: str) -> HttpResponse:
    """From a list: the records of the address, ?uid=…&uid=…"""
    kind = visitor.kind_at(request, type_path, "propose")
    asked = list(dict.fromkeys(text for text in request.GET.getlist("uid") if _is_uid(text)))
    rows = visibility.visible(kind, kind.model._default_manager.filter(uid__in=asked), visitor.entities(request))
    seen = {str(uid) for uid in rows.values_list("uid", flat=True)}
    chosen = [uid for uid in asked if uid in seen]
    if len(chosen) < 2:
        raise CorrectInput(f"Select at least two {kind.nouns} to merge.")
    return _answer(request, kind, chosen, [Link(kind.plural, link("web:records", kind.path))], [])


def _is_uid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def _answer(
    request: HttpRequest, kind: RecordType, asked: Sequence[str], crumbs: list[Link], badges: list[Badge]
) -> HttpResponse:
    """The preview of what is ticked, and the request once it is sent."""
    posted, error = request.POST, None
    near = duplicates.neighbours(kind, asked, visitor.entities(request))
    offered = list(dict.fromkeys([*asked, *near]))
    members = [uid for uid in offered if uid in posted.getlist("in")] if "in" in posted else list(asked)
    if len(members) < 2:
        members, error = list(asked), CorrectInput("Tick at least two records: one alone is not merged.")
    wanted = posted.get("survivor") or request.GET.get("survivor") or ""
    survivor = wanted if wanted in members else merging.default_survivor(kind, members)
    losers = [uid for uid in members if uid != survivor]
    drops = merge_page.drops(kind, posted, members)
    plain = merging.preview(kind=kind, survivor=survivor, losers=losers, drops=drops)
    chosen = merge_page.wanted(plain, merge_page.picks(posted, members))
    if not error and posted.get("action") == "submit":
        try:
            change = merging.propose(
                kind=kind,
                survivor=survivor,
                losers=losers,
                choices=chosen,
                drops=drops,
                reason=posted.get("reason", "").strip(),
                by=visitor.actor(request),
            )
        except HubError as refused:
            error = refused  # type: ignore[assignment]
        else:
            done = "is applied" if change.state == "applied" else "waits for approval"
            messages.success(request, f"The merge is proposed as {change.number} and {done}.")
            return redirect(request_url(change) or link("web:duplicates"))
    seen = merging.preview(kind=kind, survivor=survivor, losers=losers, choices=chosen, drops=drops)
    context: dict[str, Any] = {
        "page": Page(title=f"Merge into {kind.name_of(seen['survivor'])}", crumbs=crumbs, badges=badges),
        "form": {"url": request.get_full_path(), "errors": merge_page.errors(error), "hidden": []},
        **merge_page.build(
            kind, seen, chosen, drops=drops, order=members, near=[uid for uid in offered if uid not in members],
            entities=visitor.entities(request), reason=posted.get("reason", ""), by=visitor.actor(request),
        ),
    }  # fmt: skip
    return render(request, "web/merge.html", context, status=visitor.status_of(error) if error else 200)


@require_POST
@visitor.page
def lift(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Let two records be merged again; whoever does it says why."""
    block = MergeBlock.objects.filter(uid=uid).select_related("change").first()
    if block is None:
        raise NotFound("There is no such block.")
    visitor.kind_at(request, registry.get(block.type).path)
    merge_blocks.lift(block=block, reason=request.POST.get("reason", ""), by=visitor.actor(request))
    messages.success(request, "The block is lifted. These records can be merged again.")
    return redirect(visitor.onward(request, link("web:duplicates")))
