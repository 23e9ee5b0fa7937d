"""Owns technical alerts: opened once per target and cause, acknowledged by a person, closed when the target works again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.text import slugify

from mdm.errors import NotAllowed, NotNow
from mdm.permissions import may
from mdm.services import audit
from mdm.types import Actor
from sync.models import Delivery, DriftRun, OutcomeRule, Target, TargetAlert
from sync.models.target import SOON_DAYS
from sync.services import notifying

SETTLES_S = 300  # an alert that comes back so soon was never over; its end is told only after this
_ENDING = Q(active=True, secret_expires_on__lte=Now() + timedelta(days=SOON_DAYS))
_SEEN_EVERY = timedelta(seconds=30)
_QUIET = timedelta(seconds=60)
_LOCK = 7_103  # one alert of a target is opened or closed at a time, so that each is told once


def alert(target: Target, code: str, message: str, **detail: Any) -> None:
    """One open alert per target and cause, whatever the number of records; told when it opens, not when it goes on."""
    if _seen(target, code, message):
        return
    with transaction.atomic():
        _lock(target)
        if _seen(target, code, message) or _returned(target, code, message):
            return
        row = TargetAlert.objects.create(target=target, code=code, message=message, detail=detail, opened_at=Now())
        notifying.tell(row, "opened")


def code_of(rule: OutcomeRule) -> str:
    """The cause that a rule's outcomes are gathered under."""
    return slugify(rule.name)[:40] or f"rule-{rule.pk}"


def _lock(target: Target) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, target.pk])


def _seen(target: Target, code: str, message: str) -> bool:
    """True when it is open; the row is written once in half a minute, however many records are hit."""
    found = TargetAlert.objects.filter(target=target, code=code, closed_at=None)
    if found.filter(last_seen_at__lt=Now() - _SEEN_EVERY).update(last_seen_at=Now(), message=message):
        return True
    return found.exists()


def _returned(target: Target, code: str, message: str) -> bool:
    recent = TargetAlert.objects.filter(target=target, code=code, closed_at__gt=Now() - timedelta(seconds=SETTLES_S))
    row = recent.order_by("-closed_at").first()
    if row is None:
        return False
    TargetAlert.objects.filter(pk=row.pk).update(
        closed_at=None, returns=F("returns") + 1, last_seen_at=Now(), message=message
    )
    notifying.call_off(row, "resolved")
    return True


def close_alerts(target: Target, *codes: str) -> None:
    with transaction.atomic():
        rows = list(TargetAlert.objects.select_for_update().filter(target=target, code__in=codes, closed_at=None))
        for row in rows:
            TargetAlert.objects.filter(pk=row.pk).update(closed_at=Now())
            notifying.tell(row, "resolved", after_s=SETTLES_S)


@transaction.atomic
def acknowledge(row: TargetAlert, *, note: str = "", by: Actor) -> TargetAlert:
    """Somebody looks after it; it stays open until the target works again."""
    if not may(by, "sync:operate"):
        raise NotAllowed("You may not operate deliveries.")
    row = TargetAlert.objects.select_for_update(of=("self",)).select_related("target").get(pk=row.pk)
    if row.closed_at is not None:
        raise NotNow("This alert is over already.")
    if row.acknowledged_at is not None:
        raise NotNow(f"{row.acknowledged_by} looks after this alert already.")
    TargetAlert.objects.filter(pk=row.pk).update(acknowledged_at=Now(), acknowledged_by=by.name, note=note[:300])
    row.refresh_from_db()
    audit.record(
        action="alert.acknowledged", by=by, object_type="target", object_uid=row.target.code,
        object_label=f"{row.cause} at {row.target.title}", detail={"alert": str(row.uid), "note": note[:300]},
    )  # fmt: skip
    return row


# --- a look at how things stand, so that no alert depends on one process having told it ---------------------------


def look_around() -> None:
    """Open what the ledger shows and nobody told, close what is over; a few queries, made every ten seconds."""
    for state, code in (("failed", "dead_letters"), ("poison", "poison")):
        rows = Delivery.objects.filter(state=state, corrected_by=None, target__active=True)
        for row in rows.order_by("target_id", "-pk").distinct("target_id").select_related("target"):
            alert(row.target, code, row.error_text or "It ended its process three times.", delivery=str(row.uid))
    for target in Target.objects.filter(_ENDING):
        alert(target, "credentials_end", f"The credentials end on {target.secret_expires_on}: replace them before.")
    for open_ in TargetAlert.objects.filter(closed_at=None).select_related("target"):
        if _OVER.get(open_.code, _works)(open_):
            if open_.code == "check_failed":
                Target.objects.filter(pk=open_.target_id).update(check_ok=None, check_message="")
            close_alerts(open_.target, open_.code)


def _works(row: TargetAlert) -> bool:
    """Something arrived there since it was last seen, and it was not seen again for a while."""
    quiet = TargetAlert.objects.filter(pk=row.pk, last_seen_at__lt=Now() - _QUIET)
    posted = Delivery.objects.filter(target=row.target_id, state="posted", posted_at__gt=row.last_seen_at)
    return quiet.exists() and posted.exists()


def _none_left(state: str) -> Callable[[TargetAlert], bool]:
    left = Q(state=state, corrected_by=None)
    return lambda row: not Delivery.objects.filter(left, target=row.target_id).exists()


_OVER: dict[str, Callable[[TargetAlert], bool]] = {
    "breaker_open": lambda row: row.target.breaker == "closed",
    "dead_letters": _none_left("failed"),
    "poison": _none_left("poison"),
    "credentials_end": lambda row: not Target.objects.filter(_ENDING, pk=row.target_id).exists(),
    "drift_failed": lambda row: DriftRun.objects.filter(
        target=row.target_id, state="done", finished_at__gt=row.last_seen_at
    ).exists(),
}
