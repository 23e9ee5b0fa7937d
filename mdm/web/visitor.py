"""Who asks for a page, what they may see, and how a refusal is shown: the frame around every view of the web UI."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from mdm import permissions, registry
from mdm.errors import CorrectInput, HubError, NotAllowed, NotFound
from mdm.models import ChangeRequest
from mdm.registry import RecordType
from mdm.selectors import request_items, visibility
from mdm.selectors.visibility import Entities
from mdm.types import Actor

View = Callable[..., HttpResponseBase]


def actor(request: HttpRequest) -> Actor:
    user: Any = request.user
    return permissions.actor_of(user)


def entities(request: HttpRequest) -> Entities:
    """Codes of the legal entities the person may see, None for all; read once per request."""
    user: Any = request.user
    if not hasattr(user, "_mdm_entities"):
        user._mdm_entities = permissions.entities_of(user)
    found: Entities = user._mdm_entities
    return found


def page(view: View) -> View:
    """A page for people with a role. What the services refuse becomes a page that says so, never a broken one."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if not permissions.roles_of(request.user):
                raise NotAllowed("You have no role in the hub yet. A governance lead can give you one.")
            if any(
                "\x00" in text for told in (request.GET, request.POST) for _, texts in told.lists() for text in texts
            ):
                raise CorrectInput("This holds a character that no text can have (NUL). Take it out, then try again.")
            return view(request, *args, **kwargs)
        except HubError as error:
            return refusal(request, error)

    return answer


def refusal(request: HttpRequest, error: HubError) -> HttpResponse:
    status = status_of(error)
    if getattr(request, "htmx", False):
        toast = {"toast": {"text": error.message, "tone": "red"}}
        return HttpResponse(status=status, headers={"HX-Trigger": json.dumps(toast)})
    template = f"{status}.html" if status in (403, 404) else "refused.html"
    return render(request, template, {"reason": error.message}, status=status)


def status_of(error: HubError) -> int:
    """A form that needs correction is 422 in the browser; everything else is what the API answers."""
    return 422 if isinstance(error, CorrectInput) else error.status


def kind_at(request: HttpRequest, type_path: str, verb: str = "read") -> RecordType:
    """The record type of an address, when the person may read it (or propose changes to it)."""
    kind = registry.find(type_path)
    if kind is None or kind.path != type_path:
        raise NotFound("There is no such kind of record.")
    if not permissions.may(actor(request), f"{verb}:{kind.path}"):
        doing = {"read": "see", "propose": "propose changes to"}[verb]
        raise NotAllowed(f"Your role may not {doing} {kind.nouns}. A governance lead can change that.")
    return kind


def record_at(request: HttpRequest, kind: RecordType, uid: Any) -> Any:
    """The golden row, when the person may see something of it; to everybody else it is not there."""
    row = visibility.reachable(kind, kind.model._default_manager.all(), entities(request)).filter(uid=uid).first()
    if row is None:
        raise NotFound(f"There is no such {kind.noun}, or it is not one of your companies.")
    return row


def requests_seen(request: HttpRequest) -> QuerySet[ChangeRequest]:
    """Requests the person may see, whole or in part."""
    return request_items.seen_by(actor(request), entities(request))


def link(name: str, *args: Any) -> str:
    """The address of a page, "" when this installation does not have it."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def record_url(kind: RecordType, uid: Any, part: str = "") -> str:
    return link(f"web:record-{part}" if part else "web:record", kind.path, uid)


def onward(request: HttpRequest, default: str) -> str:
    """Where to go after a form: its `next` when that is a page of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else default


def changed_query(request: HttpRequest, /, **changes: str | None) -> str:
    """The query string with some parameters changed, None takes one away; paging always starts again."""
    params = request.GET.copy()
    params.pop("cursor", None)
    for key, value in changes.items():
        if value is None:
            params.pop(key, None)
        else:
            params[key] = value
    return f"?{params.urlencode()}" if params else "?"
