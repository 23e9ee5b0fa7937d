"""Tables of what costs and results are gathered for: cost centers, profit centers, projects."""

from __future__ import annotations

from django.db import models

from mdm.models.record import DatedRecord, GoldenPeriod


class ProfitCenterValues(models.Model):
    name = models.CharField(max_length=200)
    legal_entity = models.CharField(max_length=40, blank=True, null=True)
    segment = models.CharField(max_length=200, blank=True, null=True)
    responsible = models.CharField(max_length=200, blank=True, null=True)
    blocked = models.BooleanField(default=False)

    class Meta:
        abstract = True


class ProfitCenter(ProfitCenterValues, DatedRecord):
    """Where a result is made. Its values are those of its period of today."""


class ProfitCenterPeriod(ProfitCenterValues, GoldenPeriod):
    record = models.ForeignKey(ProfitCenter, on_delete=models.PROTECT, related_name="periods")

    class Meta(GoldenPeriod.Meta):
        pass


class CostCenterValues(models.Model):
    name = models.CharField(max_length=200)
    legal_entity = models.CharField(max_length=40)
    category = models.CharField(max_length=40)
    responsible = models.CharField(max_length=200, blank=True, null=True)
    department = models.CharField(max_length=200, blank=True, null=True)
    profit_center = models.CharField(max_length=40, blank=True, null=True)
    currency = models.CharField(max_length=3, blank=True, null=True)
    blocked_for_costs = models.BooleanField(default=False)
    blocked_for_planning = models.BooleanField(default=False)

    class Meta:
        abstract = True


class CostCenter(CostCenterValues, DatedRecord):
    """Where costs arise. Its values are those of its period of today; references are codes."""


class CostCenterPeriod(CostCenterValues, GoldenPeriod):
    record = models.ForeignKey(CostCenter, on_delete=models.PROTECT, related_name="periods")

    class Meta(GoldenPeriod.Meta):
        pass


class ProjectValues(models.Model):
    name = models.CharField(max_length=200)
    legal_entity = models.CharField(max_length=40)
    stage = models.CharField(max_length=40)
    responsible = models.CharField(max_length=200, blank=True, null=True)
    profit_center = models.CharField(max_length=40, blank=True, null=True)

    class Meta:
        abstract = True


class Project(ProjectValues, DatedRecord):
    """What costs are gathered for beside where they arise; closed on the day its last period ends."""


class ProjectPeriod(ProjectValues, GoldenPeriod):
    record = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="periods")

    class Meta(GoldenPeriod.Meta):
        pass
