"""Owns what the sandbox's entities consist of: properties with types and lengths, keys, enums, and `$metadata`.

[csdl] The names, keys and enum values are those of the CSDL of release 10.0.47 as published with
ballerina-platform/module-ballerinax-microsoft.dynamics365.finance a7f91cb, docs/spec; of the 280 properties of a
vendor those that a hub of suppliers has to do with. [cdm] Bank accounts: VendVendorBankAccountEntity of Microsoft's
Common Data Model. Lengths are those of the tables as delivered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from sync.connectors.dynamics365.shape import BANK_KEY, NO_DATE, VENDOR_KEY

NAMESPACE = "Microsoft.Dynamics.DataEntities"
ENUMS = {
    "NoYes": ("No", "Yes"),
    "CustVendorBlocked": ("No", "Invoice", "All", "Payment", "Requisition", "Never", "PurchOrder"),
    "DimensionLedgerAccountType": (
        *("Blank", "ProfitAndLoss", "Revenue", "Expense", "BalanceSheet", "Asset", "Liability", "Equity"),
        *("Total", "Reporting", "Common_CN"),
    ),
    "NetCurrent": ("Net", "CurrentMth", "CurrentQuart", "CurrentYear", "CurrentWeek", "COD", "CutOffDate"),
}


@dataclass(frozen=True)
class Property:
    type: str = "Edm.String"
    length: int = 0
    made: bool = False  # by Finance: not taken from anybody

    @property
    def nothing(self) -> Any:
        """What an unset property is shown as; there is no null."""
        if self.type in ENUMS:
            return ENUMS[self.type][0]
        return {"Edm.Int32": 0, "Edm.DateTimeOffset": NO_DATE}.get(self.type, "")


@dataclass(frozen=True)
class EntitySet:
    name: str
    entity: str  # the type in $metadata
    table: str  # as messages name it
    source: str  # the data source that messages name
    key: tuple[str, ...]
    properties: Mapping[str, Property]


def _text(**lengths: int) -> dict[str, Property]:
    return {name: Property(length=length) for name, length in lengths.items()}


_YES_NO, _DATE, _NUMBER = Property("NoYes"), Property("Edm.DateTimeOffset"), Property("Edm.Int32")
# What stands in the party, which the vendors of one supplier share over all companies.
PARTY = (
    *("VendorOrganizationName", "VendorSearchName", "VendorKnownAsName", "DUNSNumber"),
    *("AddressStreet", "AddressCity", "AddressZipCode", "AddressStateId", "AddressCountryRegionId"),
    *("PrimaryEmailAddress", "PrimaryPhoneNumber", "PrimaryURL"),
)
_VENDOR = {
    **_text(dataAreaId=4, VendorAccountNumber=20, VendorPartyNumber=40, VendorPartyType=60),
    **_text(VendorOrganizationName=100, VendorSearchName=20, VendorKnownAsName=100, VendorGroupId=10),
    **_text(CurrencyCode=3, LanguageId=7, OrganizationNumber=60, DUNSNumber=9),
    **_text(TaxExemptNumber=20, Tax1099FederalTaxId=30, SalesTaxGroupCode=10, WithholdingTaxGroupCode=10),
    **_text(AddressStreet=250, AddressCity=60, AddressZipCode=10, AddressStateId=10, AddressCountryRegionId=10),
    **_text(PrimaryEmailAddress=255, PrimaryPhoneNumber=255, PrimaryURL=255),
    **_text(DefaultPaymentTermsName=10, DefaultDeliveryTermsCode=10, DefaultVendorPaymentMethodName=10),
    **_text(BankAccountId=10, OurAccountNumber=20),
    "OnHoldStatus": Property("CustVendorBlocked"),
    "VendorHoldReleaseDate": _DATE,
    "IsOneTimeVendor": _YES_NO,
    "AddressCountryRegionISOCode": Property(length=10, made=True),
    "FormattedPrimaryAddress": Property(made=True),
}
_BANK = {
    **_text(dataAreaId=4, VendorAccountNumber=20, VendorBankAccountId=10, BankName=60, BankGroupId=10),
    **_text(IBAN=48, BankAccountNumber=48, RoutingNumber=20, SWIFTCode=20, CurrentCurrencyCode=3),
    "ActiveDate": _DATE,
    "ExpirationDate": _DATE,
    "IsDefaultBankAccount": _YES_NO,
}
_TERM = {
    **_text(dataAreaId=4, Name=10, Description=60, PaymentDayName=10, PaymentScheduleName=10),
    "NumberOfDays": _NUMBER,
    "NumberOfMonths": _NUMBER,
    "CutoffDayOfMonth": _NUMBER,
    "AdditionalMonthsForCutoffDate": _NUMBER,
    "PaymentMethodType": Property("NetCurrent"),
    "IsDefaultPaymentTerm": _YES_NO,
    "IsCashPayment": _YES_NO,
}
_COMPANY = {
    **_text(LegalEntityId=4, Name=100, NameAlias=20, PartyNumber=40, LanguageId=7, VATNum=20),
    **_text(AddressStreet=250, AddressCity=60, AddressZipCode=10, AddressCountryRegionId=10),
    "AddressCountryRegionISOCode": Property(length=10, made=True),
}
_VALUE = {
    **_text(FinancialDimension=60, LegalEntityId=4, DimensionValue=30, Description=60, Owner=25, GroupDimension=30),
    "ActiveFrom": _DATE,
    "ActiveTo": _DATE,
    "IsSuspended": _YES_NO,
    "IsBlockedForManualEntry": _YES_NO,
    "IsTotal": _YES_NO,
}
_ACCOUNT = {
    **_text(ChartOfAccounts=60, MainAccountId=20, Name=60, MainAccountCategory=20, DefaultCurrency=3),
    "MainAccountType": Property("DimensionLedgerAccountType"),
    "ActiveFrom": _DATE,
    "ActiveTo": _DATE,
    "IsSuspended": _YES_NO,
    "DoNotAllowManualEntry": _YES_NO,
}
SETS = {
    item.name: item
    for item in (
        EntitySet("VendorsV3", "VendorV3", "Vendors", "VendTable", VENDOR_KEY, _VENDOR),
        EntitySet(
            "VendorBankAccounts", "VendorBankAccount", "Vendor bank accounts", "VendBankAccount", BANK_KEY, _BANK
        ),
        EntitySet("PaymentTerms", "PaymentTerm", "Terms of payment", "PaymTerm", ("dataAreaId", "Name"), _TERM),
        EntitySet("LegalEntities", "LegalEntity", "Legal entities", "CompanyInfo", ("LegalEntityId",), _COMPANY),
        EntitySet(
            "FinancialDimensionValues",
            "FinancialDimensionValue",
            "Financial dimension values",
            "DimensionFinancialTag",
            ("FinancialDimension", "LegalEntityId", "DimensionValue"),
            _VALUE,
        ),
        EntitySet(
            "MainAccounts",
            "MainAccount",
            "Main accounts",
            "MainAccount",
            ("ChartOfAccounts", "MainAccountId"),
            _ACCOUNT,
        ),
    )
}


def metadata(without: frozenset[str] = frozenset()) -> str:
    """The document of `$metadata`, reduced to what the sandbox has."""
    kept = [item for item in SETS.values() if item.name not in without]
    enums = "".join(
        f'<EnumType Name="{name}">'
        + "".join(f'<Member Name="{member}" Value="{value}"/>' for value, member in enumerate(members))
        + "</EnumType>"
        for name, members in ENUMS.items()
    )
    types = "".join(_entity_type(item) for item in kept)
    sets = "".join(f'<EntitySet Name="{item.name}" EntityType="{NAMESPACE}.{item.entity}"/>' for item in kept)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
        f'<Schema Namespace="{NAMESPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
        f'{enums}{types}<EntityContainer Name="Resources">{sets}</EntityContainer>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    )


def _entity_type(item: EntitySet) -> str:
    keys = "".join(f'<PropertyRef Name="{name}"/>' for name in item.key)
    properties = "".join(
        f"<Property Name={quoteattr(name)} Type={quoteattr(_type(held))}/>" for name, held in item.properties.items()
    )
    return f'<EntityType Name="{item.entity}"><Key>{keys}</Key>{properties}</EntityType>'


def _type(held: Property) -> str:
    return f"{NAMESPACE}.{held.type}" if held.type in ENUMS else held.type
