"""Owns operating a target: pause and resume, check it, push to it by hand."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from mdm.errors import CorrectInput, NotNow
from mdm.services import audit
from mdm.types import Actor
from sync import governors
from sync.models import Target
from sync.models.job import LIMIT
from sync.protocol import Health
from sync.services import connections, pushing
from sync.services.dispatch import Basis
from sync.services.exceptions import require_operate
from sync.services.pushing import Pushed


@transaction.atomic
def pause(target: Target, *, reason: str, by: Actor) -> Target:
    """Nothing more is sent; requests under way end as they do. Deliveries go on queueing."""
    require_operate(by)
    if not reason.strip():
        raise CorrectInput("Say why nothing should be sent.")
    changed = Target.objects.filter(pk=target.pk, paused_at=None).update(
        paused_at=Now(), paused_by=by.name, pause_reason=reason[:300]
    )
    if not changed:
        raise NotNow(f"{target.title} is paused already.")
    return _logged(target, "paused", by, reason=reason)


@transaction.atomic
def resume(target: Target, *, by: Actor) -> Target:
    """Send again, and at once: an operator's resume also ends a wait the target asked for and half-opens the breaker."""
    require_operate(by)
    target.refresh_from_db()
    if target.paused_at is None and target.breaker == "closed" and target.not_before is None:
        raise NotNow(f"{target.title} is not paused.")
    Target.objects.filter(pk=target.pk).update(
        paused_at=None, paused_by="", pause_reason="", not_before=None, breaker_probe_at=Now()
    )
    governors.close_alerts(target, "gone")
    return _logged(target, "resumed", by)


def check(target: Target, *, by: Actor) -> Health:
    """Sign in and look what can be written there; outside any transaction, because the target may take its time."""
    require_operate(by)
    health = connections.try_out(target)
    connections.note(target, health, by=by)
    target.refresh_from_db()
    return health


def push(target: Target, *, by: Actor, type: str, uids: list[str], dry_run: bool = False) -> Pushed:
    """Queue the current version of some records at once; more than a person may send alone is a job (`jobs`)."""
    require_operate(by)
    if not type:
        raise CorrectInput("Name the type of the records.")
    if len(set(uids)) > LIMIT:
        raise CorrectInput(f"More than {LIMIT} records are sent by a job.")
    result = pushing.push_records(target, type, uids, Basis(reason="manual", requested_by=by.name), dry_run=dry_run)
    if not dry_run:
        _logged(target, "pushed", by, type=type, records=len(uids), **dict(result.counts))
    return result


def _logged(target: Target, action: str, by: Actor, **detail: Any) -> Target:
    audit.record(
        action=f"target.{action}", by=by, object_type="target", object_uid=target.code, object_label=target.title,
        detail=detail,
    )  # fmt: skip
    target.refresh_from_db()
    return target
