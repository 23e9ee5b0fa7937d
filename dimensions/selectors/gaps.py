"""Owns what waits for somebody in the mappings: codes that were asked for and had no target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, QuerySet

from dimensions.mapping_rows import MAPPINGS
from dimensions.models import MappingGap
from dimensions.services.mappings import Pair
from mdm import permissions

MOST_COUNTED = 10_000


def counts(user: Any) -> Mapping[str, int]:
    """For the navigation, of whoever may do something about it."""
    scopes = permissions.scopes_of(user)
    kinds = [key for key, one in MAPPINGS.items() if permissions.allows(scopes, f"propose:{one.record_type.path}")]
    if not kinds or "steward" not in scopes:
        return {}
    return {"mappings": MappingGap.objects.filter(state="open", mapping__in=kinds).order_by()[:MOST_COUNTED].count()}


def of(pair: Pair, state: str = "open") -> QuerySet[MappingGap]:
    """Most asked first."""
    rows = MappingGap.objects.filter(mapping=pair.kind, source=pair.source, target=pair.target, state=state)
    return rows.order_by("-times", "code")


def waiting() -> dict[Pair, int]:
    """Pairs with open gaps of mappings whose rows are records, the most first."""
    rows = MappingGap.objects.filter(state="open", mapping__in=MAPPINGS).order_by()
    counted = rows.values_list("mapping", "source", "target").annotate(number=Count("pk")).order_by("-number")
    return {Pair(kind, source, target): number for kind, source, target, number in counted}
