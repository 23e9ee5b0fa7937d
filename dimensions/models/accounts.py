"""Tables of charts, their accounts, and tax codes."""

from __future__ import annotations

from django.db import models

from mdm.models.record import DatedRecord, GoldenPeriod, GoldenRecord


class ChartOfAccounts(GoldenRecord):
    """A plan of accounts: the group's own, or the one a country or a system keeps its books in."""

    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2, blank=True, null=True)
    currency = models.CharField(max_length=3, blank=True, null=True)

    class Meta:
        verbose_name_plural = "charts of accounts"


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
