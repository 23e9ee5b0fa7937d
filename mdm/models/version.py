"""Versions: the immutable canonical document of every applied change, and where each field's value came from."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class RecordVersion(models.Model):
    """The truth for known time, diff, revert and payload. Written by the apply function, never changed (trigger)."""

    type = models.CharField(max_length=40)
    uid = models.UUIDField()
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=10)
    document = models.JSONField()
    hash = models.CharField(max_length=64)
    change = models.ForeignKey("mdm.ChangeRequest", on_delete=models.PROTECT, related_name="versions")
    actor_name = models.CharField(max_length=200)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    changed_paths = models.JSONField(default=list)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["uid", "version"], name="record_version_once")]
        indexes = [models.Index(fields=["type", "created_at"], name="record_version_by_time")]

    def __str__(self) -> str:
        return f"{self.type}/{self.uid} v{self.version}"


class Provenance(models.Model):
    """Where the values of one record came from.

    `fields`: {path: {"system", "key", "rule", "since", "of", …}}, see `mdm.survival.choosing.Choice`; losing values are
    read from the source records themselves. `entered`: {block: {"value", "since", "key"}} that people wrote here and
    that lost: without it a later rule could not find it again.
    """

    type = models.CharField(max_length=40)
    uid = models.UUIDField(unique=True)
    fields = models.JSONField(default=dict)
    entered = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Provenance of {self.type}/{self.uid}"


class Pin(models.Model):
    """A steward's override: this block keeps a value whatever the sources say, until a date.

    `path`: a field, a row (`addresses/<uid>`) or a group (`payment_terms+currency`). `held`: {"value": …}, empty for pins
    older than this column. `differed`: the sources have said something else since; once they say the same again, the
    pin is dropped.
    """

    pin_uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40)
    uid = models.UUIDField()
    path = models.CharField(max_length=200)
    held = models.JSONField(default=dict)
    differed = models.BooleanField(default=False)
    reason = models.TextField()
    until = models.DateField(null=True, blank=True)
    pinned_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    pinned_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["uid", "path"], name="one_pin_per_path")]

    def __str__(self) -> str:
        return f"{self.path} of {self.uid}"
