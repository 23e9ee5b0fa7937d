"""What tests of first loads in one request share: records that wait for one, and what is next in the queue, once."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

from dimensions.models import LegalEntity
from sync import platforms
from sync.models import (
    Delivery,
    Lane,
    PushJob,
    Subscription,
    Target,
)
from sync.payloads import renderer
from sync.services import bulk, claims, jobs
from tests.people import actor
from tests.sync import world
from tests.sync.world import Side

MANY = 5
COMPANY = "NH10"  # Dynamics 365 keeps a supplier per company, and takes none without one


def made(*names: str, **different: Any) -> list[str]:
    if not LegalEntity.objects.filter(code=COMPANY).exists():
        world.propose("legal_entity", {"code": COMPANY, "name": COMPANY, "country": "DE", "currency": "EUR"})
    return world.suppliers(names, **{"tax_registrations": [], "extensions": [{"legal_entity": COMPANY}], **different})


def suppliers(count: int = MANY, **different: Any) -> list[str]:
    """Records that no event sends: they wait for a load."""
    Subscription.objects.update(from_seq=10**9)
    uids = made(*(f"Viele {n} GmbH" for n in range(count)), **different)
    world.dispatch_now()
    return uids


def load(target: Target) -> PushJob:
    """Everything is queued when this returns."""
    PushJob.objects.update(state="done")
    job = jobs.ask_for_records(target, by=actor(f"op-{uuid.uuid4().hex[:6]}", "operator"))
    assert job.state == "running" and Lane.objects.filter(open=True).exists()
    return job


def together() -> Counter[str]:
    """What is next in the queue, once: the states of what was in that request."""
    target = Target.objects.get()
    held = claims.claim(target, uuid.uuid4(), platforms.bulk(target.connector))
    return Counter(deliver(held))


def deliver(held: list[claims.Claim]) -> list[str]:
    return bulk.deliver_several(held, claims.PROCESS, lambda row: renderer(row.target, row.type))


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def created(side: Side) -> list[str]:
    return [effect["key"] for effect in side.effects() if effect["kind"] == "created"]
