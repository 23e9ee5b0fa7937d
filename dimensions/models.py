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


class Hierarchy(GoldenRecord):
    """A tree over records of one type: what is summed up into what. Its nodes are records of their own."""

    name = models.CharField(max_length=200)
    members = models.CharField(max_length=40)
    within = models.CharField(max_length=40, blank=True, null=True)
    note = models.CharField(max_length=2000, blank=True, null=True)

    class Meta:
        verbose_name_plural = "hierarchies"


class HierarchyNodeValues(models.Model):
    parent = models.CharField(max_length=40, blank=True, null=True, db_index=True)
    name = models.CharField(max_length=200, blank=True, null=True)
    order = models.IntegerField(default=0)

    class Meta:
        abstract = True


class HierarchyNode(HierarchyNodeValues, DatedRecord):
    """A group of one hierarchy, or a member in it; `node` is the group's code, or the member's. `parent` is that of today."""

    hierarchy = models.CharField(max_length=40)
    node = models.CharField(max_length=40)
    kind = models.CharField(max_length=6)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["hierarchy", "node"], name="one_node_per_code")]


class HierarchyNodePeriod(HierarchyNodeValues, GoldenPeriod):
    record = models.ForeignKey(HierarchyNode, on_delete=models.PROTECT, related_name="periods")

    class Meta(GoldenPeriod.Meta):
        pass


class HierarchyPlace(models.Model):
    """Where a node stands from when to when: made of the periods of the node and of all above it, whenever one changes.

    `path`: the ids of the nodes from the top down to this one, each followed by a dot. On a day a node has one place,
    or none where something above it does not hold. `member`: it is no group, so that members are counted without the nodes.
    """

    hierarchy = models.CharField(max_length=40)
    record = models.ForeignKey(HierarchyNode, on_delete=models.DO_NOTHING, db_constraint=False, related_name="places")
    above = models.ForeignKey(
        HierarchyNode, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="+"
    )
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)
    member = models.BooleanField()
    depth = models.PositiveSmallIntegerField()
    path = models.TextField(db_collation="C")

    class Meta:
        indexes = [
            models.Index(fields=["hierarchy", "path"], name="place_by_path"),
            models.Index(fields=["hierarchy", "above"], name="place_by_above"),
        ]

    def __str__(self) -> str:
        return self.path


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
