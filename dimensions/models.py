"""Tables of the dimension records."""

from __future__ import annotations

from django.db import models

from mdm.models.record import DatedRecord, GoldenChild, GoldenPeriod, GoldenRecord


class LegalEntity(GoldenRecord):
    """A company of our own group: what suppliers' extensions and people's scopes name."""

    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    city = models.CharField(max_length=200, blank=True, null=True)
    vat_id = models.CharField(max_length=40, blank=True, null=True)
    lei = models.CharField(max_length=20, blank=True, null=True)

    class Meta:
        verbose_name_plural = "legal entities"


class PaymentTerm(GoldenRecord):
    """When an invoice is due, and what paying early saves."""

    name = models.CharField(max_length=200)
    net_days = models.PositiveSmallIntegerField()
    discount_days = models.PositiveSmallIntegerField(null=True, blank=True)
    discount_percent = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    from_end_of_month = models.BooleanField(default=False)


class ChartOfAccounts(GoldenRecord):
    """A plan of accounts: the group's own, or the one a country or a system keeps its books in."""

    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2, blank=True, null=True)
    currency = models.CharField(max_length=3, blank=True, null=True)

    class Meta:
        verbose_name_plural = "charts of accounts"


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


class AccountValues(models.Model):
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=40)
    group = models.CharField(max_length=200, blank=True, null=True)
    currency = models.CharField(max_length=3, blank=True, null=True)
    open_items = models.BooleanField(default=False)
    reconciliation = models.CharField(max_length=40, blank=True, null=True)
    blocked_for_posting = models.BooleanField(default=False)

    class Meta:
        abstract = True


class GLAccount(AccountValues, DatedRecord):
    """An account of one chart; `chart` is the chart's code, `number` the account's there."""

    chart = models.CharField(max_length=40, db_index=True)
    number = models.CharField(max_length=40)

    class Meta:
        verbose_name = "GL account"
        constraints = [models.UniqueConstraint(fields=["chart", "number"], name="one_account_per_number")]


class GLAccountPeriod(AccountValues, GoldenPeriod):
    record = models.ForeignKey(GLAccount, on_delete=models.PROTECT, related_name="periods")

    class Meta(GoldenPeriod.Meta):
        pass


class TaxCodeValues(models.Model):
    name = models.CharField(max_length=200)
    rate = models.DecimalField(max_digits=6, decimal_places=3)
    deductible = models.DecimalField(max_digits=6, decimal_places=3, blank=True, null=True)

    class Meta:
        abstract = True


class TaxCode(TaxCodeValues, DatedRecord):
    """A kind of tax of one country or region; its rate is that of today."""

    country = models.CharField(max_length=2, db_index=True)
    region = models.CharField(max_length=200, blank=True, null=True)
    kind = models.CharField(max_length=40)
    jurisdiction = models.CharField(max_length=200, blank=True, null=True)


class TaxCodePeriod(TaxCodeValues, GoldenPeriod):
    record = models.ForeignKey(TaxCode, on_delete=models.PROTECT, related_name="periods")

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


class GLMapping(GoldenRecord):
    """One row of the mapping from one chart of accounts into another; what its texts mean is told by `mdm.mapping`.

    Not dated: the row is the period. Another target from a day on is another row, so that a row has one rank, one uid.
    """

    name = models.CharField(max_length=200)
    source_chart = models.CharField(max_length=40)
    target_chart = models.CharField(max_length=40)
    kind = models.CharField(max_length=8)
    source = models.CharField(max_length=2000, blank=True, null=True)
    target = models.CharField(max_length=200)
    flip = models.BooleanField(default=False)
    order = models.IntegerField(default=0)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)
    note = models.CharField(max_length=2000, blank=True, null=True)

    class Meta:
        indexes = [models.Index(fields=["source_chart", "target_chart"], name="mapping_by_charts")]


class GLMappingCondition(GoldenChild):
    """Codes of one dimension among which the context's must be."""

    record = models.ForeignKey(GLMapping, on_delete=models.PROTECT, related_name="conditions")
    dimension = models.CharField(max_length=40)
    codes = models.CharField(max_length=2000)


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


class ChartUse(models.Model):
    """Which chart of accounts is booked in: by a system, for a company. Governance sets it in the admin.

    An empty system is the hub itself, an empty company is all of them; the most specific row wins. All three are codes.
    """

    system = models.CharField(max_length=40, blank=True)
    legal_entity = models.CharField(max_length=40, blank=True)
    chart = models.CharField(max_length=40)

    class Meta:
        verbose_name = "chart in use"
        verbose_name_plural = "charts in use"
        ordering = ["system", "legal_entity"]
        constraints = [models.UniqueConstraint(fields=["system", "legal_entity"], name="one_chart_per_use")]

    def __str__(self) -> str:
        return f"{self.system or 'the hub'}, {self.legal_entity or 'every company'}: {self.chart}"
