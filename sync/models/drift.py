"""Drift: runs that look at what a target really holds, what was last seen there, and the findings."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

LIVE = ("open", "pushed", "adopting", "ignored")  # what a finding is until a run no longer finds it


class DriftRun(models.Model):
    """One look at a target: whole, one type, or one record. Resumable: what this run has seen is in the observations."""

    STATES = ("queued", "running", "done", "failed", "cancelled")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    target = models.ForeignKey("sync.Target", on_delete=models.PROTECT, related_name="drift_runs")
    type = models.CharField(max_length=40, blank=True)
    record = models.UUIDField(null=True, blank=True)
    changed_since = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=9, default="queued", choices=[(s, s) for s in STATES])
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True)  # what we expect there, for the progress bar
    counts = models.JSONField(default=dict)
    timings = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    report_hash = models.CharField(max_length=64, blank=True)
    restarts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    epoch = models.BigIntegerField(default=0)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    requested_by_name = models.CharField(max_length=200)
    correlation_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(state__in=("queued", "running")), name="drift_run_open"),
            models.Index(fields=["target", "-id"], name="drift_run_by_target"),
        ]

    def __str__(self) -> str:
        return f"drift of {self.target_id} ({self.state})"


class DriftObservation(models.Model):
    """The last look at one key: digests only. Same digests and no finding means nothing has to be rendered again."""

    target = models.ForeignKey("sync.Target", on_delete=models.CASCADE, related_name="observations")
    type = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    run = models.ForeignKey(DriftRun, on_delete=models.PROTECT, related_name="+")
    actual_digest = models.CharField(max_length=64)
    expected_digest = models.CharField(max_length=64, blank=True)  # uid, version, mapping and role of the key
    agrees = models.BooleanField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["target", "type", "key"], name="one_observation_per_key")]

    def __str__(self) -> str:
        return f"{self.target_id}/{self.key}"


class DriftFinding(models.Model):
    """One disagreement, kept over runs until one no longer finds it. Bank numbers in the values are sealed."""

    KINDS = ("missing", "extra", "different", "duplicate_key", "unmapped")
    CAUSES = (
        "changed_in_target",
        "rejected_delivery",
        "pending",
        "within_grace",
        "mapping_gap",
        "never_pushed",
        "not_ours",
        "several_keys",
    )
    STATES = (*LIVE, "resolved")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    target = models.ForeignKey("sync.Target", on_delete=models.PROTECT, related_name="drift_findings")
    type = models.CharField(max_length=40)
    record = models.UUIDField(null=True)
    label = models.CharField(max_length=300, blank=True)
    target_key = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=13, choices=[(k, k) for k in KINDS])
    shape = models.CharField(max_length=12, default="record")  # record · field · row_missing · row_extra
    field = models.CharField(max_length=200, blank=True)
    path = models.CharField(max_length=200, blank=True)
    golden = models.JSONField(null=True)
    target_value = models.JSONField(null=True)
    cause = models.CharField(max_length=20, choices=[(c, c) for c in CAUSES])
    state = models.CharField(max_length=8, default="open", choices=[(s, s) for s in STATES])
    first_run = models.ForeignKey(DriftRun, on_delete=models.PROTECT, related_name="+")
    last_run = models.ForeignKey(DriftRun, on_delete=models.PROTECT, related_name="findings")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    ignored_until = models.DateField(null=True, blank=True)
    delivery = models.ForeignKey("sync.Delivery", null=True, on_delete=models.PROTECT, related_name="repairs")
    change = models.ForeignKey("mdm.ChangeRequest", null=True, on_delete=models.PROTECT, related_name="+")
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["target", "type", "target_key", "record", "kind", "field"],
                condition=Q(state__in=LIVE),
                nulls_distinct=False,
                name="one_live_finding",
            )
        ]
        indexes = [
            models.Index(fields=["target", "type", "target_key"], condition=Q(state__in=LIVE), name="finding_live"),
            models.Index(fields=["state", "-id"], name="finding_by_state"),
            models.Index(fields=["record"], name="finding_by_record"),
            models.Index(fields=["last_run", "state"], name="finding_by_run"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.field} at {self.target_id}/{self.target_key}"
