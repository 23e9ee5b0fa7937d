"""Tables of what mappings were asked for, and of files of their rows that people brought back."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class AskedBatch(models.Model):
    """Codes that one call asked mappings for, until they are counted into `AskedCode`.

    `uses`: [[mapping, source, target, {dimension: code}, day asked about, {code: times}], …]
    """

    at = models.DateTimeField(db_default=Now())
    uses = models.JSONField()


class AskedCode(models.Model):
    """How often a code was asked for in a context in a month. `context_digest` (MD5) stands for it in the key."""

    mapping = models.CharField(max_length=40)  # record type of the rows
    source = models.CharField(max_length=40, blank=True)  # chart or system; "" the hub's own codes
    target = models.CharField(max_length=40, blank=True)
    month = models.DateField()  # its first day
    code = models.CharField(max_length=200)
    context = models.JSONField(default=dict)
    context_digest = models.CharField(max_length=32)
    times = models.BigIntegerField()
    last_on = models.DateField()  # the latest day asked about

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["mapping", "source", "target", "month", "code", "context_digest"],
                name="one_count_per_asked_code",
            )
        ]
        indexes = [models.Index(fields=["month"], name="asked_by_month")]


OPEN = models.Q(state="open")


class MappingGap(models.Model):
    """A code that was asked for and had no target: somebody has to map it, or say why not.

    `context`, `on`: as it was asked for last. `asked_by`: {who: day last asked}. Answered by itself once a row says so.
    """

    STATES = (("open", "Open"), ("dismissed", "Dismissed"), ("answered", "Answered"))
    mapping = models.CharField(max_length=40)
    source = models.CharField(max_length=40, blank=True)
    target = models.CharField(max_length=40, blank=True)
    code = models.CharField(max_length=200)
    context = models.JSONField(default=dict)
    on = models.DateField()
    asked_by = models.JSONField(default=dict)
    times = models.BigIntegerField()
    first_asked = models.DateTimeField()
    last_asked = models.DateTimeField()
    state = models.CharField(max_length=10, choices=STATES, default="open")
    reason = models.CharField(max_length=2000, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mapping", "source", "target", "code"], name="one_gap_per_code")]
        indexes = [models.Index(fields=["mapping", "source", "target", "-times"], name="gap_open", condition=OPEN)]

    def __str__(self) -> str:
        return f"{self.code} of {self.source or 'the hub'} in {self.target or 'the hub'}"


class MappingFile(models.Model):
    """A file of rows that somebody brought back: read, looked at, proposed. `content`: gzip of the file as received.

    `outcome`: {added, changed, refused, dropped: [{code, name, words, line}]}; `plan_digest`: of what was looked at.
    """

    BUSY = ("reading", "proposing")
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    mapping = models.CharField(max_length=40)
    source = models.CharField(max_length=40, blank=True)
    target = models.CharField(max_length=40, blank=True)
    mode = models.CharField(max_length=10)  # merge · replace
    file_name = models.CharField(max_length=255)
    content = models.BinaryField()
    state = models.CharField(max_length=10, default="reading")  # reading · ready · proposing · done · failed
    done = models.PositiveIntegerField(default=0)  # rows read so far
    counts = models.JSONField(default=dict)
    outcome = models.JSONField(default=dict)
    plan_digest = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=2000, blank=True)
    error = models.CharField(max_length=2000, blank=True)
    change = models.ForeignKey("mdm.ChangeRequest", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=models.Q(state__in=["reading", "proposing"]), name="file_busy")
        ]

    def __str__(self) -> str:
        return self.file_name
