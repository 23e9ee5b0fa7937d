"""Freeze windows: from when until when nothing is pushed to a target, as rows the database's own clock decides about."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models


class FreezeWindow(models.Model):
    """One window. `entities`: codes of legal entities; empty means every record of the target.

    A record that is used by one of them is frozen as a whole. `blocks_flow`: safety first, a key may still be blocked.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    target = models.ForeignKey("sync.Target", on_delete=models.PROTECT, related_name="freezes")
    type = models.CharField(max_length=40, blank=True)
    entities = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    starts_at = models.DateTimeField(verbose_name="from")
    ends_at = models.DateTimeField(verbose_name="until")
    blocks_flow = models.BooleanField(default=True, verbose_name="blocks may flow")
    reason = models.CharField(max_length=300)
    made_by = models.CharField(max_length=200)
    made_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=200, blank=True)
    lift_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="freeze_ends_after_it_begins"
            )
        ]
        indexes = [models.Index(fields=["target", "ends_at"], condition=models.Q(lifted_at=None), name="freeze_ahead")]

    def __str__(self) -> str:
        return f"{self.target_id}: {self.starts_at:%Y-%m-%d %H:%M} to {self.ends_at:%Y-%m-%d %H:%M}"
