"""Owns reading an extract of Oracle suppliers (CSV) into what a sandbox starts out with: one row, one supplier."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

HEAD = {
    "Supplier Number": "SupplierNumber",
    "Supplier": "Supplier",
    "Alternate Name": "AlternateName",
    "Tax Organization Type": "TaxOrganizationTypeCode",
    "Supplier Type": "SupplierTypeCode",
    "Business Relationship": "BusinessRelationshipCode",
    "Inactive Date": "InactiveDate",
    "D-U-N-S Number": "DUNSNumber",
    "Taxpayer Country": "TaxpayerCountryCode",
    "Taxpayer ID": "TaxpayerId",
    "Web Site": "CorporateWebsite",
}
ADDRESS = {
    "Address Name": "AddressName",
    "Address Line 1": "AddressLine1",
    "Address Line 2": "AddressLine2",
    "City": "City",
    "State": "State",
    "Postal Code": "PostalCode",
    "Country": "CountryCode",
    "E-Mail": "Email",
    "Phone": "PhoneNumber",
}
SITE = {"Procurement BU": "ProcurementBU", "Supplier Site": "SupplierSite", "Payment Terms": "PaymentTerms"}
TAX = {"Tax Regime": "TaxRegimeCode", "Tax Registration Number": "RegistrationNumber"}
BANK = {
    "Bank Country": "CountryCode",
    "Branch Number": "BankBranchNumber",
    "Account Number": "BankAccountNumber",
    "IBAN": "IBAN",
    "Account Name": "BankAccountName",
}
LONG_AGO = "2021-03-01T08:00:00.000+00:00"
WHO = {"CreationDate": LONG_AGO, "LastUpdateDate": LONG_AGO, "CreatedBy": "CONVERSION", "LastUpdatedBy": "CONVERSION"}


def read_extract(
    file: Path, number: Callable[[], int], party: Callable[[], int]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(supplier number, raw fields) of rows with a number and a name, each of them once."""
    numbers: set[str] = set()
    names: set[str] = set()
    with file.open(encoding="utf-8-sig", newline="") as handle:
        for cells in csv.DictReader(handle):
            row = {name: (value or "").strip() for name, value in cells.items() if isinstance(name, str)}
            key, name = row.get("Supplier Number", ""), row.get("Supplier", "")
            if key and name and key not in numbers and name.casefold() not in names:
                numbers.add(key)
                names.add(name.casefold())
                yield key, _fields(row, number, party)


def _fields(row: Mapping[str, str], number: Callable[[], int], party: Callable[[], int]) -> dict[str, Any]:
    fields: dict[str, Any] = {"SupplierId": number(), "SupplierPartyId": number(), "RegistryId": str(party())}
    fields.update({**_taken(row, HEAD), **WHO})
    address = _taken(row, ADDRESS)
    if address:
        id = number()
        address["AddressName"] = address.get("AddressName", "HQ")
        purposes = {"AddressPurposeOrderingFlag": True, "AddressPurposeRemitToFlag": True}
        _put(fields, "addresses", id, {"SupplierAddressId": id, **address, **purposes, **WHO})
    site = _taken(row, SITE)
    if site and address:
        id = number()
        place = {"SupplierAddressId": fields[next(n for n in fields if n.endswith(".SupplierAddressId"))]}
        currencies = dict.fromkeys(("InvoiceCurrencyCode", "PaymentCurrencyCode"), row.get("Currency") or None)
        purposes = {"SitePurposePurchasingFlag": True, "SitePurposePayFlag": True, "HoldAllInvoicesFlag": False}
        leaves = {"SupplierSiteId": id, **site, **place, **currencies, **purposes, **WHO}
        _put(fields, "sites", id, {**leaves, "SupplierAddressName": address["AddressName"]})
    tax = _taken(row, TAX)
    if len(tax) == len(TAX):
        id = number()
        _put(fields, "taxRegistrations", id, {"RegistrationId": id, "PartyTypeCode": "THIRD_PARTY", **tax, **WHO})
    bank = _taken(row, BANK)
    if bank.get("IBAN") or bank.get("BankAccountNumber"):
        _put_bank(fields, {**bank, "CurrencyCode": row.get("Currency") or None}, number)
    return fields


def _put_bank(fields: dict[str, Any], bank: Mapping[str, Any], number: Callable[[], int]) -> None:
    payee, account, assignment = number(), number(), number()
    function = {"PaymentFunctionCode": "PAYABLES_DISB", "Intent": "Supplier"}
    _put(fields, "paymentsExternalPayees", payee, {"PayeeId": payee, **function})
    _put(fields, "externalBankAccounts", account, {"BankAccountId": account, "Intent": "Supplier", **bank})
    uses = {"PaymentPartyId": payee, "PaymentInstrumentId": account, "StartDate": "2021-03-01"}
    kind = {"PaymentInstrumentType": "BANKACCOUNT", "PaymentFlow": "DISBURSEMENTS", "Intent": "Supplier"}
    _put(fields, "instrumentAssignments", assignment, {"PaymentInstrumentAssignmentId": assignment, **uses, **kind})


def _put(fields: dict[str, Any], resource: str, id: int, leaves: Mapping[str, Any]) -> None:
    fields.update({f"{resource}[{id}].{leaf}": value for leaf, value in leaves.items() if value is not None})


def _taken(row: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, Any]:
    return {name: row[column] for column, name in columns.items() if row.get(column)}
