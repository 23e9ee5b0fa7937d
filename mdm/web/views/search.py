"""Search across everything: the full page, and the hits inside the palette while typing."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mdm import permissions, registry
from mdm.selectors import search
from mdm.web import visitor
from mdm.web.page import Empty, Link, Page


@visitor.page
def find(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:200]
    groups = [
        {"title": title, "hits": [_hit(hit) for hit in hits]}
        for title, hits in search.everything(query, visitor.actor(request))
    ]
    context: dict[str, Any] = {"q": query, "groups": groups, "actions": _actions(request, query)}
    if getattr(request, "htmx", False) and request.htmx.target == "palette-list":  # type: ignore[attr-defined]
        return render(request, "web/_palette.html", context)
    context["page"] = Page(title=f"Search: {query}" if query else "Search")
    context["empty"] = None if groups else _empty(query)
    return render(request, "web/search.html", context)


def _hit(hit: search.Hit) -> dict[str, Any]:
    if hit.kind:
        url = visitor.record_url(registry.get(hit.kind), hit.uid)
    else:
        url = visitor.link("web:request", hit.number) if hit.number else hit.url
    return {"title": hit.title, "hint": hit.hint, "icon": hit.icon, "url": url}


def _actions(request: HttpRequest, query: str) -> list[Link]:
    """What one can do from anywhere, when its words fit what was typed."""
    by = visitor.actor(request)
    offered = [
        Link(label=f"Propose {kind.one}", url=visitor.link("web:record-new", kind.path), icon="plus")
        for kind in registry.all_types()
        if permissions.may(by, f"propose:{kind.path}")
    ]
    offered += [
        Link(label=f"Compare {kind.nouns}", url=visitor.link("web:compare", kind.path), icon="columns")
        for kind in registry.all_types()
        if kind.match and permissions.may(by, f"read:{kind.path}")
    ]
    if permissions.may(by, "propose:suppliers"):
        offered.append(Link(label="Import a file", url=visitor.link("web:import-new"), icon="upload"))
    offered.append(Link(label="Open the inbox", url=visitor.link("web:inbox"), icon="inbox"))
    words = query.lower().split()
    return [link for link in offered if link.url and all(word in link.label.lower() for word in words)][:4]


def _empty(query: str) -> Empty:
    if not query:
        text = "Type a code, a name, a tax number, a key of a platform, a request number or a correlation id."
        return Empty(title="Search records, requests and deliveries", text=text, icon="search")
    text = "Try fewer letters, or the beginning of each word. Numbers are found without their separators."
    return Empty(title=f"Nothing matches “{query}”", text=text, icon="search")
