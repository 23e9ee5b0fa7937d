"""A target's own mapping: rows of value maps, field rules, and the versions that say who changed what and when."""

from __future__ import annotations

from typing import Any

from django.db import models


class ValueMapRow(models.Model):
    """One row of a value map of one target, on top of the defaults in the connector's mapping file.

    `ours`: in the notation of every mapping (`sync.value_maps`). `default`: of several rows with one counterpart, the one
    that is meant when the target's value is read back.
    """

    target = models.ForeignKey("sync.Target", on_delete=models.CASCADE, related_name="value_rows")
    table = models.CharField(max_length=60)
    ours = models.CharField(max_length=600)
    theirs = models.CharField(max_length=200)
    default = models.BooleanField("read back", default=False)
    updated_by = models.CharField(max_length=200, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["target", "table", "ours"]
        constraints = [models.UniqueConstraint(fields=["target", "table", "ours"], name="one_value_per_ours")]

    def __str__(self) -> str:
        return f"{self.table}: {self.ours} → {self.theirs}"


class FieldRule(models.Model):
    """What one target says otherwise about one field of the connector's mapping file; see `sync.overrides`."""

    target = models.ForeignKey("sync.Target", on_delete=models.CASCADE, related_name="field_rules")
    type = models.CharField(max_length=40)
    field = models.CharField(max_length=200, help_text="As in the mapping file, rows as Part[*].Field.")
    rule: Any = models.JSONField(null=True, help_text="Words of the mapping file; null: the field is left out.")

    class Meta:
        ordering = ["target", "type", "field"]
        constraints = [models.UniqueConstraint(fields=["target", "type", "field"], name="one_rule_per_field")]

    def __str__(self) -> str:
        return f"{self.type}: {self.field}"


class MappingVersion(models.Model):
    """One change of a target's own mapping, whole or not at all; append-only.

    `changes`: [{map, name, before, after}]; a `map` is a value map, or "fields of <type>". None: no row of ours.
    """

    target = models.ForeignKey("sync.Target", on_delete=models.CASCADE, related_name="mapping_versions")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(auto_now_add=True)
    by = models.CharField(max_length=200)
    note = models.CharField(max_length=300, blank=True)
    changes: Any = models.JSONField(default=list)

    class Meta:
        ordering = ["target", "-number"]
        constraints = [models.UniqueConstraint(fields=["target", "number"], name="one_mapping_version_per_number")]

    def __str__(self) -> str:
        return f"{self.target_id} {self.number}"
