"""Deliveries, the ledger of what each target should hold, and attempts, the evidence of what was said to it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from sync.models.lane import ACTIONS
from sync.models.states import OPEN, REASONS, STATES

IN_PART = "in_part"


class Delivery(models.Model):
    """One reason to send one version to one key. The payload is rendered when it is sent and never stored.

    `verified`: the answer or a read-back showed the values sent. A rejected delivery that a later version or mapping
    put right names the delivery that did.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    lane = models.ForeignKey("sync.Lane", on_delete=models.PROTECT, related_name="deliveries")
    target = models.ForeignKey("sync.Target", on_delete=models.PROTECT, related_name="deliveries")
    type = models.CharField(max_length=40)
    record = models.UUIDField()
    label = models.CharField(max_length=300, blank=True)
    target_key = models.CharField(max_length=100, blank=True)
    action = models.CharField(max_length=6, choices=[(a, a) for a in ACTIONS])
    generation = models.PositiveIntegerField()
    seq = models.PositiveIntegerField()
    reason = models.CharField(max_length=20, choices=[(r, r) for r in REASONS])
    version = models.PositiveIntegerField()
    as_of = models.DateField()
    mapping_version = models.CharField(max_length=40, blank=True)
    payload_hash = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=[(s, s) for s in STATES], default="pending")
    attempts = models.PositiveSmallIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    # created · updated · blocked · unchanged · told; in_part: not posted, but something of it is at the target
    effect = models.CharField(max_length=10, blank=True)
    verified = models.BooleanField(default=False)
    error_code = models.CharField(max_length=40, blank=True)
    error_text = models.TextField(blank=True)
    event = models.ForeignKey("mdm.Event", null=True, on_delete=models.PROTECT, related_name="+")
    correlation_id = models.CharField(max_length=64, db_index=True)
    requested_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    posted_at = models.DateTimeField(null=True)
    superseded_by = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="supersedes")
    corrected_by = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="corrects")

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["target", "record", "target_key", "generation", "seq"], name="delivery_once"
            ),
            models.UniqueConstraint(fields=["lane", "generation", "seq"], name="delivery_once_per_lane"),
        ]
        indexes = [
            models.Index(fields=["lane", "seq"], condition=Q(state__in=OPEN), name="delivery_open"),
            models.Index(fields=["record", "-id"], name="delivery_by_record"),
            models.Index(fields=["target", "state", "-id"], name="delivery_by_state"),
            models.Index(fields=["target", "-posted_at"], condition=Q(state="posted"), name="delivery_posted"),
            models.Index(
                fields=["target", "record"],
                condition=Q(state__in=("rejected", "failed", "poison"), corrected_by=None),
                name="delivery_dead",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.target_id} {self.record} v{self.version} #{self.seq} {self.state}"

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this delivery, at targets that know such keys."""
        return f"{self.generation}:{self.target_id}:{self.record}:{self.lane_id}:{self.seq}"


class Attempt(models.Model):
    """Opened and committed before anything is said to the target; append-only. One without a result means that the
    process which made it died, or lost its lease."""

    KINDS = ("send", "read_back")

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="attempt_rows")
    target = models.ForeignKey("sync.Target", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=9, choices=[(k, k) for k in KINDS])
    epoch = models.BigIntegerField()
    process = models.UUIDField()
    started_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.delivery_id}: {self.kind} {self.number}"


class AttemptResult(models.Model):
    """What came of an attempt; `exchanges` are redacted before they get here. Append-only."""

    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, related_name="result")
    target = models.ForeignKey("sync.Target", on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=20)  # an effect, `absent`, or the code of a sync error
    technical_failure = models.BooleanField(default=False)  # counts for the breaker
    status = models.PositiveSmallIntegerField(null=True)
    message = models.TextField(blank=True)
    exchanges = models.JSONField(default=list)
    duration_ms = models.PositiveIntegerField()
    finished_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["target", "-finished_at"], name="attempt_result_recent")]

    def __str__(self) -> str:
        return f"{self.attempt_id}: {self.outcome}"
