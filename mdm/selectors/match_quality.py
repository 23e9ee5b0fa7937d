"""How well duplicates are found: decisions against the scores in force, the size and age of the queue, who disagrees.

Pairs carry the score of the model in force (`mdm.services.rescoring` sees to it), so everything here is counted by the
database. Judged pairs came from the queue: what the hub never showed to anybody is in none of these figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Min, Q
from django.utils import timezone

from mdm.models import DuplicatePair

SAME = ("same", "merged")
DIFFERENT = ("different", "related")
BANDS = ("link", "review", "none")
AGES = (("today", 1), ("this week", 7), ("this month", 30), ("this quarter", 91), ("older", None))


@dataclass(frozen=True)
class Measures:
    """Judged pairs by answer and band. Shares are None where there is nothing to divide by."""

    counts: dict[tuple[bool, str], int]  # (judged the same, band) -> pairs

    def _sum(self, *, same: bool | None = None, bands: tuple[str, ...] = BANDS) -> int:
        return sum(n for (is_same, band), n in self.counts.items() if same in (None, is_same) and band in bands)

    @property
    def judged(self) -> int:
        return self._sum()

    @property
    def same(self) -> int:
        return self._sum(same=True)

    @property
    def shown(self) -> int:
        return self._sum(bands=("link", "review"))

    @property
    def linked(self) -> int:
        return self._sum(bands=("link",))

    @property
    def precision(self) -> float | None:
        return _share(self._sum(same=True, bands=("link", "review")), self.shown)

    @property
    def recall(self) -> float | None:
        return _share(self._sum(same=True, bands=("link", "review")), self.same)

    @property
    def link_precision(self) -> float | None:
        return _share(self._sum(same=True, bands=("link",)), self.linked)


@dataclass(frozen=True)
class Disagreement:
    people: int  # pairs people judged both ways
    tax_said_same: int  # judged different, the tax numbers agree
    tax_said_different: int  # judged the same, valid tax numbers differ
    model_missed: int  # judged the same, not even shown by the model in force
    model_linked: int  # judged different, linked by the model in force


@dataclass(frozen=True)
class Queue:
    bands: dict[str, int]  # open pairs per band
    ages: list[tuple[str, int]]  # open pairs per age, youngest first
    oldest: datetime | None

    @property
    def size(self) -> int:
        return sum(self.bands.values())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def measures(type_key: str) -> Measures:
    rows = (
        DuplicatePair.objects.filter(type=type_key, kind="duplicate", state__in=(*SAME, *DIFFERENT))
        .values_list("state", "band")
        .annotate(n=Count("pk"))
        .order_by()
    )
    counts: dict[tuple[bool, str], int] = {}
    for state, band, count in rows:
        key = (state in SAME, band)
        counts[key] = counts.get(key, 0) + count
    return Measures(counts)


def queue(type_key: str) -> Queue:
    """Pairs that wait for a person."""
    now = timezone.now()
    found: dict[str, Any] = {band: Count("pk", filter=Q(band=band)) for band in BANDS}
    newer = now + timedelta(days=1)
    for place, (_, days) in enumerate(AGES):
        older = now - timedelta(days=days) if days else None
        span = Q(found_at__lt=newer) & (Q(found_at__gte=older) if older else Q())
        found[f"age{place}"], newer = Count("pk", filter=span), older or newer
    row = DuplicatePair.objects.filter(type=type_key, kind="duplicate", state="open").aggregate(
        **found, oldest=Min("found_at")
    )
    ages = [(label, row[f"age{place}"]) for place, (label, _) in enumerate(AGES)]
    return Queue({band: row[band] for band in BANDS}, ages, row["oldest"])


def disagreement(type_key: str, found: Measures) -> Disagreement:
    pairs = DuplicatePair.objects.filter(type=type_key, kind="duplicate")
    same_id = Q(explanation__contains=[{"feature": "tax", "note": "same tax id"}])
    row = pairs.aggregate(
        tax_said_same=Count("pk", filter=Q(state__in=DIFFERENT) & same_id),
        tax_said_different=Count("pk", filter=Q(state__in=SAME, flags__contains=["tax_id_conflict"])),
    )
    return Disagreement(
        people=_judged_both_ways(type_key),
        model_missed=found.counts.get((True, "none"), 0),
        model_linked=found.counts.get((False, "link"), 0),
        **row,
    )


def _judged_both_ways(type_key: str) -> int:
    """By the newest judgement of each person, pairs some call the same and others not; those taken back do not count."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT pair_id FROM (SELECT DISTINCT ON (d.pair_id, d.decided_by_id) d.pair_id, "
            "d.judgement FROM mdm_matchdecision d JOIN mdm_duplicatepair p ON p.id = d.pair_id WHERE p.type = %s "
            "ORDER BY d.pair_id, d.decided_by_id, d.id DESC) newest WHERE judgement IN ('same', 'different', 'related') "
            "GROUP BY pair_id HAVING count(DISTINCT judgement = 'same') > 1) both_ways",
            [type_key],
        )
        return int(cursor.fetchone()[0])
