"""Views of a list that a person named: kept as query strings, shown as tabs."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.http import HttpRequest
from django.urls import reverse

from mdm.registry import RecordType
from mdm.services import preferences
from mdm.web.page import Action, Link

MOST = 12
PASSING = ("cursor", "page")  # parameters that are no part of a view


def of(request: HttpRequest, kind: RecordType) -> list[dict[str, str]]:
    found = preferences.of(user=request.user, name=_name(kind)).get("views")
    return [view for view in found if isinstance(view, dict)] if isinstance(found, list) else []


def tidy(query: str) -> str:
    """The query string without paging and empty parameters, in one order: equal views are equal texts."""
    return urlencode(sorted((k, v) for k, v in parse_qsl(query) if k not in PASSING))[:1000]


def tabs(request: HttpRequest, kind: RecordType) -> list[Link]:
    views = of(request, kind)
    if not views:
        return []
    here, base = tidy(request.GET.urlencode()), reverse("web:records", args=[kind.path])
    links = [Link(view["name"], f"{base}?{view['query']}", current=view["query"] == here) for view in views]
    return [Link("All", base, current=not any(link.current for link in links)), *links]


def current(request: HttpRequest, kind: RecordType) -> str:
    here = tidy(request.GET.urlencode())
    return next((view["name"] for view in of(request, kind) if view["query"] == here), "")


def keep(request: HttpRequest, kind: RecordType, name: str, query: str) -> None:
    """A view of the same name is replaced; the oldest leaves when there are too many."""
    views = [view for view in of(request, kind) if view["name"] != name]
    views = [*views, {"name": name[:60], "query": tidy(query)}][-MOST:]
    _store(request, kind, views)


def drop(request: HttpRequest, kind: RecordType, name: str) -> None:
    _store(request, kind, [view for view in of(request, kind) if view["name"] != name])


def _store(request: HttpRequest, kind: RecordType, views: list[dict[str, Any]]) -> None:
    preferences.keep(user=request.user, name=_name(kind), value={"views": views})


def _name(kind: RecordType) -> str:
    return f"views:{kind.key}"


def drop_action(request: HttpRequest, kind: RecordType) -> list[Action]:
    """In the page menu while a saved view is shown."""
    name = current(request, kind)
    if not name:
        return []
    url = reverse("web:records-view", args=[kind.path])
    fields = {"drop": name}
    return [
        Action(label=f"Forget the view “{name}”", name="forget-view", url=url, icon="x", method="post", fields=fields)
    ]
