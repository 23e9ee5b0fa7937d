"""What platforms sent: systems, column mappings, imports, source records, crosswalks, survivorship rules, quarantine."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from mdm.models.record import text_list


class System(models.Model):
    """A platform that sends or receives. `rank` is its trust for survivorship: 1 is believed first."""

    code = models.SlugField(max_length=40, unique=True)
    title = models.CharField(max_length=100)
    mark = models.CharField(max_length=2, help_text="Two letters shown beside every value it supplied.")
    tone = models.CharField(max_length=1, default="e", choices=[(c, c) for c in "abcde"])
    rank = models.PositiveSmallIntegerField(default=50)

    class Meta:
        ordering = ["rank", "code"]

    def __str__(self) -> str:
        return self.title


class ColumnMapping(models.Model):
    """How one system's columns become document paths. `spec`: {key, const, columns, values}, see docs/imports.md."""

    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="mappings")
    type = models.CharField(max_length=40)
    spec = models.JSONField(default=dict)
    updated_by = models.CharField(max_length=200, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "type"], name="one_mapping_per_system")]

    def __str__(self) -> str:
        return f"{self.type} from {self.system.code}"


class ImportJob(models.Model):
    """One file (or bulk call) on its way in. The counts always add up: in = linked + … + quarantined."""

    STATES = ("uploaded", "queued", "running", "done", "failed", "cancelled")
    OUTCOMES = ("linked", "new", "updated", "unchanged", "candidate", "quarantined")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="imports")
    type = models.CharField(max_length=40)
    file_name = models.CharField(max_length=255)
    file_hash = models.CharField(max_length=64)
    file_bytes = models.BigIntegerField(default=0)
    format = models.CharField(max_length=10, blank=True)
    encoding = models.CharField(max_length=20, blank=True)
    delimiter = models.CharField(max_length=2, blank=True)
    mapping = models.JSONField(default=dict)
    state = models.CharField(max_length=10, default="uploaded", choices=[(s, s) for s in STATES])
    error = models.TextField(blank=True)
    rows_total = models.PositiveIntegerField(null=True)
    rows_in = models.PositiveIntegerField(default=0)
    linked = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    candidate = models.PositiveIntegerField(default=0)
    quarantined = models.PositiveIntegerField(default=0)
    change = models.ForeignKey("mdm.ChangeRequest", null=True, on_delete=models.PROTECT, related_name="loads")
    correlation_id = models.CharField(max_length=64)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)  # last sign of life of the process reading it

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.system.code})"

    @property
    def counts(self) -> dict[str, int]:
        return {"in": self.rows_in, **{name: getattr(self, name) for name in self.OUTCOMES}}


class UploadChunk(models.Model):
    """A sealed piece of an uploaded file: any worker on any machine can read it; deleted when the import is done."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    sealed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "position"], name="upload_chunk_once")]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.position}"


class SourceRecord(models.Model):
    """What one system says of one of its records, mapped to the canonical document; bank numbers sealed.

    `digest` is the keyed hash of the row as received: the same row twice is unchanged. `active` False: the system no
    longer has it, since `left_at`, as `left_why` says; it then speaks only where nobody else does. `spend`: money spent
    with it a year, as that system says; no value of the record, it only tells how much depends on it.
    """

    LEFT = {"deleted": "marked as deleted there", "unlinked": "no longer found there"}

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="records")
    type = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    digest = models.CharField(max_length=64)
    document = models.JSONField()
    golden_uid = models.UUIDField(null=True)
    active = models.BooleanField(default=True)
    job = models.ForeignKey(ImportJob, null=True, on_delete=models.PROTECT, related_name="records")
    row = models.PositiveIntegerField(null=True)
    outcome = models.CharField(max_length=12, blank=True)
    received_at = models.DateTimeField()
    spend = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    spend_currency = models.CharField(max_length=3, blank=True)
    given = models.JSONField(default=dict)  # of dated types: the rows of its last file, and what it said before them
    left_at = models.DateTimeField(null=True)
    left_why = models.CharField(max_length=10, blank=True, choices=list(LEFT.items()))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "type", "key"], name="one_source_record_per_key")]
        indexes = [
            models.Index(fields=["golden_uid"], name="source_by_golden"),
            models.Index(fields=["job", "row"], name="source_by_job"),
        ]

    def __str__(self) -> str:
        return f"{self.system.code} {self.key}"


class Crosswalk(models.Model):
    """(system, local key) ↔ golden uid, several per system; kept through merge. `primary` is the key pushes update."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="crosswalks")
    type = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    uid = models.UUIDField()
    primary = models.BooleanField(default=True)
    active = models.BooleanField(default=True)
    since = models.DateTimeField()
    changed = models.BigIntegerField(default=0, editable=False)  # transaction that wrote the row, by a trigger

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["system", "type", "key"], name="one_golden_per_key"),
            models.UniqueConstraint(
                fields=["system", "uid"],
                condition=models.Q(primary=True, active=True),
                name="one_primary_key",
            ),
        ]
        indexes = [
            models.Index(fields=["uid"], name="crosswalk_by_golden"),
            models.Index(fields=["system", "changed"], name="crosswalk_by_change"),
        ]

    def __str__(self) -> str:
        return f"{self.system.code} {self.key} → {self.uid}"


class SurvivorshipRule(models.Model):
    """How a field's value is chosen among the sources: `order` are the tests applied one after the other until one
    value is left, or one aggregate. Changed by a rehearsed and signed `RuleChange` only; see docs/survivorship.md."""

    type = models.CharField(max_length=40)
    path = models.CharField(max_length=100, blank=True, help_text="Field or list name. Empty: every other field.")
    order = models.CharField(
        max_length=60,
        default="source_rank,recency",
        help_text="Tests in their order: source_rank, recency, oldest, frequency, completeness. "
        "Or one aggregate: union for lists, min, max or sum for numbers.",
    )
    ranks = models.JSONField(default=dict, blank=True, help_text='Own ranks for this field: {"coupa": 1}.')
    together = text_list(
        help_text="Further fields that always come from the same source as this one, such as currency,incoterm."
    )
    keep_last = models.BooleanField(
        default=True,
        help_text="A value that only a source gave which is gone now stays until another source gives one.",
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "path"], name="one_rule_per_path")]

    def __str__(self) -> str:
        return f"{self.type} {self.path or '*'}: {self.order}"


class QuarantinedRow(models.Model):
    """A row that could not be taken in, as it was received (sealed whole), with typed causes; edited and resubmitted."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="quarantine")
    row = models.PositiveIntegerField()
    key = models.CharField(max_length=100, blank=True)
    cause = models.CharField(max_length=40)
    problems = models.JSONField(default=list)
    raw = models.BinaryField()  # sealed JSON {column: value}
    state = models.CharField(
        max_length=9,
        default="open",
        choices=[("open", "Open"), ("resolved", "Taken in"), ("dismissed", "Dismissed")],
    )
    resolved_by = models.CharField(max_length=200, blank=True)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["row"]
        constraints = [models.UniqueConstraint(fields=["job", "row"], name="quarantined_once")]
        indexes = [models.Index(fields=["job", "state", "cause"], name="quarantine_by_cause")]

    def __str__(self) -> str:
        return f"row {self.row}: {self.cause}"
