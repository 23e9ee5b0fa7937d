"""What must happen by itself: sealing, scheduled requests, imports left behind, signs of life."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from mdm.models import Heartbeat, ImportJob
from mdm.services import audit, changes, events, loading, ranking
from mdm.types import Actor

PROCESS = uuid.uuid4()  # new at every start: a restarted process is never taken for its predecessor
SYSTEM = Actor.system("Master Data Hub")


def tick() -> dict[str, int]:
    """One round; safe to run anywhere, any number of times at once."""
    return {
        "events": events.seal(),
        "audit": audit.seal(),
        "applied": changes.apply_due(by=SYSTEM),
        "ranked": ranking.refresh(),
    }


def waiting_imports() -> list[int]:
    """Imports that nobody works on: queued with their load approved, or running without a sign of life."""
    stale = timezone.now() - loading.STALE
    left = Q(state="running", beat_at__lt=stale) | Q(state="running", beat_at=None) | Q(state="queued")
    jobs = ImportJob.objects.filter(left).exclude(change__state="in_review", rows_total__isnull=False)
    return list(jobs.values_list("pk", flat=True)[:20])


def beat(kind: str) -> None:
    """Say that this process lives; forget those gone for a day."""
    Heartbeat.objects.update_or_create(process=PROCESS, defaults={"kind": kind, "seen_at": timezone.now()})
    Heartbeat.objects.filter(seen_at__lt=timezone.now() - timedelta(days=1)).delete()
