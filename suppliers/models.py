"""Tables of the supplier aggregate: the supplier and the rows inside it."""

from __future__ import annotations

from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models

from mdm.models.record import GoldenChild, GoldenRecord, text_list


class Supplier(GoldenRecord):
    """Whoever sends us invoices. `payment_terms` is the code of a payment term, `parent` and `siblings` uids of suppliers."""

    legal_name = models.CharField(max_length=200, db_index=True)
    trade_names = text_list()
    legal_form = models.CharField(max_length=200, blank=True, null=True)
    country = models.CharField(max_length=2, blank=True, null=True, db_index=True)
    group = models.CharField(max_length=200, blank=True, null=True, db_index=True)
    payment_terms = models.CharField(max_length=40, blank=True, null=True)
    currency = models.CharField(max_length=3, blank=True, null=True)
    incoterm = models.CharField(max_length=3, blank=True, null=True)
    website = models.CharField(max_length=200, blank=True, null=True)
    parent = models.UUIDField(null=True, blank=True)
    siblings: ArrayField[list[UUID], list[UUID]] = ArrayField(models.UUIDField(), default=list, blank=True)
    tags = text_list()

    class Meta:
        indexes = [GinIndex(SearchVector("search_text", config="simple"), name="supplier_search")]


class SupplierChild(GoldenChild):
    record = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="%(class)s_rows")

    class Meta(GoldenChild.Meta):
        abstract = True


class TaxRegistration(SupplierChild):
    country = models.CharField(max_length=2, blank=True, null=True)
    scheme = models.CharField(max_length=40)
    number = models.CharField(max_length=60, db_index=True)


class Identifier(SupplierChild):
    scheme = models.CharField(max_length=40)
    value = models.CharField(max_length=60, db_index=True)


class Address(SupplierChild):
    kind = models.CharField(max_length=40)
    lines = text_list()
    city = models.CharField(max_length=200, blank=True, null=True)
    region = models.CharField(max_length=200, blank=True, null=True)
    postal_code = models.CharField(max_length=40, blank=True, null=True)
    country = models.CharField(max_length=2, blank=True, null=True)

    class Meta(SupplierChild.Meta):
        verbose_name_plural = "addresses"


class Contact(SupplierChild):
    name = models.CharField(max_length=200, blank=True, null=True)
    role = models.CharField(max_length=40, blank=True, null=True)
    email = models.CharField(max_length=254, blank=True, null=True)
    phone = models.CharField(max_length=200, blank=True, null=True)


class BankAccount(SupplierChild):
    """`iban` and `account_number` hold sealed values (ciphertext, key id, blind index, head, last 4), never a number."""

    iban = models.JSONField(null=True, blank=True)
    bic = models.CharField(max_length=11, blank=True, null=True)
    account_number = models.JSONField(null=True, blank=True)
    bank_code = models.CharField(max_length=40, blank=True, null=True)
    holder = models.CharField(max_length=200, blank=True, null=True)
    country = models.CharField(max_length=2, blank=True, null=True)
    currency = models.CharField(max_length=3, blank=True, null=True)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)
    verification = models.CharField(max_length=20, default="unverified")

    class Meta(SupplierChild.Meta):
        indexes = [
            models.Index(models.F("iban__bix"), name="bank_account_by_iban"),
            models.Index(models.F("account_number__bix"), name="bank_account_by_number"),
        ]


class Extension(SupplierChild):
    """What one of our legal entities adds: accounting and blocks. `legal_entity` is its code."""

    legal_entity = models.CharField(max_length=40)
    reconciliation_account = models.CharField(max_length=40, blank=True, null=True)
    payment_terms = models.CharField(max_length=40, blank=True, null=True)
    payment_block = models.BooleanField(default=False)
    purchasing_block = models.BooleanField(default=False)
    withholding_tax = models.CharField(max_length=40, blank=True, null=True)
