"""Tables of mapping rows."""

from __future__ import annotations

from django.db import models

from mdm.models.record import GoldenChild, GoldenRecord


class MappingRow(GoldenRecord):
    """One row of a mapping; what its texts mean is told by `mdm.mapping`.

    Not dated: the row is the period. Another target from a day on is another row, so that a row has one rank, one uid.
    """

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=8)
    source = models.CharField(max_length=2000, blank=True, null=True)
    target = models.CharField(max_length=200)
    flip = models.BooleanField(default=False)
    order = models.IntegerField(default=0)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)
    note = models.CharField(max_length=2000, blank=True, null=True)

    class Meta:
        abstract = True


class MappingCondition(GoldenChild):
    """Codes of one dimension among which the context's must be."""

    dimension = models.CharField(max_length=40)
    codes = models.CharField(max_length=2000)

    class Meta(GoldenChild.Meta):
        abstract = True


EXPLICIT = models.Q(kind="explicit")


class GLMapping(MappingRow):
    """One row of the mapping from one chart of accounts into another."""

    source_chart = models.CharField(max_length=40)
    target_chart = models.CharField(max_length=40)

    class Meta:
        verbose_name = "GL mapping"
        indexes = [
            models.Index(fields=["source_chart", "target_chart"], name="mapping_by_charts"),
            models.Index(
                fields=["source_chart", "target_chart", "source"], name="mapping_by_account", condition=EXPLICIT
            ),
            models.Index(fields=["source_chart", "target_chart"], name="mapping_rules", condition=~EXPLICIT),
        ]


class GLMappingCondition(MappingCondition):
    record = models.ForeignKey(GLMapping, on_delete=models.PROTECT, related_name="conditions")


class TaxCodeMapping(MappingRow):
    """One row of the mapping from the hub's tax codes into those of a system."""

    system = models.CharField(max_length=40)

    class Meta:
        indexes = [
            models.Index(fields=["system", "source"], name="tax_mapping_by_code", condition=EXPLICIT),
            models.Index(fields=["system"], name="tax_mapping_rules", condition=~EXPLICIT),
        ]


class TaxCodeMappingCondition(MappingCondition):
    record = models.ForeignKey(TaxCodeMapping, on_delete=models.PROTECT, related_name="conditions")
