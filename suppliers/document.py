"""The supplier's canonical document (schema supplier/1): the JSON that every door shows, takes and stores."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mdm.documents import (
    AccountNumber,
    Bic,
    ChildDocument,
    Code,
    Country,
    Currency,
    Day,
    Email,
    Iban,
    Name,
    Part,
    Text,
    Texts,
    Uid,
)

Incoterm = Literal["EXW", "FCA", "CPT", "CIP", "DAP", "DPU", "DDP", "FAS", "FOB", "CFR", "CIF"]
Lines = Annotated[list[Text], Field(default_factory=list, max_length=6)]


class TaxRegistrationDocument(ChildDocument):
    country: Country | None = None
    scheme: Code
    number: Annotated[Name, Field(max_length=60)]


class IdentifierDocument(ChildDocument):
    scheme: Code
    value: Annotated[Name, Field(max_length=60)]


class AddressDocument(ChildDocument):
    kind: Code = "registered"
    lines: Lines
    city: Text | None = None
    region: Text | None = None
    postal_code: Annotated[Text, Field(max_length=40)] | None = None
    country: Country | None = None


class ContactDocument(ChildDocument):
    name: Text | None = None
    role: Code | None = None
    email: Email | None = None
    phone: Text | None = None


class BankAccountDocument(ChildDocument):
    iban: Iban | None = None
    bic: Bic | None = None
    account_number: AccountNumber | None = None
    bank_code: Annotated[Text, Field(max_length=40)] | None = None
    holder: Text | None = None
    country: Country | None = None
    currency: Currency | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    verification: Literal["unverified", "verified", "rejected"] = "unverified"


class ExtensionDocument(ChildDocument):
    legal_entity: Code
    reconciliation_account: Annotated[Text, Field(max_length=40)] | None = None
    payment_terms: Code | None = None
    payment_block: bool = False
    purchasing_block: bool = False
    withholding_tax: Annotated[Text, Field(max_length=40)] | None = None


class SupplierDocument(Part):
    """Whoever sends us invoices."""

    legal_name: Name
    trade_names: Texts
    legal_form: Text | None = None
    country: Country | None = None
    group: Text | None = None
    payment_terms: Code | None = None
    currency: Currency | None = None
    incoterm: Incoterm | None = None
    website: Text | None = None
    parent: Uid | None = None
    siblings: Annotated[list[Uid], Field(default_factory=list, max_length=200)]
    tags: Texts
    tax_registrations: Annotated[list[TaxRegistrationDocument], Field(default_factory=list, max_length=100)]
    identifiers: Annotated[list[IdentifierDocument], Field(default_factory=list, max_length=100)]
    addresses: Annotated[list[AddressDocument], Field(default_factory=list, max_length=100)]
    contacts: Annotated[list[ContactDocument], Field(default_factory=list, max_length=100)]
    bank_accounts: Annotated[list[BankAccountDocument], Field(default_factory=list, max_length=100)]
    extensions: Annotated[list[ExtensionDocument], Field(default_factory=list, max_length=200)]
