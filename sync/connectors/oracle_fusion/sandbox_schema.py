"""Owns what the sandbox of Oracle Fusion knows of each resource: attributes, lengths, who may write them, lists of values.

After docs.oracle.com: Procurement REST 23d–26b (op-suppliers-post, …-child-addresses-post, …-child-sites-post) and
Financials REST 23d–26d (op-externalbankaccounts-post, op-paymentsexternalpayees-post, op-instrumentassignments-post,
op-taxregistrations-post), reduced to the attributes that belong to a supplier's master data; Applications Common REST
23d–25d (valueSets, values).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "flag", "date"]


@dataclass(frozen=True)
class Attribute:
    kind: Kind = "text"
    length: int = 0
    given: Literal["always", "create", "never"] = "always"


@dataclass(frozen=True)
class Resource:
    id: str
    attributes: dict[str, Attribute]
    children: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


def _texts(length: int, *names: str, given: Literal["always", "create", "never"] = "always") -> dict[str, Attribute]:
    return {name: Attribute("text", length, given) for name in names}


def _of(kind: Kind, *names: str, given: Literal["always", "create", "never"] = "always") -> dict[str, Attribute]:
    return {name: Attribute(kind, 0, given) for name in names}


_WHO = {**_texts(0, "CreationDate", "CreatedBy", "LastUpdateDate", "LastUpdatedBy", "Status", given="never")}

RESOURCES = {
    "suppliers": Resource(
        "SupplierId",
        {
            **_of("number", "SupplierId", "SupplierPartyId", given="never"),
            **_texts(360, "Supplier", "AlternateName", "Alias"),
            **_texts(30, "SupplierNumber", given="create"),
            **_texts(30, "RegistryId", given="never"),
            **_texts(30, "TaxOrganizationTypeCode", "SupplierTypeCode", "BusinessRelationshipCode"),
            **_texts(30, "DUNSNumber", "TaxpayerId", "CustomerNumber"),
            **_texts(150, "CorporateWebsite"),
            **_texts(2, "TaxpayerCountryCode"),
            **_texts(15, "PreferredFunctionalCurrencyCode"),
            **_of("date", "InactiveDate"),
            **_of("flag", "OneTimeSupplierFlag"),
            **_WHO,
        },
        ("addresses", "sites"),
        ("Supplier", "TaxOrganizationTypeCode", "BusinessRelationshipCode"),
    ),
    "addresses": Resource(
        "SupplierAddressId",
        {
            **_of("number", "SupplierAddressId", given="never"),
            **_texts(240, "AddressName", "AddressLine1", "AddressLine2", "AddressLine3", "AddressLine4", "Building"),
            **_texts(60, "City", "State", "Province", "County", "PostalCode"),
            **_texts(2, "CountryCode"),
            **_texts(320, "Email"),
            **_texts(40, "PhoneNumber"),
            **_texts(10, "PhoneCountryCode", "PhoneAreaCode"),
            **_texts(360, "Addressee"),
            **_texts(0, "FormattedAddress", given="never"),
            **_of("flag", "AddressPurposeOrderingFlag", "AddressPurposeRemitToFlag", "AddressPurposeRFQOrBiddingFlag"),
            **_of("date", "InactiveDate"),
            **_WHO,
        },
        required=("AddressName", "CountryCode"),
    ),
    "sites": Resource(
        "SupplierSiteId",
        {
            **_of("number", "SupplierSiteId", "SupplierAddressId", given="never"),
            **_of("number", "ProcurementBUId", given="create"),
            **_texts(240, "ProcurementBU", given="create"),
            **_texts(240, "SupplierSite", "SupplierAddressName", "PurchasingHoldReason", "PaymentHoldReason"),
            **_texts(50, "PaymentTerms"),
            **_texts(15, "InvoiceCurrencyCode", "PaymentCurrencyCode"),
            **_texts(30, "FOBCode", "FreightTermsCode", "PayGroupCode", "CommunicationMethodCode"),
            **_texts(320, "Email"),
            **_of("flag", "SitePurposePurchasingFlag", "SitePurposePayFlag", "SitePurposeSourcingOnlyFlag"),
            **_of("flag", "HoldAllInvoicesFlag", "HoldAllNewPurchasingDocumentsFlag"),
            **_of("date", "InactiveDate"),
            **_WHO,
        },
        ("assignments",),
        ("SupplierSite", "ProcurementBU"),
    ),
    "assignments": Resource(
        "AssignmentId",
        {
            **_of("number", "AssignmentId", given="never"),
            **_texts(240, "ClientBU", "BillToBU", given="create"),
            **_of("date", "InactiveDate"),
        },
        required=("ClientBU",),
    ),
    "taxRegistrations": Resource(
        "RegistrationId",
        {
            **_of("number", "RegistrationId", given="never"),
            **_texts(30, "PartyTypeCode", "PartyNumber", "TaxRegimeCode", given="create"),
            **_texts(360, "PartyName", given="create"),
            **_texts(50, "RegistrationNumber"),
            **_texts(30, "RegistrationTypeCode", "RegistrationStatusCode"),
            **_texts(2, "CountryCode"),
            **_of("date", "EffectiveFrom", given="create"),
            **_of("date", "EffectiveTo"),
            **_of("flag", "DefaultRegistrationFlag"),
            **_WHO,
        },
        required=("PartyTypeCode", "PartyNumber", "TaxRegimeCode"),
    ),
    "paymentsExternalPayees": Resource(
        "PayeeId",
        {
            **_of("number", "PayeeId", given="never"),
            **_of(
                "number", "PayeePartyIdentifier", "PayeePartySiteIdentifier", "SupplierSiteIdentifier", given="create"
            ),
            **_of("number", "OrganizationIdentifier", given="create"),
            **_texts(30, "PaymentFunctionCode", "Intent", given="create"),
            **_texts(30, "DefaultPaymentMethodCode", "BankChargeBearerCode"),
        },
        required=("PayeePartyIdentifier", "PaymentFunctionCode"),
    ),
    "externalBankAccounts": Resource(
        "BankAccountId",
        {
            **_of("number", "BankAccountId", "VendorId", given="never"),
            **_of("number", "PartyId", given="create"),
            **_texts(100, "BankAccountNumber"),
            **_texts(50, "IBAN"),
            **_texts(2, "CountryCode", given="create"),
            **_texts(15, "CurrencyCode"),
            **_texts(80, "BankAccountName"),
            **_texts(320, "AlternateAccountName"),
            **_texts(30, "BankBranchNumber", "BankNumber", "Intent", given="create"),
            **_texts(360, "BankName", "BankBranchName", given="create"),
            **_texts(25, "AccountType"),
            **_texts(1, "AllowInternationalPaymentIndicator"),
            **_texts(0, "BIC", given="never"),
            **_of("date", "StartDate", "EndDate"),
        },
        ("accountOwners",),
        ("CountryCode",),
    ),
    "instrumentAssignments": Resource(
        "PaymentInstrumentAssignmentId",
        {
            **_of("number", "PaymentInstrumentAssignmentId", "VendorId", given="never"),
            **_of("number", "PaymentPartyId", "PaymentInstrumentId", given="create"),
            **_texts(30, "PaymentFlow", "PaymentInstrumentType", given="create"),
            **_texts(30, "Intent", "PrimaryIndicator"),
            **_texts(0, "MaskedBankAccountNumber", given="never"),
            **_of("date", "StartDate", "EndDate"),
        },
        required=("PaymentPartyId", "PaymentInstrumentId", "PaymentInstrumentType", "PaymentFlow"),
    ),
    "valueSets": Resource(
        "ValueSetId",
        {
            **_of("number", "ValueSetId", given="never"),
            **_texts(60, "ValueSetCode", "ModuleId", given="never"),
            **_texts(240, "Description", given="never"),
            **_texts(30, "ValidationType", "ValueDataType", given="never"),
        },
        ("values", "validationTable"),
    ),
    "values": Resource(
        "ValueId",
        {
            **_of("number", "ValueId", given="never"),
            **_of("number", "SortOrder"),
            **_texts(150, "Value", "IndependentValue", given="create"),
            **_texts(150, "TranslatedValue"),
            **_texts(240, "Description"),
            **_texts(1, "EnabledFlag"),
            **_of("date", "StartDateActive", "EndDateActive"),
            **_texts(30, "SummaryFlag", "DetailPostingAllowed", "DetailBudgetingAllowed", "AccountType"),
            **_texts(30, "ControlAccount", "ReconciliationFlag", "FinancialCategory"),
            **_texts(512, "ExternalDataSource"),
            **_texts(0, "CreationDate", "CreatedBy", "LastUpdateDate", "LastUpdatedBy", given="never"),
        },
        required=("Value",),
    ),
}

# Meaning -> code, for attributes that come in both forms: (attribute of the meaning, attribute of the code).
MEANINGS = {
    ("TaxOrganizationType", "TaxOrganizationTypeCode"): {
        "Corporation": "CORPORATION",
        "Individual": "INDIVIDUAL",
        "Partnership": "PARTNERSHIP",
    },
    ("BusinessRelationship", "BusinessRelationshipCode"): {
        "Spend Authorized": "SPEND_AUTHORIZED",
        "Prospective": "PROSPECTIVE",
    },
    ("SupplierType", "SupplierTypeCode"): {"Services": "SERVICES", "Supplier": "SUPPLIER"},
    ("Country", "CountryCode"): {
        "United States": "US",
        "Germany": "DE",
        "France": "FR",
        "United Kingdom": "GB",
        "Netherlands": "NL",
        "Italy": "IT",
        "Austria": "AT",
        "Poland": "PL",
        "Spain": "ES",
        "Brazil": "BR",
    },
    ("TaxpayerCountry", "TaxpayerCountryCode"): {"United States": "US", "Brazil": "BR"},
}
CLOSED = {"TaxOrganizationTypeCode", "BusinessRelationshipCode"}  # no other codes than those of the table
# What somebody set up in this instance.
UNITS = {"US1 Business Unit": 300000046987012, **{f"NH{n}0": 300000046990000 + n for n in range(1, 10)}}
TERMS = {"Immediate", "2/10 Net 30", "1/10 Net 30", *(f"Net {days}" for days in (7, 10, 14, 15, 30, 45, 60, 90))}
VALUE_SETS = {
    "COST_CENTER": "Cost Center",
    "PROFIT_CENTER": "Profit Center",
    "PROJECT": "Project",
    "ACCOUNT": "Account",
}
_EU = "AT BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IT LT LU LV MT NL NO PL PT RO SE SI SK"
REGIMES = {"US SALES AND USE TAX", *(f"{country} VAT" for country in _EU.split())}
MASKED = {"BankAccountNumber", "IBAN"}
CHILDREN = RESOURCES["suppliers"].children


def code_of(meaning: str) -> tuple[str, dict[str, str]] | None:
    """The attribute that keeps the code of this meaning, and the table."""
    return next(((code, table) for (name, code), table in MEANINGS.items() if name == meaning), None)


def meanings_of(leaves: Iterable[str]) -> Iterable[tuple[str, str, dict[str, str]]]:
    return (
        (name, code, {held: text for text, held in table.items()})
        for (name, code), table in MEANINGS.items()
        if code in leaves
    )
