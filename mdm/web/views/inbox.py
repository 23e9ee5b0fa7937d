"""The inbox: the list on the left, the chosen request on the right, and approving what is routine together."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from mdm.errors import HubError, NotAllowed, NotFound
from mdm.models import ChangeRequest
from mdm.selectors import request_items
from mdm.services import changes
from mdm.web import visitor, worklists
from mdm.web.page import Page
from mdm.web.review import page as review_page

MOST = 100  # requests of one bulk approval


@visitor.page
def inbox(request: HttpRequest) -> HttpResponse:
    tab = request.GET.get("tab", "mine")
    tab = tab if tab in dict(worklists.TABS) else "mine"
    kind = request.GET.get("kind", "")[:20]
    part = worklists.page(request, tab, kind)
    close_url = reverse("web:inbox") + visitor.changed_query(request, request=None)
    chosen = _chosen(request)
    opened = chosen is not None
    if chosen is None and part.rows and tab == "mine":
        chosen = request_items.find(ChangeRequest.objects.all(), request_items.number_of(part.rows[0]))
    review = None
    if chosen is not None:
        after_url = _after(request, part.rows, chosen) or close_url
        review = review_page.review(request, chosen, brief=True, after_url=after_url)
    context: dict[str, Any] = {"review": review, "opened": opened, "close_url": close_url, "me": request.user}
    if getattr(request, "htmx", False) and request.htmx.target == "detail":  # type: ignore[attr-defined]
        return render(request, "web/_inbox_detail.html", context)
    tabs = worklists.tabs(request, tab)
    number = request_items.number_of(chosen) if chosen else 0
    context |= {
        "page": Page(title="Inbox", note=_note(tabs[0].count or 0), menu=worklists.bulk_action(request, part.rows)),
        "tabs": tabs,
        "kinds": worklists.kinds(request, tab, kind),
        "groups": worklists.groups(request, tab, part.rows, number),
        "pager": worklists.pager(request, part),
        "empty": None if part.rows else worklists.empty(tab, kind),
    }
    return render(request, "web/inbox.html", context)


def _chosen(request: HttpRequest) -> ChangeRequest | None:
    text = request.GET.get("request", "")
    if not (text.isdigit() and len(text) < 12):
        return None
    try:
        return request_items.find(visitor.requests_seen(request), int(text))
    except NotFound:
        return None  # the list is still worth showing


def _after(request: HttpRequest, listed: list[ChangeRequest], chosen: ChangeRequest) -> str:
    """The next row: deciding leads there, so that a person works down the list."""
    places = [change.pk for change in listed]
    if chosen.pk not in places[:-1]:
        return ""
    return worklists.item_url(request, listed[places.index(chosen.pk) + 1])


def _note(waiting: int) -> str:
    return f"{waiting} wait{'s' * (waiting == 1)} for you" if waiting else "nothing waits for you"


@require_POST
@visitor.page
def approve(request: HttpRequest) -> HttpResponse:
    """Many at once, each by itself and each as it was listed: what changed meanwhile is left open."""
    done, refused = 0, []
    for entry in request.POST.get("signed", "").split(",")[:MOST]:
        number, _, content_hash = entry.partition(":")
        if not number.isdigit():
            continue
        try:
            change = request_items.find(visitor.requests_seen(request), int(number))
            _require_routine(request, change)
            changes.approve(change=change, by=visitor.actor(request), content_hash=content_hash)
            done += 1
        except HubError as error:
            refused.append(f"CR-{number}: {error.message}")
    if done:
        messages.success(request, f"{done} request{'s' * (done > 1)} approved.")
    for text in refused[:5]:
        messages.warning(request, text)
    if not done and not refused:
        messages.warning(request, "There was nothing to approve.")
    return redirect(visitor.onward(request, reverse("web:inbox")))


def _require_routine(request: HttpRequest, change: ChangeRequest) -> None:
    sees_all = request_items.sees_all(change, visitor.entities(request))
    if not sees_all or not worklists.routine([change], visitor.actor(request)):
        raise NotAllowed("Open this request and decide on it by itself.")
