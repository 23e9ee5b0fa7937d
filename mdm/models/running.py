"""Signs of life: processes that do background work say so here, and /readyz reads it."""

from __future__ import annotations

from django.db import models


class Heartbeat(models.Model):
    """`kind` is worker or dispatcher; `process` is new at every start, so a restarted process is never mistaken."""

    kind = models.CharField(max_length=20)
    process = models.UUIDField(unique=True)
    seen_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["kind", "-seen_at"], name="heartbeat_latest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.process}"
