"""What every page of sync asks first: may this person see deliveries, and may they act on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from mdm import permissions, registry
from mdm.errors import HubError, NotAllowed
from mdm.models import System
from mdm.web import visitor
from mdm.web.page import Action, Source

WHY_NOT = "This needs the role of an operator or a data steward."


def require_read(request: HttpRequest) -> None:
    if not permissions.may(visitor.actor(request), "sync:read"):
        raise NotAllowed("Your role may not see what is sent to the platforms. A governance lead can change that.")


def may_act(request: HttpRequest) -> bool:
    return permissions.may(visitor.actor(request), "sync:operate")


def act(request: HttpRequest, do: Callable[[], str], default: str) -> HttpResponse:
    """Run one action and go back to where the person was, with what happened in words; a refusal changes nothing."""
    try:
        messages.success(request, do())
    except HubError as error:
        messages.error(request, error.message)
    return redirect(visitor.onward(request, default))


def action(request: HttpRequest, **values: Any) -> Action:
    """A button that posts; shown to everybody, usable by those who may."""
    allowed = values.pop("allowed", True) and may_act(request)
    fields = {"next": request.get_full_path(), **values.pop("fields", {})}
    return Action(method="post", fields=fields, allowed=allowed, why_not="" if allowed else WHY_NOT, **values)


def source(system: System) -> Source:
    return Source(mark=system.mark, slot=system.tone, title=system.title)


def record_link(type_key: str, uid: Any) -> str:
    kind = registry.find(type_key)
    return visitor.record_url(kind, uid) if kind and uid else ""
