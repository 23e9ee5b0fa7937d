"""The event log: append-only; one sealer gives committed rows a gap-free order that no reader can overtake."""

from __future__ import annotations

import uuid

from django.db import models


class Event(models.Model):
    """`seq` is empty until sealed; consumers only ever read sealed rows, in order."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    seq = models.BigIntegerField(null=True, unique=True)
    type = models.CharField(max_length=40)
    subject = models.UUIDField()
    verb = models.CharField(max_length=12)  # created · updated · blocked · unblocked · retired · merged · unmerged
    version = models.PositiveIntegerField()
    data = models.JSONField(default=dict)
    change = models.ForeignKey("mdm.ChangeRequest", null=True, on_delete=models.PROTECT, related_name="events")
    correlation_id = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=models.Q(seq=None), name="event_unsealed"),
            models.Index(fields=["subject", "version"], name="event_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.type}.{self.verb} {self.subject} v{self.version}"
