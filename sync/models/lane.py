"""Lanes: the lock of one record's key at one target, its lease and its quarantine; and how far events were dispatched."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

ACTIONS = ("upsert", "block")


class Lane(models.Model):
    """Everything sent to one key at one target goes through here, one at a time, in the order of `seq`.

    A claim raises `epoch` and every write of the holder names it, so that a process which lost its lease can only
    fail to record. The key is empty until the target has given one; after a merge the lane follows the key to the
    surviving record. `ambiguous_until`: a lost request may still be applied until then. `lease_owner`: one for every
    request under way, the same of all lanes that are in it.
    """

    target = models.ForeignKey("sync.Target", on_delete=models.PROTECT, related_name="lanes")
    type = models.CharField(max_length=40)
    uid = models.UUIDField()
    target_key = models.CharField(max_length=100, blank=True)
    awaits = ArrayField(models.UUIDField(), default=list)  # what the record refers to: made at the target first
    entities = ArrayField(models.CharField(max_length=40), default=list)  # legal entities the record is used by
    priority = models.PositiveSmallIntegerField(default=5)
    seq = models.PositiveIntegerField(default=0)
    open = models.BooleanField(default=False)
    next_at = models.DateTimeField()
    hold_reason = models.CharField(max_length=100, blank=True)
    epoch = models.BigIntegerField(default=0)
    lease_owner = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    ambiguous_until = models.DateTimeField(null=True)
    confirmed_seq = models.PositiveIntegerField(default=0)
    confirmed_version = models.PositiveIntegerField(null=True)
    confirmed_action = models.CharField(max_length=6, blank=True)
    confirmed_hash = models.CharField(max_length=64, blank=True)
    confirmed_mapping = models.CharField(max_length=40, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    confirmed_verified = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["target", "type", "target_key"], condition=~Q(target_key=""), name="one_lane_per_key"
            ),
            models.UniqueConstraint(
                fields=["target", "type", "uid"], condition=Q(target_key=""), name="one_lane_without_key"
            ),
        ]
        indexes = [
            models.Index(
                fields=["target", "priority", "next_at"],
                condition=Q(open=True, hold_reason=""),
                name="lane_queue",
            ),
            models.Index(fields=["target", "lease_until"], condition=~Q(lease_owner=None), name="lane_leased"),
            models.Index(fields=["uid"], name="lane_by_record"),
            models.Index(fields=["hold_reason"], condition=~Q(hold_reason=""), name="lane_held"),
        ]

    def __str__(self) -> str:
        return f"{self.target_id}/{self.type}/{self.uid}/{self.target_key}"


class DispatchCursor(models.Model):
    """How far the event log became deliveries; locked while a batch is dispatched."""

    name = models.CharField(max_length=40, unique=True)
    seq = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.seq}"
