"""Technical alerts: one per target and cause, whom they are told to, and the outbox of what is told."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from mdm import crypto

CHANNELS = (("email", "e-mail"), ("webhook", "webhook"))


class TargetAlert(models.Model):
    """One technical alert per target and cause, for operators; closed when the target works again.

    `last_seen_at` is kept to half a minute. One that comes back soon after it closed goes on: `returns` counts that.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    target = models.ForeignKey("sync.Target", on_delete=models.CASCADE, related_name="alerts")
    code = models.CharField(max_length=40)
    message = models.TextField()
    detail: Any = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(db_default=Now())
    returns = models.PositiveIntegerField(default=0)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=200, blank=True)
    note = models.CharField(max_length=300, blank=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["target", "code"], condition=Q(closed_at=None), name="one_open_alert_per_cause"
            )
        ]
        indexes = [models.Index(fields=["-closed_at"], name="alert_closed")]

    def __str__(self) -> str:
        return f"{self.code} at {self.target_id}"

    @property
    def cause(self) -> str:
        return self.code.replace("_", " ").replace("-", " ").capitalize()


class AlertRoute(models.Model):
    """Whom alerts are told to: everybody of a role, one address, or a webhook signed as Standard Webhooks describes."""

    target = models.ForeignKey(
        "sync.Target", null=True, blank=True, on_delete=models.CASCADE, related_name="routes", help_text="Empty: all."
    )
    channel = models.CharField(max_length=7, choices=CHANNELS)
    role = models.CharField(max_length=40, blank=True, help_text="E-mail: everybody who has it.")
    address = models.EmailField(blank=True, help_text="E-mail: one address, such as a duty list.")
    url = models.URLField(max_length=300, blank=True, help_text="Webhook: where it is posted to.")
    sealed_secret = models.BinaryField(null=True, editable=False)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(channel="webhook", role="", address="") & ~Q(url="")
                | Q(channel="email", url="") & (~Q(role="") | ~Q(address="")),
                name="route_leads_somewhere",
            )
        ]

    def __str__(self) -> str:
        return self.url or self.address or self.role

    @property
    def secret(self) -> str:
        return crypto.open_bytes(bytes(self.sealed_secret)).decode() if self.sealed_secret else ""

    def set_secret(self, plain: str) -> None:
        self.sealed_secret = crypto.seal_bytes(plain.encode()) if plain else None


class Notification(models.Model):
    """One thing to tell one recipient: made in the transaction of what it tells, sent later by whoever has time.

    The unique key is why nothing is told twice; `uid` is the message's own id, by which a receiver drops a repeat.
    """

    EVENTS = ("opened", "resolved")
    STATES = ("pending", "sent", "failed", "cancelled")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    alert = models.ForeignKey(TargetAlert, on_delete=models.CASCADE, related_name="notifications")
    event = models.CharField(max_length=8, choices=[(e, e) for e in EVENTS])
    channel = models.CharField(max_length=7, choices=CHANNELS)
    recipient = models.CharField(max_length=320)
    route = models.ForeignKey(AlertRoute, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=9, default="pending", choices=[(s, s) for s in STATES])
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["alert", "event", "channel", "recipient"], name="told_once")]
        indexes = [models.Index(fields=["next_at"], condition=Q(state="pending"), name="notification_due")]

    def __str__(self) -> str:
        return f"{self.event} to {self.recipient}: {self.state}"
