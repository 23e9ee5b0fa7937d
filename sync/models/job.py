"""Push jobs: many records for one target, row by row, approved by a second person when they are many."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

LIMIT = 100  # more deliveries than this need a second person; a check of the database knows the same number

MOVES: dict[str, frozenset[str]] = {
    "building": frozenset({"planning", "waiting", "queued", "done", "cancelled", "failed"}),
    # A plan: every row is looked up at the target, nothing is written there.
    "planning": frozenset({"waiting", "done", "cancelled", "failed"}),
    "waiting": frozenset({"queued", "refused", "cancelled"}),
    # Allowed, and waits for its turn: one job at a time works at a target.
    "queued": frozenset({"checking", "running", "cancelled", "failed"}),
    # A plan is about to be applied: does the target still hold what was planned on?
    "checking": frozenset({"running", "stale", "paused", "cancelled", "failed"}),
    "running": frozenset({"paused", "done", "stale", "cancelled", "failed"}),
    "paused": frozenset({"queued", "cancelled"}),
    "done": frozenset(),
    "stale": frozenset(),
    "refused": frozenset(),
    "cancelled": frozenset(),
    "failed": frozenset(),
}
STATES = tuple(MOVES)
LIVE = tuple(state for state, onward in MOVES.items() if onward)
AT_WORK = ("checking", "running")
ALLOWED = ("queued", "checking", "running", "paused", "stale")  # nobody gets here without what the limit asks for


class PushJob(models.Model):
    """What one person wants one target to be sent. `scope` says which records, the rows say it one by one.

    `sends`: rows that would be sent, which the limit is held against. `content_hash` covers the rows as they were
    shown; whoever approves names it. `paced_at`: up to when the job's own rate is used up.
    """

    KINDS = ("replay", "load", "delta", "repeat", "plan")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    batch = models.UUIDField(default=uuid.uuid4, db_index=True, editable=False)  # asked for together
    target = models.ForeignKey("sync.Target", on_delete=models.PROTECT, related_name="push_jobs")
    kind = models.CharField(max_length=6, choices=[(k, k) for k in KINDS])
    scope = models.JSONField(default=dict)
    forced = models.BooleanField(default=False)  # the version as it was, not the newest
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=9, default="building", choices=[(s, s) for s in STATES])
    rate_per_s = models.FloatField()
    needs_approval = models.BooleanField(default=False)
    total = models.PositiveIntegerField(default=0)
    sends = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict)
    cursor = models.JSONField(default=dict)
    content_hash = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="repeats")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    requested_by_name = models.CharField(max_length=200)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    comment = models.TextField(blank=True)  # of whoever approved or refused
    correlation_id = models.CharField(max_length=64, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    paced_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)  # of the process that looks at the target for it
    epoch = models.BigIntegerField(default=0)
    restarts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["target"], condition=Q(state__in=AT_WORK), name="one_push_job_at_work_per_target"
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True)
                | Q(requested_by__isnull=True)
                | ~Q(approved_by=F("requested_by")),
                name="push_job_four_eyes",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=ALLOWED)
                | Q(approved_by__isnull=False, approved_at__isnull=False)
                | Q(needs_approval=False, forced=False, sends__lte=LIMIT),
                name="push_job_large_is_approved",
            ),
            models.CheckConstraint(condition=Q(rate_per_s__gt=0), name="push_job_has_a_pace"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state__in=LIVE), name="push_job_live"),
            models.Index(fields=["target", "-id"], name="push_job_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.target_id} ({self.state})"


class PushRow(models.Model):
    """One record of a job. `source`: the delivery that is repeated; `made`: the delivery that came of it.

    `effect` and what follows are the plan's: what would happen, the values that differ (bank numbers sealed), and
    fingerprints of what would be sent and of what the target held.
    """

    ENDS = ("posted", "unchanged", "refused", "failed", "overtaken", "cancelled", "left", "moved")
    STATES = ("waiting", "queued", *ENDS)
    EFFECTS = ("create", "change", "block", "unchanged", "refused", "not_for_target")
    SENT = ("create", "change", "block")

    job = models.ForeignKey(PushJob, on_delete=models.PROTECT, related_name="rows")
    place = models.PositiveIntegerField()
    type = models.CharField(max_length=40)
    record = models.UUIDField()
    label = models.CharField(max_length=300, blank=True)
    source = models.ForeignKey("sync.Delivery", null=True, on_delete=models.PROTECT, related_name="repeated_in")
    version = models.PositiveIntegerField(null=True)  # of the source
    forced = models.BooleanField(default=False)
    key = models.CharField(max_length=100, blank=True)
    effect = models.CharField(max_length=14, blank=True)
    changes = models.JSONField(default=list)
    planned_version = models.PositiveIntegerField(null=True)
    payload_hash = models.CharField(max_length=64, blank=True)
    remote_digest = models.CharField(max_length=64, blank=True)
    checked_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=9, default="waiting", choices=[(s, s) for s in STATES])
    why = models.TextField(blank=True)
    made = models.ForeignKey("sync.Delivery", null=True, on_delete=models.PROTECT, related_name="push_rows")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["job", "type", "record"], condition=Q(forced=False), name="push_row_once_per_record"
            ),
            # The same forced repetition a second time would set a target back again.
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(forced=True, state__in=("waiting", "queued", "posted", "unchanged", "overtaken")),
                name="push_row_forced_once",
            ),
        ]
        indexes = [
            models.Index(fields=["job", "state", "place"], name="push_row_by_state"),
            models.Index(fields=["job", "place"], name="push_row_by_place"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.label} {self.state}"
