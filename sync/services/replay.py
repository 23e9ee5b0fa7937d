"""Owns selective repetition: dead letters or whole stretches of the ledger, looked at first, then a job per target."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Max

from mdm.types import Actor
from sync.models import Delivery, PushJob
from sync.models.job import LIMIT
from sync.selectors import dead_letters
from sync.selectors.dead_letters import FILTERS, Look
from sync.services import jobs
from sync.services.exceptions import require_operate

__all__ = ["FILTERS", "Replay", "replay"]


@dataclass
class Replay:
    """What a filter means at each target, and the jobs that came of it (none when it was only looked at)."""

    filter: dict[str, Any]
    looks: list[Look]
    jobs: list[PushJob] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """Over all targets; `queued`: records that would be sent, or are in the rows of the jobs."""
        counts: Counter[str] = Counter(found=0, records=0, lanes=0, newer=0, queued=0)
        for look in self.looks:
            counts += Counter(found=look.found, records=look.records, lanes=look.lanes, newer=look.newer)
            counts.update(look.counts)
        return counts


@transaction.atomic
def replay(
    *,
    filter: Mapping[str, Any],
    dry_run: bool = True,
    by: Actor,
    forced: bool = False,
    reason: str = "",
    rate_per_s: float | None = None,
) -> Replay:
    """Send the current version of every record that the filter finds, or (forced) the version as it was.

    Without a state the filter means dead letters nobody followed up. Repeating it changes nothing: what waits already
    is left alone, followed-up letters are not found again, and a forced repetition happens once.
    """
    require_operate(by)
    found = Replay(dict(filter), dead_letters.look(filter))
    if dry_run:
        return found
    until = Delivery.objects.aggregate(last=Max("pk"))["last"] or 0
    batch = uuid.uuid4()
    large = sum(look.queued for look in found.looks) > LIMIT or not all(look.exact for look in found.looks)
    for look in found.looks:
        if not look.queued and not forced:
            continue
        scope = {"filter": {**found.filter, "target": look.target.code}, "until": until}
        job = jobs.ask(
            look.target, "replay", scope, by=by, reason=reason, forced=forced, batch=batch, needs_approval=large,
            rate_per_s=None if rate_per_s is None else min(rate_per_s, look.target.rate_per_s),
        )  # fmt: skip
        found.jobs.append(job)
    return found
