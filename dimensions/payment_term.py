"""The payment term: document, rules and declaration."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer

from dimensions.models import PaymentTerm
from mdm.documents import Name, Part
from mdm.registry import Column, RecordType, Section, register
from mdm.types import Document, Problem

Percent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=2), PlainSerializer(str, return_type=str)]


class PaymentTermDocument(Part):
    """When an invoice is due, in days, and what paying early saves, in percent."""

    name: Name
    net_days: int = Field(ge=0, le=999)
    discount_days: int | None = Field(default=None, ge=0, le=999)
    discount_percent: Percent | None = None
    from_end_of_month: bool = False


def check_discount(document: Document) -> list[Problem]:
    days, percent = document.get("discount_days"), document.get("discount_percent")
    if (days is None) != (percent is None):
        return [Problem("discount_days", "incomplete_discount", "A discount needs both its days and its percent.")]
    if days is not None and days > document["net_days"]:
        return [Problem("discount_days", "discount_after_due", "The discount ends after the invoice is due.")]
    return []


def declare() -> RecordType:
    return register(
        RecordType(
            key="payment_term",
            path="payment-terms",
            title="Payment term",
            plural="Payment terms",
            model=PaymentTerm,
            document=PaymentTermDocument,
            code_prefix="PT-",
            name_field="name",
            icon="calendar",
            columns=(
                Column("code", "Code", "code"),
                Column("name", "Name"),
                Column("net_days", "Due in days", "number"),
                Column("discount_percent", "Discount %", "number"),
                Column("discount_days", "Discount days", "number"),
                Column("status", "Status", "status"),
                Column("updated_at", "Changed", "date"),
            ),
            sections=(
                Section("General", ("name", "net_days", "from_end_of_month")),
                Section("Discount", ("discount_days", "discount_percent")),
            ),
            filters={"net_days": "net_days", "status": "status", "code": "code"},
            search=("code", "name"),
            rules=(check_discount,),
            labels={"net_days": "Due in days", "from_end_of_month": "Counted from the end of the month"},
        )
    )
