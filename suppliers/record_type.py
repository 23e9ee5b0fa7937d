"""The supplier, declared: what the kernel derives API, pages, tables, matching and exports from."""

from __future__ import annotations

from mdm.matching.config import AddressFields, IdentifierFields, MatchConfig
from mdm.registry import ChildType, Column, RecordType, Section, register
from suppliers import document, models, risks, rules

MATCH = MatchConfig(
    record_type="supplier",
    name="legal_name",
    aliases=("trade_names[]",),
    country="country",
    legal_form="legal_form",
    addresses=AddressFields("addresses[]"),
    tax_ids=IdentifierFields("tax_registrations[]", value="number"),
    identifiers=IdentifierFields("identifiers[]"),
    banks=("bank_accounts[].iban", "bank_accounts[].account_number"),
    phones=("contacts[].phone",),
    emails=("contacts[].email",),
    websites=("website",),
)

CHILDREN = (
    ChildType(
        "tax_registrations",
        "Tax registrations",
        models.TaxRegistration,
        document.TaxRegistrationDocument,
        identity=("country", "scheme"),
        columns=("scheme", "country", "number"),
    ),
    ChildType(
        "identifiers",
        "Identifiers",
        models.Identifier,
        document.IdentifierDocument,
        identity=("scheme",),
        columns=("scheme", "value"),
    ),
    ChildType(
        "addresses",
        "Addresses",
        models.Address,
        document.AddressDocument,
        identity=("kind",),
        columns=("kind", "lines", "postal_code", "city", "region", "country"),
    ),
    ChildType(
        "contacts",
        "Contacts",
        models.Contact,
        document.ContactDocument,
        identity=("role", "name", "email"),
        columns=("role", "name", "email", "phone"),
    ),
    ChildType(
        "bank_accounts",
        "Bank accounts",
        models.BankAccount,
        document.BankAccountDocument,
        identity=("iban", "account_number", "bank_code"),
        sealed=("iban", "account_number"),
        columns=(
            "iban",
            "account_number",
            "bank_code",
            "bic",
            "holder",
            "currency",
            "valid_from",
            "verification",
        ),
    ),
    ChildType(
        "extensions",
        "Legal entities",
        models.Extension,
        document.ExtensionDocument,
        identity=("legal_entity",),
        columns=(
            "legal_entity",
            "reconciliation_account",
            "payment_terms",
            "payment_block",
            "purchasing_block",
            "withholding_tax",
        ),
        entity_field="legal_entity",
    ),
)


def declare() -> RecordType:
    return register(
        RecordType(
            key="supplier",
            path="suppliers",
            title="Supplier",
            plural="Suppliers",
            model=models.Supplier,
            document=document.SupplierDocument,
            code_prefix="S-",
            name_field="legal_name",
            icon="supplier",
            columns=(
                Column("code", "Code", "code"),
                Column("legal_name", "Legal name"),
                Column("country", "Country", "country"),
                Column("group", "Group"),
                Column("payment_terms", "Payment terms", "code"),
                Column("currency", "Currency", "code", default=False),
                Column("website", "Website", default=False),
                Column("tags", "Tags", "tags", default=False),
                Column("status", "Status", "status"),
                Column("version", "Version", "number", default=False),
                Column("updated_at", "Changed", "date"),
            ),
            sections=(
                Section(
                    "General",
                    ("legal_name", "trade_names", "legal_form", "country", "group", "parent", "siblings", "tags"),
                ),
                Section("Terms", ("payment_terms", "currency", "incoterm", "website")),
            ),
            filters={
                "legal_name": "legal_name",
                "country": "country",
                "group": "group",
                "payment_terms": "payment_terms",
                "currency": "currency",
                "status": "status",
                "code": "code",
                "parent": "parent",
            },
            search=(
                "code",
                "legal_name",
                "trade_names",
                "tax_registrations",
                "identifiers",
                "addresses",
                "website",
            ),
            children=CHILDREN,
            references={
                "payment_terms": "payment_term",
                "parent": "supplier",
                "siblings": "supplier",
                "extensions.payment_terms": "payment_term",
                "extensions.legal_entity": "legal_entity",
            },
            inherits={"addresses.country": "country", "tax_registrations.country": "country"},
            match=MATCH,
            parent_field="parent",
            sibling_field="siblings",
            spends=True,
            rules=(rules.check_bank_accounts, rules.check_identifiers, rules.check_twins, rules.check_parent),
            risks=(risks.bank_risks, risks.name_risks),
            labels={
                "parent": "Parent company",
                "siblings": "Sister companies",
                "iban": "IBAN",
                "bic": "BIC",
                "email": "E-mail",
                "lines": "Street",
                "tax_registrations": "Tax registration",
                "identifiers": "Identifier",
                "addresses": "Address",
                "contacts": "Contact",
                "bank_accounts": "Bank account",
                "extensions": "Legal entity",
            },
        )
    )
