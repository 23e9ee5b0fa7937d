"""Tables of companies and payment terms."""

from __future__ import annotations

from django.db import models

from mdm.models.record import GoldenRecord


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
