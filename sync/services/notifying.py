"""Owns telling people about alerts: an outbox of rows, sent after the commit, once each, never inside a transaction."""

from __future__ import annotations

import json
import logging
import re
import smtplib
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from sync import errors, http, signing, tasks
from sync.models import AlertRoute, Notification, TargetAlert
from sync.protocol import Config

log = logging.getLogger(__name__)
WAITS_S = (30, 120, 600, 1800, 7200, 21_600)  # after the last one it is given up
_TIMEOUT_S, _LEASE_S = 10.0, 120


def tell(alert: TargetAlert, event: str, *, after_s: float = 0) -> None:
    """One row per recipient, in the caller's transaction; the bell is rung when that is committed."""
    rows = [
        Notification(
            alert=alert,
            event=event,
            channel=channel,
            recipient=recipient,
            route=route,
            next_at=Now() + timedelta(seconds=after_s),
            created_at=Now(),
        )
        for channel, recipient, route in dict.fromkeys(_recipients(alert))
    ]
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    if rows and not after_s:
        transaction.on_commit(tasks.ring_notify)


def _recipients(alert: TargetAlert) -> Iterator[tuple[str, str, AlertRoute | None]]:
    routes = AlertRoute.objects.filter(Q(target=None) | Q(target=alert.target_id), active=True).order_by("pk")
    emails = list(settings.ALERT_EMAILS)
    for route in routes:
        if route.channel == "webhook":
            yield "webhook", route.url, route
        else:
            emails += [route.address] * bool(route.address)
            people = User.objects.filter(groups__name=route.role, is_active=True).exclude(email="")
            emails += people.order_by("pk").values_list("email", flat=True) if route.role else []
    for address in emails if settings.EMAIL_CONFIGURED else ():
        yield "email", address.strip().lower(), None


def call_off(alert: TargetAlert, event: str) -> None:
    """It came back before its end was told: take the row back, so that a later end can be told."""
    Notification.objects.filter(alert=alert, event=event, state="pending", attempts=0).delete()


def due(*, overdue_s: float = 0) -> bool:
    return _waiting().filter(next_at__lte=Now() - timedelta(seconds=overdue_s)).exists()


def _waiting() -> Any:
    return Notification.objects.filter(Q(lease_until=None) | Q(lease_until__lt=Now()), state="pending")


def send_due(*, most: int = 1000) -> Counter[str]:
    """Send what is due, one after the other; a process that dies in the middle costs a lease, never a row."""
    states: Counter[str] = Counter()
    while states.total() < most and (row := _claim()):
        states[_send(row)] += 1
    return states


def _claim() -> Notification | None:
    if connection.in_atomic_block:
        raise RuntimeError("Nobody is told anything inside a transaction.")
    with transaction.atomic():
        row = _waiting().filter(next_at__lte=Now()).order_by("pk").select_for_update(skip_locked=True).first()
        if row is None:
            return None
        Notification.objects.filter(pk=row.pk).update(lease_until=Now() + timedelta(seconds=_LEASE_S))
    found: Notification = Notification.objects.select_related("alert__target", "route").get(pk=row.pk)
    return found


def _send(row: Notification) -> str:
    try:
        _by_mail(row) if row.channel == "email" else _by_webhook(row)
    except (OSError, smtplib.SMTPException, errors.SyncError, ValueError) as error:
        # Which one it was is in the words; a server's own words may hold control characters.
        return _failed(row, re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")[:300])
    Notification.objects.filter(pk=row.pk).update(
        state="sent", sent_at=Now(), attempts=row.attempts + 1, lease_until=None, error=""
    )
    return "sent"


def _failed(row: Notification, words: str) -> str:
    over = row.attempts >= len(WAITS_S)
    wait = WAITS_S[min(row.attempts, len(WAITS_S) - 1)]
    Notification.objects.filter(pk=row.pk).update(
        state="failed" if over else "pending",
        attempts=row.attempts + 1,
        next_at=Now() + timedelta(seconds=wait),
        lease_until=None,
        error=words,
    )
    log.warning("A notification was not delivered by %s: %s", row.channel, words)
    return "failed" if over else "pending"


# --- what is said -------------------------------------------------------------------------------------------------


def _by_mail(row: Notification) -> None:
    alert = row.alert
    over = row.event == "resolved"
    subject = f"{'Over' if over else 'Alert'}: {alert.target.title}: {alert.cause.lower()}"
    lines = [
        f"{alert.target.title}: {alert.cause.lower()}.",
        "" if over else alert.message,
        str(alert.detail.get("hint", "")),
        f"Since {alert.opened_at:%Y-%m-%d %H:%M} UTC"
        + (f", over since {alert.closed_at:%Y-%m-%d %H:%M} UTC." if over and alert.closed_at else "."),
        f"{settings.PUBLIC_URL}/alerts/" if settings.PUBLIC_URL else "",
    ]
    EmailMessage(
        subject=" ".join(subject.split())[:200],
        body="\n\n".join(line for line in lines if line) + "\n",
        to=[row.recipient],
        headers={"Message-ID": f"<{row.uid}@{_domain()}>", "Auto-Submitted": "auto-generated"},
    ).send()


def _domain() -> str:
    return str(settings.DEFAULT_FROM_EMAIL).rpartition("@")[2].strip(" >") or "localhost"


def _by_webhook(row: Notification) -> None:
    if row.route is None or not row.route.active:
        raise ValueError("Its route is gone or switched off.")
    alert = row.alert
    body = json.dumps(
        {
            "type": f"alert.{row.event}",
            "timestamp": (alert.closed_at or alert.opened_at).isoformat(),
            "data": {
                "alert": str(alert.uid),
                "target": alert.target.code,
                "cause": alert.code,
                "message": alert.message,
                "opened_at": alert.opened_at.isoformat(),
                "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
            },
        }
    ).encode()
    keys = [signing.key_of(row.route.secret)]
    signed = signing.headers(keys, id=str(row.uid), timestamp=int(time.time()), body=body)
    client = http.Client(Config(row.recipient, timeout=_TIMEOUT_S, private_hosts=settings.PRIVATE_TARGETS))
    try:
        client.request("POST", row.recipient, content=body, headers={"Content-Type": "application/json", **signed})
    finally:
        client.close()
