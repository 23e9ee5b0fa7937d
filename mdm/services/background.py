"""What must happen by itself: sealing, scheduled requests, ended pins, records to rebuild, imports left behind."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mdm import ports
from mdm.models import Heartbeat, IdempotencyKey, ImportJob
from mdm.services import audit, changes, events, loading, pin_upkeep, ranking, rebuilding, rule_changes, taking_effect
from mdm.types import Actor

PROCESS = uuid.uuid4()  # new at every start: a restarted process is never taken for its predecessor
SYSTEM = Actor.system("Master Data Hub")
ANSWERS_KEPT = timedelta(days=35)  # clients are promised thirty for the answer to a call sent again
_FORGOTTEN_AT_ONCE = 1000


def tick() -> dict[str, int]:
    """One round; safe to run anywhere, any number of times at once."""
    with transaction.atomic():
        rule_changes.close_ended()
    return {
        "events": events.seal(),
        "audit": audit.seal(),
        "applied": changes.apply_due(by=SYSTEM),
        "taken_effect": taking_effect.take_effect(by=SYSTEM),
        "forgotten": forget_answers(),
        "expired_pins": pin_upkeep.expire(by=SYSTEM),
        "rebuilt": rebuilding.work_off(by=SYSTEM),
        "ranked": ranking.refresh(),
        **{what: number for work in ports.rounds for what, number in work().items()},
    }


def waiting_imports() -> list[int]:
    """Imports that nobody works on: queued with their load approved, or running without a sign of life."""
    stale = timezone.now() - loading.STALE
    left = Q(state="running", beat_at__lt=stale) | Q(state="running", beat_at=None) | Q(state="queued")
    jobs = ImportJob.objects.filter(left).exclude(change__state="in_review", rows_total__isnull=False)
    return list(jobs.values_list("pk", flat=True)[:20])


def forget_answers() -> int:
    """Remove stored answers of calls older than they are kept, oldest first, so many at once; how many."""
    oldest = IdempotencyKey.objects.order_by("pk")[:_FORGOTTEN_AT_ONCE]
    until = timezone.now() - ANSWERS_KEPT
    first = oldest.values_list("created_at", flat=True)[:1]
    if not first or first[0] >= until:  # nearly always: one row by the primary key, every few seconds
        return 0
    old = [pk for pk, created_at in oldest.values_list("pk", "created_at") if created_at < until]
    return IdempotencyKey.objects.filter(pk__in=old).delete()[0]


def beat(kind: str) -> None:
    """Say that this process lives; forget those gone for a day."""
    Heartbeat.objects.update_or_create(process=PROCESS, defaults={"kind": kind, "seen_at": timezone.now()})
    Heartbeat.objects.filter(seen_at__lt=timezone.now() - timedelta(days=1)).delete()
