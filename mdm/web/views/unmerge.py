"""Undoing a merge: what goes back, what stays, what stands in the way; sending it makes a change request."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from mdm import registry
from mdm.errors import CorrectInput, HubError, NotAllowed, NotNow
from mdm.models import ChangeRequest
from mdm.selectors import request_items
from mdm.services import merge_links, unmerging
from mdm.services.unmerge_case import remaining
from mdm.web import merge_page, unmerge_page, visitor
from mdm.web.page import Action, Callout, Link, Page
from mdm.web.pointers import request_url
from mdm.web.review import approval


@require_http_methods(["GET", "POST"])
@visitor.page
def unmerge(request: HttpRequest, number: int) -> HttpResponse:
    merge = request_items.find(visitor.requests_seen(request), number)
    if merge.kind != "merge":
        raise NotNow(f"{merge.number} is no merge: an ordinary request is undone on its own page.")
    head = merge_links.head_of(list(merge.items.all()))
    visitor.kind_at(request, registry.get(head.type).path, "propose")
    if not request_items.sees_all(merge, visitor.entities(request)):
        raise NotAllowed(approval.SEES_NOT)
    left = remaining(merge, head) if merge.state == "applied" else []
    members = _members(request, left)
    holders = unmerge_page.holders(request.POST, [head.detail["survivor"], *left])
    try:
        seen = _preview(merge, members, holders)
    except NotNow as refused:
        return _blocked(request, merge, refused)
    error: HubError | None = None
    if "in" not in request.POST and request.method == "POST":
        error = CorrectInput("Tick at least one record that comes back.")
    elif request.POST.get("action") == "submit":
        try:
            change = unmerging.propose(
                merge=merge,
                members=members,
                holders=_of(seen, holders),
                reason=request.POST.get("reason", "").strip(),
                by=visitor.actor(request),
            )
        except HubError as refused:
            error = refused
        else:
            done = "is applied" if change.state == "applied" else "waits for approval"
            messages.success(request, f"The unmerge is proposed as {change.number} and {done}.")
            return redirect(request_url(change))
    context: dict[str, Any] = {
        "page": _head(merge),
        "form": {"url": request.path, "errors": merge_page.errors(error), "hidden": []},
        **unmerge_page.build(merge, seen, left, reason=request.POST.get("reason", "")),
    }
    return render(request, "web/unmerge.html", context, status=visitor.status_of(error) if error else 200)


def _members(request: HttpRequest, left: list[str]) -> list[str]:
    """Who comes back: what is ticked, else the record of the address, else all that are left."""
    ticked = [uid for uid in left if uid in request.POST.getlist("in")]
    named = [uid for uid in left if uid == request.GET.get("member")]
    return ticked or named or left


def _preview(merge: ChangeRequest, members: list[str], holders: dict[str, str]) -> dict[str, Any]:
    """Choices that no longer fit (their record was unticked) fall away, all others hold."""
    plain = unmerging.preview(merge=merge, members=members)
    kept = _of(plain, holders)
    return unmerging.preview(merge=merge, members=members, holders=kept) if kept else plain


def _of(seen: dict[str, Any], holders: dict[str, str]) -> dict[str, str]:
    able = {seen["survivor"]["uid"], *(row["document"]["uid"] for row in seen["restored"])}
    paths = {row["path"] for row in seen["since"]}
    return {path: uid for path, uid in holders.items() if path in paths and uid in able}


def _head(merge: ChangeRequest) -> Page:
    crumbs = [
        Link("Inbox", reverse("web:inbox")),
        Link(merge.number, request_url(merge)),
    ]
    return Page(title=f"Undo {merge.title[:1].lower()}{merge.title[1:]}", crumbs=crumbs)


def _blocked(request: HttpRequest, merge: ChangeRequest, error: NotNow) -> HttpResponse:
    """Why it cannot be undone now, with a way to what stands in front of it."""
    blocker = str(error.extra.get("blocker", ""))
    open_ = Action(label=f"Open {blocker}", url=reverse("web:request", args=[int(blocker[3:])])) if blocker else None
    callout = Callout(title="Not now", body=error.message, tone="amber", icon="no", action=open_)
    context = {"page": _head(merge), "blocked": callout}
    return render(request, "web/unmerge.html", context, status=visitor.status_of(error))
