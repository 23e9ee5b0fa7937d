"""What every page of sync asks first: may this person see deliveries, and may they act on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import Resolver404, resolve

from mdm import permissions, registry
from mdm.errors import HubError, NotAllowed
from mdm.models import System
from mdm.web import visitor
from mdm.web.page import Action, Source
from sync.web import forms

WHY_NOT = "This needs the role of an operator or a data steward."
UNREADABLE = "This receiver cannot be asked what it holds, so there is no drift to look for."


def require_read(request: HttpRequest) -> None:
    if not permissions.may(visitor.actor(request), "sync:read"):
        raise NotAllowed("Your role may not see what is sent to the platforms. A governance lead can change that.")


def may_act(request: HttpRequest) -> bool:
    return permissions.may(visitor.actor(request), "sync:operate")


def may_map(request: HttpRequest) -> bool:
    """Value maps are for those who answer for the data, not for whoever operates."""
    by = visitor.actor(request)
    return permissions.may(by, "steward") or permissions.may(by, "admin")


def act(
    request: HttpRequest, do: Callable[[], str], default: str, onward: Callable[[], str] | None = None, form: str = ""
) -> HttpResponse:
    """Run one action and go back to where the person was (or `onward`, to what it made), with what happened in words.

    A refusal changes nothing: the page the person was on is drawn again, with the words and its status. `form`: the one
    on that page that was sent; it keeps what was typed and says the words itself (`forms.drawn`).
    """
    back = visitor.onward(request, default)
    try:
        messages.success(request, do())
    except NotAllowed:
        raise
    except HubError as error:
        if form:
            forms.keep(request, form, error)
        else:
            messages.error(request, error.message)
        return again(request, back, visitor.status_of(error))
    return redirect(onward() if onward else back)


def again(request: HttpRequest, url: str, status: int) -> HttpResponse:
    """A page of ours as a GET of it would answer, with another status."""
    parts = urlsplit(url)
    try:
        found = resolve(parts.path)
    except Resolver404:
        return redirect(url)
    request.method, request.path, request.path_info = "GET", parts.path, parts.path
    request.GET, request.META["QUERY_STRING"] = QueryDict(parts.query), parts.query
    response: HttpResponse = found.func(request, *found.args, **found.kwargs)
    if response.status_code == 200:
        response.status_code = status
    return response


def action(request: HttpRequest, **values: Any) -> Action:
    """A button that posts; shown to everybody, usable by those who may."""
    own, why_not = values.pop("allowed", True), values.pop("why_not", "")
    allowed = own and may_act(request)
    why_not = why_not if may_act(request) else WHY_NOT
    fields = {"next": request.get_full_path(), **values.pop("fields", {})}
    return Action(method="post", fields=fields, allowed=allowed, why_not="" if allowed else why_not, **values)


def map_action(request: HttpRequest, **values: Any) -> Action:
    """A button that posts a change of a mapping, usable by those who answer for the data."""
    own, why_not = values.pop("allowed", True), values.pop("why_not", "")
    may = may_map(request)
    why_not = why_not if may else "This needs the role of a data steward or a governance lead."
    return Action(method="post", allowed=own and may, why_not="" if own and may else why_not, **values)


def source(system: System) -> Source:
    return Source(mark=system.mark, slot=system.tone, title=system.title)


def record_link(type_key: str, uid: Any) -> str:
    kind = registry.find(type_key)
    return visitor.record_url(kind, uid) if kind and uid else ""
