"""A page for each dimension of the group's own, there as soon as it is declared: its values, and the rail that leads to it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from dimensions.models import Dimension
from mdm import permissions
from mdm.errors import NotFound
from mdm.web import browsing, memory, visitor
from mdm.web.navigation import Entry, Group
from mdm.web.page import Action, Link, Meta, Page
from mdm.web.views import records

KEY = "rail:dimensions"
CHOICES = ("refs:dimension", "choices:dimension_value:dimension")  # where lists and forms keep what can be chosen
KEEP = 60  # seconds; a commit makes the pages forget at once
WHY_NOT = "Your role may read these records only."


def groups() -> list[Group]:
    """The rail's group of declared dimensions; none while there are none."""
    listed = memory.remember(KEY, KEEP, declared)
    entries = tuple(_entry(code, name) for code, name in listed)
    return [Group("Dimensions", entries)] if entries else []


def declared() -> list[tuple[str, str]]:
    """(code, name) of the dimensions in use."""
    rows = Dimension.objects.filter(status__in=("active", "blocked")).order_by("name")
    return list(rows.values_list("code", "name"))


def _entry(code: str, name: str) -> Entry:
    return Entry(name, "tree", "dimensions:values", scope="read:dimension-values", args=(code,))


def forget() -> None:
    """After a commit: what was declared shows at once, on every server that shares the cache."""
    memory.forget(KEY, *CHOICES)


@require_GET
@visitor.page
def of_dimension(request: HttpRequest, code: str) -> HttpResponse:
    """The list of values, held to one dimension."""
    kind, above = visitor.kind_at(request, "dimension-values"), visitor.kind_at(request, "dimensions")
    row = Dimension.objects.filter(code=code).first()
    if row is None:
        raise NotFound("There is no such dimension. A governance lead declares one under Settings, Dimensions.")
    asked = request.GET.copy()
    asked["dimension"] = row.code  # exports and kept views carry it along
    request.GET = asked  # type: ignore[assignment]
    allowed = permissions.may(visitor.actor(request), f"propose:{kind.path}")

    def head(found: Any) -> Page:
        _, shown = browsing.counted(found)
        return Page(
            title=row.name,
            note=row.description or "",
            crumbs=[Link(above.plural, reverse("web:records", args=[above.path])), Link(row.code, "")],
            meta=[Meta(kind="id", text=row.code), Meta(text=browsing.plural(shown, "value"))],
            menu=[Action(label="About this dimension", url=visitor.record_url(above, row.uid), icon="info")],
            primary=Action(
                label="Propose value",
                url=f"{reverse('web:record-new', args=[kind.path])}?dimension={row.code}",
                icon="plus",
                key="n",
                allowed=allowed,
                why_not="" if allowed else WHY_NOT,
            ),
        )

    return records.answer(request, kind, fixed={"dimension": row.code}, head=head)
