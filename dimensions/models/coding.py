"""Tables of coding rules."""

from __future__ import annotations

from django.db import models

from mdm.models.record import GoldenChild, GoldenRecord


class CodingRule(GoldenRecord):
    """What may be coded together on a line of a booking; what it asks is told by its conditions and `dimensions.coding`.

    Not dated, as a row of a mapping is not: the rule is the period.
    """

    name = models.CharField(max_length=200)
    message = models.CharField(max_length=2000)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)


class CodingRuleCondition(GoldenChild):
    """`side`: when · then. `test`: codes · given · not_given."""

    record = models.ForeignKey(CodingRule, on_delete=models.PROTECT, related_name="conditions")
    side = models.CharField(max_length=4)
    dimension = models.CharField(max_length=40)
    test = models.CharField(max_length=9, default="codes")
    codes = models.CharField(max_length=2000, blank=True, null=True)
