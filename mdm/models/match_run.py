"""A look through all records of a type for duplicates: in parts that any worker on any machine may take."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class MatchRun(models.Model):
    """One look. Its parts say how far it is; a part that was left behind is taken by another worker.

    `snapshot`: what was counted for it. Nobody looks before there is one.
    """

    STATES = ("running", "done", "cancelled")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40)
    state = models.CharField(max_length=9, default="running", choices=[(s, s) for s in STATES])
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    asked_by_name = models.CharField(max_length=200)
    snapshot = models.ForeignKey("mdm.KeySnapshot", null=True, on_delete=models.PROTECT, related_name="runs")
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["type"], condition=Q(state="running"), name="match_run_one_at_a_time")
        ]

    def __str__(self) -> str:
        return f"{self.type} ({self.state})"


class MatchRunPart(models.Model):
    """Profiles `start` … `stop` - 1. `worker` holds it until `lease_until`; whoever finishes it last has done it."""

    run = models.ForeignKey(MatchRun, on_delete=models.CASCADE, related_name="parts")
    start = models.BigIntegerField()
    stop = models.BigIntegerField()
    records = models.PositiveIntegerField()
    done = models.BooleanField(default=False)
    worker = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    compared = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField(default=0)  # pairs new in the queue, or back in it

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "id"], condition=Q(done=False), name="match_run_part_open")]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.start}–{self.stop}"
