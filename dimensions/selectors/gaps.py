"""Owns what waits for somebody in the mappings: codes that were asked for and had no target."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, QuerySet

from dimensions.mapping_rows import MAPPINGS
from dimensions.models import MappingGap
from dimensions.services.mappings import Pair

MOST_COUNTED = 10_000  # beyond that nobody reads the number


def waiting(kinds: Iterable[str]) -> int:
    """How many open gaps these mappings have."""
    return MappingGap.objects.filter(state="open", mapping__in=list(kinds)).order_by()[:MOST_COUNTED].count()


def of(pair: Pair, state: str = "open") -> QuerySet[MappingGap]:
    """Most asked first."""
    rows = MappingGap.objects.filter(mapping=pair.kind, source=pair.source, target=pair.target, state=state)
    return rows.order_by("-times", "code")


def counted(pair: Pair) -> dict[str, int]:
    """{state: how many} of a pair."""
    rows = MappingGap.objects.filter(mapping=pair.kind, source=pair.source, target=pair.target).order_by()
    found = dict(rows.values_list("state").annotate(number=Count("pk")))
    return {state: found.get(state, 0) for state, _words in MappingGap.STATES}


def keys(most: int) -> list[MappingGap]:
    """Records that were asked for and have no key where they were asked for, the most asked first."""
    return list(MappingGap.objects.filter(state="open").exclude(mapping__in=MAPPINGS).order_by("-times", "code")[:most])
