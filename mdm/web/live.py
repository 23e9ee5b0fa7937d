"""Owns the end of polling: a page that renewed a part of itself is drawn once more as a whole, its buttons too."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def ended(request: HttpRequest, response: HttpResponse, *, live: bool) -> HttpResponse:
    """`response`, which the browser answers by a reload when the part it asked for is no longer live."""
    asked_for_a_part = getattr(request, "htmx", None) and request.htmx.target in ("live", "content-live")  # type: ignore[attr-defined]
    if asked_for_a_part and not live:
        response["HX-Refresh"] = "true"
    return response
