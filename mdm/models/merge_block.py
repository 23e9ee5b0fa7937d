"""Merges that people took back: the two records stay apart until a person lifts the block, saying why."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class MergeBlock(models.Model):
    """`left` < `right` were merged once and taken apart by `change`. Lifted blocks stay on record."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40)
    left = models.UUIDField()
    right = models.UUIDField()
    change = models.ForeignKey("mdm.ChangeRequest", on_delete=models.PROTECT, related_name="merge_blocks")
    reason = models.TextField(blank=True)
    blocked_by_name = models.CharField(max_length=200)
    blocked_at = models.DateTimeField(auto_now_add=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    lifted_by_name = models.CharField(max_length=200, blank=True)
    lifted_at = models.DateTimeField(null=True)
    lift_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["left", "right"], condition=models.Q(lifted_at=None), name="one_merge_block_per_pair"
            ),
            models.CheckConstraint(condition=models.Q(left__lt=models.F("right")), name="merge_block_ordered"),
        ]
        indexes = [models.Index(fields=["right"], name="merge_block_by_right")]

    def __str__(self) -> str:
        return f"{self.left} apart from {self.right}"
