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


def counted(pair: Pair) -> dict[str, int]:
    """{state: how many} of a pair."""
    rows = MappingGap.objects.filter(mapping=pair.kind, source=pair.source, target=pair.target).order_by()
    found = dict(rows.values_list("state").annotate(number=Count("pk")))
    return {state: found.get(state, 0) for state, _words in MappingGap.STATES}
