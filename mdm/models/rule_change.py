"""Changes of survivorship rules: what is proposed, what a rehearsal found, and records waiting to be rebuilt."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

OPEN = ("rehearsing", "ready", "applying")


class RuleChange(models.Model):
    """New rules for one record type: rehearsed on every record, signed by a second person, then applied in batches.

    `rules`: all rules of the type as they shall be; `base`: as they were when this was proposed (both lists of
    `mdm.survival.rules.Rule` as JSON). `cursor`: the last record done, so a killed job goes on after it.
    `counts` of the rehearsal and `done` of the application: {records, changed, unchanged, asked, refused, fields: {path: n}}.
    """

    STATES = {
        "rehearsing": "Rehearsing",
        "ready": "Rehearsed",
        "applying": "Being applied",
        "applied": "Applied",
        "closed": "Not applied",
        "failed": "Failed",
    }

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40)
    state = models.CharField(max_length=10, default="rehearsing", choices=list(STATES.items()))
    reason = models.TextField()
    rules = models.JSONField(default=list)
    base = models.JSONField(default=list)
    counts = models.JSONField(default=dict)
    done = models.JSONField(default=dict)
    total = models.PositiveIntegerField(default=0)
    cursor = models.UUIDField(null=True)
    error = models.TextField(blank=True)
    change = models.OneToOneField("mdm.ChangeRequest", null=True, on_delete=models.PROTECT, related_name="rule_change")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    rehearsed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)  # last sign of life of the process working on it

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["type"], condition=models.Q(state__in=OPEN), name="one_open_rule_change_per_type"
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=("ready", "applying", "applied")) | models.Q(change__isnull=False),
                name="rule_change_needs_request",
            ),
        ]

    def __str__(self) -> str:
        return f"Survivorship of {self.type}, change {self.pk}"


class RuleEffect(models.Model):
    """One value the rehearsal found would change; `before` and `after` with bank numbers sealed.

    `verdict`: changed, asked (a policy leaves it to people) or refused (the result would break a rule of the record).
    """

    rule_change = models.ForeignKey(RuleChange, on_delete=models.CASCADE, related_name="effects")
    uid = models.UUIDField()
    code = models.CharField(max_length=40)
    label = models.CharField(max_length=300)
    path = models.CharField(max_length=200)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    rule = models.CharField(max_length=20, blank=True)
    verdict = models.CharField(max_length=10)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.code} {self.path}"


class PendingRebuild(models.Model):
    """A record whose sources changed outside an import: worked off by the background, safe to find twice."""

    type = models.CharField(max_length=40)
    uid = models.UUIDField(unique=True)
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.type}/{self.uid}"
