"""Business exceptions: a platform refused the data, or a value has no counterpart there; stewards put them right."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class ExceptionItem(models.Model):
    """One rejected delivery. `field` is the platform's, `path` the document's, `words` what the platform said.

    `table` and `value` name the missing row of a value map, when that is the cause. `follows`: the same record was
    refused before, and what was sent to put that right was refused too; owner and due time were taken over from it.
    """

    # open → retrying (a later delivery is on its way) → corrected when it arrived, repeated when it was refused too,
    # open again when it came to nothing. The others are ends that a person chose.
    STATES = ("open", "retrying", "corrected", "repeated", "cancelled", "resolved")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    delivery = models.OneToOneField("sync.Delivery", on_delete=models.PROTECT, related_name="exception")
    target = models.ForeignKey("sync.Target", on_delete=models.PROTECT, related_name="exceptions")
    type = models.CharField(max_length=40)
    record = models.UUIDField()
    label = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=20)  # refused · unmapped · linked_elsewhere
    code = models.CharField(max_length=100, blank=True)
    field = models.CharField(max_length=200, blank=True)
    path = models.CharField(max_length=200, blank=True)
    words = models.TextField()
    problems = models.JSONField(default=list)  # [{field, path, code, message}]
    table = models.CharField(max_length=60, blank=True)
    value = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=9, default="open", choices=[(s, s) for s in STATES])
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="sync_exceptions",
    )
    rule = models.ForeignKey("sync.OutcomeRule", null=True, on_delete=models.SET_NULL, related_name="exceptions")
    owner_role = models.CharField(max_length=40, blank=True)
    due_at = models.DateTimeField(null=True)
    follows = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="followed_by")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["target", "field"], condition=Q(state="open"), name="exception_open"),
            models.Index(fields=["record"], name="exception_by_record"),
            models.Index(fields=["target", "record"], condition=Q(state="retrying"), name="exception_retrying"),
            models.Index(fields=["target", "table", "value"], condition=Q(state="open"), name="exception_unmapped"),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.words[:80]}"
