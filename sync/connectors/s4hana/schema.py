"""Owns what the sandbox knows of each entity type: properties, types, lengths, and what nobody may write.

Taken from API_BUSINESS_PARTNER.edmx (SAP-samples/cloud-cap-risk-management, c32ad05): names, MaxLength and
sap:creatable/sap:updatable as published, reduced to the properties a supplier master uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from sync.connectors.s4hana.entities import SETS

# name:length; a leading `-` marks sap:creatable="false" sap:updatable="false"; ? Boolean, @ DateTime
_DECLARED = {
    "A_BusinessPartner": """BusinessPartner:10 -Customer:10 -Supplier:10 BusinessPartnerCategory:1
        -BusinessPartnerFullName:81 BusinessPartnerGrouping:4 -BusinessPartnerName:81 CorrespondenceLanguage:2
        -CreatedByUser:12 @-CreationDate Industry:10 @-LastChangeDate -LastChangedByUser:12 LegalForm:2
        OrganizationBPName1:40 OrganizationBPName2:40 OrganizationBPName3:40 OrganizationBPName4:40
        SearchTerm1:20 SearchTerm2:20 ?BusinessPartnerIsBlocked -ETag:26 ?IsMarkedForArchiving
        BusinessPartnerIDByExtSystem:20 TradingPartner:6""",
    "A_BusinessPartnerAddress": """BusinessPartner:10 AddressID:10 AdditionalStreetPrefixName:40 CityName:40
        Country:3 District:40 -FullName:80 HouseNumber:10 Language:2 POBox:10 PostalCode:10 Region:3
        StreetName:60 StreetPrefixName:40 StreetSuffixName:40""",
    "A_AddressEmailAddress": "AddressID:10 Person:10 OrdinalNumber:3 ?IsDefaultEmailAddress EmailAddress:241",
    "A_AddressPhoneNumber": """AddressID:10 Person:10 OrdinalNumber:3 ?IsDefaultPhoneNumber PhoneNumber:30
        PhoneNumberExtension:10 PhoneNumberType:1""",
    "A_AddressHomePageURL": """AddressID:10 Person:10 OrdinalNumber:3 @ValidityStartDate ?IsDefaultURLAddress
        WebsiteURL:2048""",
    "A_BusinessPartnerBank": """BusinessPartner:10 BankIdentification:4 BankCountryKey:3 -BankName:60
        BankNumber:15 -SWIFTCode:11 BankControlKey:2 BankAccountHolderName:60 BankAccountName:40
        @ValidityStartDate @ValidityEndDate IBAN:34 BankAccount:18 BankAccountReferenceText:20
        -CityName:35""",
    "A_BusinessPartnerTaxNumber": "BusinessPartner:10 BPTaxType:4 BPTaxNumber:20 BPTaxLongNumber:60",
    "A_BuPaIdentification": """BusinessPartner:10 BPIdentificationType:6 BPIdentificationNumber:60
        BPIdnNmbrIssuingInstitute:40 Country:3 @ValidityStartDate @ValidityEndDate""",
    "A_BusinessPartnerRole": "BusinessPartner:10 BusinessPartnerRole:6 @ValidFrom @ValidTo",
    "A_Supplier": """Supplier:10 -CreatedByUser:12 @-CreationDate ?PaymentIsBlockedForSupplier
        ?PostingIsBlocked ?PurchasingIsBlocked SupplierAccountGroup:4 -SupplierFullName:220 -SupplierName:80
        ?DeletionIndicator SupplierCorporateGroup:10 -TaxNumber1:16""",
    "A_SupplierCompany": """Supplier:10 CompanyCode:4 -CompanyCodeName:25 PaymentBlockingReason:1
        ?SupplierIsBlockedForPosting PaymentMethodsList:10 PaymentTerms:4 ReconciliationAccount:10
        Currency:5 WithholdingTaxCountry:3 ?DeletionIndicator""",
    "A_SupplierPurchasingOrg": """Supplier:10 PurchasingOrganization:4 IncotermsClassification:3
        IncotermsLocation1:70 PaymentTerms:4 PurchaseOrderCurrency:5 ?PurchasingIsBlockedForSupplier
        ?DeletionIndicator""",
}


@dataclass(frozen=True)
class Property:
    name: str
    type: str
    length: int
    writable: bool


def _read(word: str) -> Property:
    marks = word[: len(word) - len(word.lstrip("-?@"))]
    name, _, length = word.lstrip("-?@").partition(":")
    kind = "Edm.Boolean" if "?" in marks else "Edm.DateTime" if "@" in marks else "Edm.String"
    return Property(name, kind, int(length or 0), "-" not in marks)


PROPERTIES: dict[str, dict[str, Property]] = {
    name: {item.name: item for item in map(_read, declared.split())} for name, declared in _DECLARED.items()
}


def metadata() -> str:
    """The service's `$metadata` in the shape SAP Gateway gives it (EDMX 1.0, sap: annotations)."""
    types = "".join(_entity_type(name) for name in SETS)
    sets = "".join(
        f'<EntitySet Name="{name}" EntityType="API_BUSINESS_PARTNER.{name}Type" sap:deletable="false"'
        + (' sap:creatable="false"' if name == "A_Supplier" else "")
        + "/>"
        for name in SETS
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"'
        ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
        ' xmlns:sap="http://www.sap.com/Protocols/SAPData">'
        '<edmx:DataServices m:DataServiceVersion="2.0">'
        '<Schema Namespace="API_BUSINESS_PARTNER" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">'
        f"{types}"
        f'<EntityContainer Name="API_BUSINESS_PARTNER_Entities" m:IsDefaultEntityContainer="true">{sets}'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def _entity_type(name: str) -> str:
    keys = "".join(f'<PropertyRef Name="{key}"/>' for key in SETS[name].all_keys)
    properties = "".join(
        f"<Property Name={quoteattr(item.name)} Type={quoteattr(item.type)}"
        + (f' MaxLength="{item.length}"' if item.length else "")
        + ("" if item.writable else ' sap:creatable="false" sap:updatable="false"')
        + "/>"
        for item in PROPERTIES[name].values()
    )
    return f'<EntityType Name="{name}Type"><Key>{keys}</Key>{properties}</EntityType>'
