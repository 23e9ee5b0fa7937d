"""Tables of the dimension records."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

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
