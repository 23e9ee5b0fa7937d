"""How sending went lately: the share of answers that were no technical failure, hour by hour."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Count, Q
from django.db.models.functions import TruncHour
from django.utils import timezone

from sync.models import AttemptResult

HOURS = 24


def by_hour(pks: Iterable[int]) -> dict[int, list[float]]:
    """{target: share that succeeded, oldest hour first}; hours without an answer are left out. One query."""
    since = timezone.now() - timedelta(hours=HOURS)
    rows = (
        AttemptResult.objects.filter(target__in=list(pks), finished_at__gt=since)
        .annotate(hour=TruncHour("finished_at"))
        .order_by("target", "hour")
        .values_list("target", "hour")
        .annotate(answers=Count("pk"), failed=Count("pk", Q(technical_failure=True)))
    )
    found: dict[int, list[float]] = {}
    for target, _, answers, failed in rows:
        found.setdefault(target, []).append((answers - failed) / answers)
    return found
