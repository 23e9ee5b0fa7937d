"""Tables of dimensions of the group's own."""

from __future__ import annotations

from django.db import models

from mdm.models.record import DatedRecord, GoldenPeriod, GoldenRecord


class Dimension(GoldenRecord):
    """A dimension of the group's own, beside those the hub knows: what its values are stands in `DimensionValue`."""

    name = models.CharField(max_length=200)
    description = models.CharField(max_length=2000, blank=True, null=True)


class DimensionValueValues(models.Model):
    name = models.CharField(max_length=200)
    parent = models.CharField(max_length=40, blank=True, null=True)
    blocked = models.BooleanField(default=False)

    class Meta:
        abstract = True


class DimensionValue(DimensionValueValues, DatedRecord):
    """A value of one dimension; `dimension` is the dimension's code, `value` the code inside it, `parent` a record's code."""

    dimension = models.CharField(max_length=40)
    value = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dimension", "value"], name="one_value_per_dimension")]


class DimensionValuePeriod(DimensionValueValues, GoldenPeriod):
    record = models.ForeignKey(DimensionValue, on_delete=models.PROTECT, related_name="periods")

    class Meta(GoldenPeriod.Meta):
        pass
