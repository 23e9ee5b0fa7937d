"""Follows one correlation id: who asked, what was applied, what was sent where, and what each target answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from mdm import registry
from mdm.models import ChangeRequest, Event
from mdm.permissions import may
from mdm.selectors import request_items
from mdm.selectors.visibility import Entities
from mdm.types import Actor
from sync.models import Delivery, PushJob
from sync.selectors import jobs, ledger, sight

MOST = 50  # deliveries shown with everything that was said


@dataclass(frozen=True)
class Chain:
    """Everything that carries one correlation id, in the order in which it follows from one another."""

    id: str
    requests: list[ChangeRequest]
    events: list[Event]
    jobs: list[PushJob]
    deliveries: list[Delivery]
    more: bool
    silent: frozenset[int]  # row ids of deliveries of which only the way is shown, not what was said

    def __bool__(self) -> bool:
        return bool(self.requests or self.events or self.jobs or self.deliveries)


def of(correlation_id: str, *, by: Actor, entities: Entities, exchanges: bool = False) -> Chain:
    """What the person may see of it; a fixed number of queries whatever hangs on the id."""
    hidden = [kind.key for kind in registry.all_types() if not may(by, f"read:{kind.path}")]
    asked = request_items.seen_by(by, entities).filter(correlation_id=correlation_id)
    requests = list(asked.order_by("pk")[:MOST])
    rows = ledger.deliveries(entities, exchanges=exchanges).filter(correlation_id=correlation_id)
    found = list(rows.order_by("pk")[: MOST + 1])
    deliveries = found[:MOST]
    by_event = [row.event_id for row in deliveries if row.event_id]
    events = Event.objects.filter(Q(pk__in=by_event) | Q(change__in=requests)).exclude(type__in=hidden)
    events = sight.seen(events, entities, record="subject").order_by("pk")
    return Chain(
        correlation_id,
        requests,
        list(events[:MOST]),
        list(jobs.jobs().filter(correlation_id=correlation_id).order_by("pk")[:MOST]),
        deliveries,
        len(found) > MOST,
        sight.hidden_deliveries(deliveries, entities),
    )


def exists(correlation_id: str) -> bool:
    """Whether anything carries the id; one query."""

    def carriers(model: Any) -> Any:
        return model._default_manager.filter(correlation_id=correlation_id).order_by().values("correlation_id")

    return bool(carriers(Delivery).union(carriers(ChangeRequest), carriers(PushJob))[:1])


def as_json(chain: Chain) -> dict[str, Any]:
    return {
        "correlation_id": chain.id,
        "requests": [
            {
                "uid": str(row.uid),
                "number": row.number,
                "title": row.title,
                "state": row.state,
                "by": row.requester_name,
                "at": row.created_at.isoformat(),
            }
            for row in chain.requests
        ],
        "events": [
            {
                "sequence": row.seq,
                "type": row.type,
                "subject": str(row.subject),
                "verb": row.verb,
                "version": row.version,
                "at": row.at.isoformat(),
            }
            for row in chain.events
        ],
        "jobs": [jobs.as_json(row) for row in chain.jobs],
        "deliveries": [ledger.as_json(row, hidden=row.pk in chain.silent, exchanges=True) for row in chain.deliveries],
        "more": chain.more,
    }
