"""Owns which entity sets of API_BUSINESS_PARTNER hold a supplier: their keys and how they hang together.

Source: API_BUSINESS_PARTNER.edmx as published in SAP-samples/cloud-cap-risk-management (c32ad05).
"""

from __future__ import annotations

from dataclasses import dataclass

SERVICE = "/sap/opu/odata/sap/API_BUSINESS_PARTNER"
TOKEN_PATH = "/sap/bc/sec/oauth2/token"
HEAD = "A_BusinessPartner"
ADDRESS = "A_BusinessPartnerAddress"
SUPPLIER = "A_Supplier"
REFERENCE = "BusinessPartnerIDByExtSystem"
ROLES = ("FLVN00", "FLVN01")  # supplier in financial accounting, supplier in purchasing


@dataclass(frozen=True)
class EntitySet:
    """`keys` without the parent's; `inherited` the parent's; `nav` the way from the parent."""

    name: str
    nav: str = ""
    parent: str = ""
    inherited: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    single: bool = False  # the hub maps one of them: the standard address, its default e-mail …
    to_one: bool = False

    @property
    def all_keys(self) -> tuple[str, ...]:
        return self.inherited + self.keys


SETS: dict[str, EntitySet] = {
    item.name: item
    for item in (
        EntitySet(HEAD, keys=("BusinessPartner",)),
        EntitySet(ADDRESS, "to_BusinessPartnerAddress", HEAD, ("BusinessPartner",), ("AddressID",), single=True),
        EntitySet(
            "A_AddressEmailAddress",
            "to_EmailAddress",
            ADDRESS,
            ("AddressID",),
            ("Person", "OrdinalNumber"),
            single=True,
        ),
        EntitySet(
            "A_AddressPhoneNumber",
            "to_PhoneNumber",
            ADDRESS,
            ("AddressID",),
            ("Person", "OrdinalNumber"),
            single=True,
        ),
        EntitySet(
            "A_AddressHomePageURL",
            "to_URLAddress",
            ADDRESS,
            ("AddressID",),
            ("Person", "OrdinalNumber", "ValidityStartDate", "IsDefaultURLAddress"),
            single=True,
        ),
        EntitySet(
            "A_BusinessPartnerBank",
            "to_BusinessPartnerBank",
            HEAD,
            ("BusinessPartner",),
            ("BankIdentification",),
        ),
        EntitySet("A_BusinessPartnerTaxNumber", "to_BusinessPartnerTax", HEAD, ("BusinessPartner",), ("BPTaxType",)),
        EntitySet(
            "A_BuPaIdentification",
            "to_BuPaIdentification",
            HEAD,
            ("BusinessPartner",),
            ("BPIdentificationType", "BPIdentificationNumber"),
        ),
        EntitySet(
            "A_BusinessPartnerRole",
            "to_BusinessPartnerRole",
            HEAD,
            ("BusinessPartner",),
            ("BusinessPartnerRole",),
        ),
        EntitySet(SUPPLIER, "to_Supplier", HEAD, (), ("Supplier",), single=True, to_one=True),
        EntitySet("A_SupplierCompany", "to_SupplierCompany", SUPPLIER, ("Supplier",), ("CompanyCode",)),
        EntitySet(
            "A_SupplierPurchasingOrg",
            "to_SupplierPurchasingOrg",
            SUPPLIER,
            ("Supplier",),
            ("PurchasingOrganization",),
        ),
    )
}


def nav_path(name: str) -> str:
    """From the business partner: `to_Supplier/to_SupplierCompany`."""
    entity = SETS[name]
    above = nav_path(entity.parent) if entity.parent and entity.parent != HEAD else ""
    return f"{above}/{entity.nav}" if above else entity.nav
