"""Reading imports: what somebody may see of them, how far they are, what became of each row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q, QuerySet

from mdm import registry
from mdm.models import DuplicatePair, ImportJob, QuarantinedRow, SourceRecord
from mdm.permissions import may
from mdm.selectors import visibility
from mdm.selectors.visibility import Entities
from mdm.types import Actor


def visible(by: Actor, entities: Entities) -> QuerySet[ImportJob]:
    """Imports of the record types the person may read.

    A file concerns every company: people of some see only their own files of types that belong to companies.
    """
    readable = [kind.key for kind in registry.all_types() if may(by, f"read:{kind.path}")]
    rows = ImportJob.objects.filter(type__in=readable).select_related("system", "change")
    if entities is None:
        return rows
    limited = [kind.key for kind in registry.all_types() if visibility.is_limited(kind)]
    return rows.filter(~Q(type__in=limited) | Q(created_by=by.user)) if by.user else rows.exclude(type__in=limited)


def in_quarantine(jobs: Iterable[ImportJob]) -> dict[int, int]:
    """{import: rows that still wait for somebody}; one query for a page of imports."""
    rows = QuarantinedRow.objects.filter(job__in=[job.pk for job in jobs], state="open")
    return dict(rows.order_by().values_list("job").annotate(count=Count("pk")))


def causes(job: ImportJob) -> list[tuple[str, int]]:
    """Why rows wait, the most frequent cause first."""
    rows = job.quarantine.filter(state="open").order_by()
    return list(rows.values_list("cause").annotate(count=Count("pk")).order_by("-count", "cause"))


def staged(job: ImportJob) -> int:
    """Rows that were read and are not resolved yet."""
    return job.records.filter(outcome="staged").count()


def rows_with(job: ImportJob, outcome: str) -> QuerySet[SourceRecord]:
    """Rows of this file that came to this end. A row that a later file sent again belongs to that one."""
    return job.records.filter(outcome=outcome)


def settled(job: ImportJob) -> QuerySet[QuarantinedRow]:
    return job.quarantine.exclude(state="open")


def pairs_of(job: ImportJob) -> QuerySet[DuplicatePair]:
    """Pairs this import found that nobody has judged."""
    return DuplicatePair.objects.filter(job=job, state="open")


def pairs_with(job: ImportJob, uids: Iterable[Any]) -> dict[str, DuplicatePair]:
    """{golden uid: its likeliest open pair} for a page of candidates."""
    wanted = {str(uid) for uid in uids}
    rows = pairs_of(job).filter(Q(left__in=wanted) | Q(right__in=wanted)).order_by("probability")
    found = {}
    for pair in rows:
        for side in (str(pair.left), str(pair.right)):
            if side in wanted:
                found[side] = pair
    return found


def same_file(job: ImportJob) -> ImportJob | None:
    """An earlier import of the very same bytes from the same system."""
    return (
        ImportJob.objects.filter(system=job.system, type=job.type, file_hash=job.file_hash, pk__lt=job.pk)
        .exclude(state__in=("uploaded", "cancelled", "failed"))
        .order_by("-pk")
        .first()
    )
