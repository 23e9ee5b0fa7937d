"""Owns how the sandbox comes to hold the ERP extract: one row, one business partner and all below it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sync.connectors.s4hana.entities import ROLES
from sync.connectors.s4hana.schema import PROPERTIES

Fields = dict[str, Any]


def read_extract(file: Path) -> Iterator[tuple[str, Fields]]:
    """(key, raw fields); rows without a key or a name are skipped, a later row of one key wins."""
    csv.field_size_limit(16 * 1024 * 1024)
    with file.open(encoding="utf-8-sig", newline="", errors="replace") as handle:
        for row in csv.DictReader(handle, delimiter=";"):
            cells = {
                name: (value or "").strip()
                for name, value in row.items()
                if isinstance(name, str) and not isinstance(value, list)
            }
            key = cells.get("Supplier", "").zfill(10)[:10] if cells.get("Supplier") else ""
            if key and cells.get("Name 1"):
                yield key, _fields(key, cells)


def _fields(key: str, cells: Mapping[str, str]) -> Fields:
    fields: Fields = {}
    name = " ".join(part for part in (cells.get("Name 1"), cells.get("Name 2")) if part)
    _put(
        fields,
        "A_BusinessPartner",
        None,
        BusinessPartner=key,
        Supplier=key,
        BusinessPartnerCategory="2",
        BusinessPartnerGrouping=cells.get("Account Group"),
        OrganizationBPName1=cells.get("Name 1"),
        OrganizationBPName2=cells.get("Name 2"),
        BusinessPartnerFullName=name,
        BusinessPartnerName=name,
        SearchTerm1=cells.get("Search Term"),
        SearchTerm2=cells.get("Search Term 2"),
        BusinessPartnerIsBlocked=False,
        CreationDate="2020-01-01",
        CreatedByUser="MIGRATION",
    )
    for role in ROLES:
        _put(fields, "A_BusinessPartnerRole", role, BusinessPartnerRole=role, ValidTo="9999-12-31")
    _put_address(fields, key, cells)
    if cells.get("VAT Registration No."):
        kind = f"{cells.get('Country', '')}0"
        _put(
            fields,
            "A_BusinessPartnerTaxNumber",
            kind,
            BPTaxType=kind,
            BPTaxNumber=cells["VAT Registration No."],
        )
    if cells.get("DUNS"):
        _put(
            fields,
            "A_BuPaIdentification",
            f"BUP001-{cells['DUNS']}",
            BPIdentificationType="BUP001",
            BPIdentificationNumber=cells["DUNS"],
        )
    if cells.get("IBAN") or cells.get("Bank Account"):
        _put_bank(fields, cells)
    _put_supplier(fields, key, name, cells)
    return fields


def _put_address(fields: Fields, key: str, cells: Mapping[str, str]) -> None:
    address = f"9{key[1:]}"
    _put(
        fields,
        "A_BusinessPartnerAddress",
        address,
        AddressID=address,
        StreetName=cells.get("Street"),
        HouseNumber=cells.get("House Number"),
        PostalCode=cells.get("Postal Code"),
        CityName=cells.get("City"),
        Region=cells.get("Region"),
        Country=cells.get("Country"),
    )
    shared = {"AddressID": address, "OrdinalNumber": "1"}
    row = f"{address}-1"
    if cells.get("E-Mail"):
        values = {"EmailAddress": cells["E-Mail"], "IsDefaultEmailAddress": True, **shared}
        _put(fields, "A_AddressEmailAddress", row, **values)
    if cells.get("Telephone"):
        values = {
            "PhoneNumber": cells["Telephone"],
            "IsDefaultPhoneNumber": True,
            "PhoneNumberType": "1",
            **shared,
        }
        _put(fields, "A_AddressPhoneNumber", row, **values)
    if cells.get("Website"):
        values = {"WebsiteURL": cells["Website"], "IsDefaultURLAddress": True, **shared}
        _put(fields, "A_AddressHomePageURL", row, ValidityStartDate="0001-01-01", **values)


def _put_bank(fields: Fields, cells: Mapping[str, str]) -> None:
    _put(
        fields,
        "A_BusinessPartnerBank",
        "0001",
        BankIdentification="0001",
        BankCountryKey=cells.get("Bank Country"),
        BankNumber=cells.get("Bank Key"),
        BankAccount=cells.get("Bank Account"),
        IBAN=cells.get("IBAN", "").replace(" ", ""),
        SWIFTCode=cells.get("SWIFT"),
        BankAccountHolderName=cells.get("Account Holder"),
        ValidityStartDate=cells.get("Bank Valid From"),
        ValidityEndDate="9999-12-31",
    )


def _put_supplier(fields: Fields, key: str, name: str, cells: Mapping[str, str]) -> None:
    _put(
        fields,
        "A_Supplier",
        None,
        Supplier=key,
        SupplierName=name,
        SupplierFullName=name,
        SupplierAccountGroup=cells.get("Account Group"),
        SupplierCorporateGroup=cells.get("Corporate Group"),
        PostingIsBlocked=False,
        PurchasingIsBlocked=False,
        PaymentIsBlockedForSupplier=False,
    )
    company = cells.get("Company Code", "")
    if not company:
        return
    _put(
        fields,
        "A_SupplierCompany",
        company,
        CompanyCode=company,
        ReconciliationAccount=cells.get("Reconciliation Account"),
        PaymentTerms=cells.get("Payment Terms"),
        SupplierIsBlockedForPosting=cells.get("Posting Block") == "X",
    )
    _put(
        fields,
        "A_SupplierPurchasingOrg",
        company,
        PurchasingOrganization=company,
        PaymentTerms=cells.get("Payment Terms"),
        PurchaseOrderCurrency=cells.get("Currency"),
        PurchasingIsBlockedForSupplier=cells.get("Purchasing Block") == "X",
    )


def _put(fields: Fields, entity_set: str, row: str | None, **values: Any) -> None:
    """Store what has a value, cut to the field's length as a migration would have done."""
    prefix = entity_set if row is None else f"{entity_set}[{row.replace('[', '(').replace(']', ')')}]"
    for leaf, value in values.items():
        if value in (None, ""):
            continue
        length = PROPERTIES[entity_set][leaf].length
        fields[f"{prefix}.{leaf}"] = value[:length] if length and isinstance(value, str) else value
