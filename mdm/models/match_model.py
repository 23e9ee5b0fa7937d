"""How duplicates are judged: versions of the matching model with its hard rules, work on them, what they would flip."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

OPEN = ("draft", "rehearsed")


class MatchModel(models.Model):
    """One version of what matching believes about a record type: weights, thresholds, and which hard rules are on.

    `data`: mdm.matching.model.Model.as_json(); `rules`: codes of mdm.matching.config.ALL_RULES, sorted. Neither changes
    after the row was made (trigger); another belief is another version. The active row of a type counts; without one,
    the model the hub is shipped with. `against`: the version in force when this was rehearsed, null for the shipped one.
    """

    STATES = {
        "draft": "Being rehearsed",
        "rehearsed": "Rehearsed",
        "active": "In force",
        "retired": "Replaced",
        "rejected": "Not used",
    }
    ORIGINS = {"trained": "Learnt from labels", "edited": "Set by a person", "restored": "An earlier version again"}

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)  # company or place: see mdm.matching.model
    data = models.JSONField()
    rules = models.JSONField(default=list)
    origin = models.CharField(max_length=10, choices=list(ORIGINS.items()))
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=10, default="draft", choices=list(STATES.items()))
    trained_from = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    report = models.JSONField(default=dict)  # of its training: see mdm.services.learning
    rehearsal = models.JSONField(default=dict)  # counts of its flips: see mdm.services.model_rehearsal
    rehearsed_at = models.DateTimeField(null=True)
    against = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)  # replaced, or not used
    comment = models.TextField(blank=True)  # of whoever approved or rejected it

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["type", "number"], name="match_model_number"),
            models.UniqueConstraint(fields=["type"], condition=Q(state="active"), name="one_active_model_per_type"),
            models.UniqueConstraint(fields=["type"], condition=Q(state__in=OPEN), name="one_open_model_per_type"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("created_by")), name="match_model_four_eyes"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("active", "retired"))
                | Q(approved_by__isnull=False, approved_at__isnull=False, rehearsed_at__isnull=False),
                name="match_model_in_force_is_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"Matching of {self.type}, version {self.number}"


class MatchJob(models.Model):
    """Work on matching that takes longer than a click. One of each task per type at a time; a killed one is taken up again.

    `plan`: what was fixed when it began (samples, the counts in force), so that every batch judges by the same;
    `cursor`: the last row done. `counts`: what came of it.
    """

    TASKS = {"train": "Training", "rehearse": "Rehearsal", "rescore": "Scoring anew", "snapshot": "Counting anew"}
    STATES = ("queued", "running", "done", "failed", "cancelled")
    LIVE = ("queued", "running")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40)
    task = models.CharField(max_length=10, choices=list(TASKS.items()))
    state = models.CharField(max_length=10, default="queued", choices=[(s, s) for s in STATES])
    model = models.ForeignKey(MatchModel, null=True, on_delete=models.PROTECT, related_name="jobs")
    phase = models.CharField(max_length=60, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    plan = models.JSONField(default=dict)
    cursor = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)  # last sign of life of the process working on it

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["type", "task"], condition=Q(state__in=("queued", "running")), name="one_match_job_of_a_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_task_display()} of {self.type}"


class MatchFlip(models.Model):
    """A pair that a version would judge otherwise than the one it was rehearsed against.

    `origin`: where the pair was met; `said`: people's judgement, same or different; `contradicts`: the version would link
    what they called different, or no longer show what they called the same. `evidence`: {feature, left, right, note,
    before, after} each, weights in nats.
    """

    ORIGINS = (("queue", "waits in the queue"), ("decided", "judged by people"), ("sample", "not in the queue"))

    model = models.ForeignKey(MatchModel, on_delete=models.CASCADE, related_name="flips")
    left = models.UUIDField()
    right = models.UUIDField()
    origin = models.CharField(max_length=10, choices=ORIGINS)
    said = models.CharField(max_length=10, blank=True)
    contradicts = models.BooleanField(default=False)
    before_band = models.CharField(max_length=10)
    after_band = models.CharField(max_length=10)
    before = models.FloatField()
    after = models.FloatField()
    flags = models.JSONField(default=list)
    evidence = models.JSONField(default=list)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["model", "left", "right"], name="match_flip_once")]

    def __str__(self) -> str:
        return f"{self.left} ~ {self.right}: {self.before_band} to {self.after_band}"
