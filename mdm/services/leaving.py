"""Source records that a system no longer has: trusted last from then on, and back in their place when they are sent again."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from mdm.models import Crosswalk, SourceRecord, System
from mdm.registry import RecordType
from mdm.services import rebuilding


@transaction.atomic
def leave(*, kind: RecordType, system: System, keys: Sequence[str], why: str) -> int:
    """A system no longer has these records: their trust falls below everybody's, their values stay until another source
    speaks. How many left now; those that left before are not counted again."""
    rows = SourceRecord.objects.select_for_update().filter(
        system=system, type=kind.key, key__in=list(keys), active=True
    ).order_by("pk")  # fmt: skip
    gone = list(rows.values_list("pk", "golden_uid"))
    SourceRecord.objects.filter(pk__in=[pk for pk, _ in gone]).update(
        active=False, left_at=timezone.now(), left_why=why
    )
    rebuilding.queue(
        kind=kind, uids=[uid for _, uid in gone if uid], reason=f"{system.title} no longer has its record."
    )
    return len(gone)


@transaction.atomic
def unlink(*, kind: RecordType, system: System, key: str) -> int:
    """A key leads nowhere at its system any more: it is not used again, and what it said is trusted last."""
    Crosswalk.objects.filter(system=system, type=kind.key, key=key).update(active=False)
    return leave(kind=kind, system=system, keys=[key], why="unlinked")
