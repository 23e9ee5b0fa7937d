"""How targets are doing: state in one word, queue, success, breaker, use of the rate; a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from sync import platforms
from sync.errors import SyncError
from sync.models import (
    AttemptResult,
    Delivery,
    DriftFinding,
    ExceptionItem,
    FreezeWindow,
    Lane,
    QuotaUse,
    Subscription,
    Target,
    TargetAlert,
)
from sync.models.states import DEAD, OPEN
from sync.selectors import freeze_views
from sync.services.freezing import HOLD

DEGRADED = 0.05  # share of failed answers in an hour


@dataclass(frozen=True)
class Health:
    """One target as it stands now. `state`: healthy degraded paused down frozen unknown disabled."""

    target: Target
    state: str
    note: str
    queue: int
    ready: int
    oldest_at: datetime | None
    last_ok: datetime | None
    last_failed: datetime | None
    last_error: str
    answers_24h: int
    failures_24h: int
    answers_minute: int
    quota_used: int
    exceptions: int
    dead: int
    drift: int
    capability: str
    types: list[str]
    alerts: list[TargetAlert] = field(default_factory=list)
    freezes: list[FreezeWindow] = field(default_factory=list)  # open ones and those to come
    frozen: int = 0  # lanes that wait for a thaw


def all_targets(targets: Iterable[Target] | None = None) -> list[Health]:
    rows = list(Target.objects.select_related("system").order_by("code") if targets is None else targets)
    facts = _Facts([row.pk for row in rows])
    return [_health(row, facts) for row in rows]


def of(target: Target) -> Health:
    return all_targets([target])[0]


class _Facts:
    """Everything counted per target; one query each."""

    def __init__(self, pks: list[int]) -> None:
        self.now = now = timezone.now()
        day, hour, minute = now - timedelta(days=1), now - timedelta(hours=1), now - timedelta(minutes=1)
        ready = Q(next_at__lte=now, hold_reason="") & (Q(lease_until=None) | Q(lease_until__lt=now))
        self.lanes = _by(Lane.objects.filter(target__in=pks, open=True), open=Count("pk"), ready=Count("pk", ready))
        self.frozen = _by(Lane.objects.filter(target__in=pks, hold_reason__startswith=HOLD), n=Count("pk"))
        self.freezes = freeze_views.ahead(pks)
        self.oldest = _by(Delivery.objects.filter(target__in=pks, state__in=OPEN), at=Min("created_at"))
        failed = Q(technical_failure=True)
        self.answers = _by(
            AttemptResult.objects.filter(target__in=pks, finished_at__gt=day),
            day=Count("pk"),
            failed=Count("pk", failed),
            hour=Count("pk", Q(finished_at__gt=hour)),
            failed_hour=Count("pk", failed & Q(finished_at__gt=hour)),
            minute=Count("pk", Q(finished_at__gt=minute)),
            last_failed=Max("finished_at", filter=failed),
        )
        self.posted = _by(Delivery.objects.filter(target__in=pks, state="posted"), at=Max("posted_at"))
        self.exceptions = _by(ExceptionItem.objects.filter(target__in=pks, state="open"), n=Count("pk"))
        self.dead = _by(
            Delivery.objects.filter(target__in=pks, state__in=DEAD, corrected_by=None).exclude(state="rejected"),
            n=Count("pk"),
        )
        self.drift = _by(DriftFinding.objects.filter(target__in=pks, state="open"), n=Count("pk"))
        self.quota = _by(QuotaUse.objects.filter(target__in=pks, day=now.date()), n=Max("used"))
        self.errors = _last_errors(pks)
        self.types: dict[int, list[str]] = {}
        for target, type in Subscription.objects.filter(target__in=pks, active=True).values_list("target", "type"):
            self.types.setdefault(target, []).append(type)
        self.alerts: dict[int, list[TargetAlert]] = {}
        for alert in TargetAlert.objects.filter(target__in=pks, closed_at=None).order_by("pk"):
            self.alerts.setdefault(alert.target_id, []).append(alert)


def _by(rows: Any, **aggregates: Any) -> dict[int, dict[str, Any]]:
    return {row["target"]: row for row in rows.order_by().values("target").annotate(**aggregates)}


def _last_errors(pks: list[int]) -> dict[int, str]:
    rows = AttemptResult.objects.filter(target__in=pks, technical_failure=True)
    return dict(rows.order_by("target", "-finished_at").distinct("target").values_list("target", "message"))


def _health(target: Target, facts: _Facts) -> Health:
    answers, lanes = facts.answers.get(target.pk, {}), facts.lanes.get(target.pk, {})
    last_ok = facts.posted.get(target.pk, {}).get("at")
    freezes = facts.freezes.get(target.pk, [])
    state, note = _state(target, answers, last_ok, facts.now, freezes)
    try:
        capability = platforms.connector_class(target.connector).capability
    except SyncError:
        capability = "E"
    return Health(
        target=target,
        state=state,
        note=note,
        queue=lanes.get("open", 0),
        ready=lanes.get("ready", 0),
        oldest_at=facts.oldest.get(target.pk, {}).get("at"),
        last_ok=last_ok,
        last_failed=answers.get("last_failed"),
        last_error=facts.errors.get(target.pk, ""),
        answers_24h=answers.get("day", 0),
        failures_24h=answers.get("failed", 0),
        answers_minute=answers.get("minute", 0),
        quota_used=facts.quota.get(target.pk, {}).get("n") or 0,
        exceptions=facts.exceptions.get(target.pk, {}).get("n", 0),
        dead=facts.dead.get(target.pk, {}).get("n", 0),
        drift=facts.drift.get(target.pk, {}).get("n", 0),
        capability=capability,
        types=facts.types.get(target.pk, []),
        alerts=facts.alerts.get(target.pk, []),
        freezes=freezes,
        frozen=facts.frozen.get(target.pk, {}).get("n", 0),
    )


def _state(
    target: Target,
    answers: dict[str, Any],
    last_ok: datetime | None,
    now: datetime,
    freezes: Iterable[FreezeWindow],
) -> tuple[str, str]:
    if not target.active:
        return "disabled", "Switched off by governance."
    if target.paused_at:
        return "paused", f"Paused by {target.paused_by}: {target.pause_reason}"
    if target.breaker == "open":
        return "down", target.breaker_reason
    if target.check_ok is False:
        return "down", target.check_message
    whole = next(
        (row for row in freezes if freeze_views.state_of(row) == "open" and not (row.type or row.entities)), None
    )
    if whole is not None:
        return "frozen", f"Frozen {freeze_views.span(whole)}: {whole.reason}"
    if target.breaker == "half_open":
        return "degraded", f"Trying one request at a time after: {target.breaker_reason}"
    if target.not_before and target.not_before > now:
        return "degraded", f"It asked for time until {target.not_before:%H:%M:%S} UTC."
    if answers.get("hour") and answers["failed_hour"] / answers["hour"] > DEGRADED:
        return "degraded", f"{answers['failed_hour']} of {answers['hour']} answers failed within an hour."
    if target.checked_at is None and last_ok is None:
        return "unknown", "Neither checked nor written to yet."
    return "healthy", target.check_message if target.check_ok else ""


def as_json(health: Health) -> dict[str, Any]:
    target = health.target
    return {
        "code": target.code,
        "title": target.title,
        "connector": target.connector,
        "system": target.system.code,
        "capability": health.capability,
        "types": health.types,
        "state": health.state,
        "message": health.note,
        "queue": {"open": health.queue, "ready": health.ready, "oldest_at": _iso(health.oldest_at)},
        "breaker": {"state": target.breaker, "since": _iso(target.breaker_since), "reason": target.breaker_reason},
        "not_before": _iso(target.not_before),
        "rate": {"per_second": target.rate_per_s, "burst": target.burst, "last_minute": health.answers_minute},
        "quota": {"per_day": target.daily_quota, "used_today": health.quota_used},
        "concurrency": target.concurrency,
        "last_success_at": _iso(health.last_ok),
        "last_failure_at": _iso(health.last_failed),
        "last_error": health.last_error,
        "last_day": {"answers": health.answers_24h, "failures": health.failures_24h},
        "exceptions": health.exceptions,
        "dead_letters": health.dead,
        "drift": health.drift,
        "paused": {"at": _iso(target.paused_at), "by": target.paused_by, "reason": target.pause_reason}
        if target.paused_at
        else None,
        "checked_at": _iso(target.checked_at),
        "pushable": target.pushable,
        "missing": target.missing,
        "alerts": [
            {
                "code": alert.code,
                "message": alert.message,
                "since": _iso(alert.opened_at),
                "acknowledged_by": alert.acknowledged_by,
            }
            for alert in health.alerts
        ],
        "freezes": [freeze_views.as_json(row) for row in health.freezes],
        "frozen": health.frozen,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
