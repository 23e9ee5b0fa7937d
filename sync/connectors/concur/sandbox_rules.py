"""Owns what the sandbox of Concur knows about vendors and their banks: fields, filters, and what it refuses.

After SAP-docs/preview.developer.concur.com, invoice/v3.1.vendor (Schema). It has neither codes nor words
of refusals; those here are the sandbox's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CUSTOM = tuple(f"Custom{number}" for number in range(1, 21))
FIELDS = (
    "AccountNumber",
    "Address1",
    "Address2",
    "Address3",
    "AddressCode",
    "AddressImportSyncID",
    "Approved",
    "City",
    "ContactEmail",
    "ContactFirstName",
    "ContactLastName",
    "ContactPhoneNumber",
    "Country",
    "CountryCode",
    "CurrencyCode",
    *CUSTOM,
    "DefaultEmployeeID",
    "DefaultExpenseTypeName",
    "DiscountPercentage",
    "DiscountTermsDays",
    "PaymentMethodType",
    "PaymentTerms",
    "PostalCode",
    "ProvincialTaxID",
    "PurchaseOrderContactEmail",
    "ShippingMethod",
    "ShippingTerms",
    "State",
    "TaxID",
    "TaxType",
    "VendorCode",
    "VendorFormName",
    "VendorName",
    "VoucherNotes",
)
FILTERS = {
    "vendorCode": "VendorCode",
    "vendorName": "VendorName",
    "taxID": "TaxID",
    "buyerAccountNumber": "AccountNumber",
    "paymentMethodType": "PaymentMethodType",
    "addressCode": "AddressCode",
    "address1": "Address1",
    "address2": "Address2",
    "address3": "Address3",
    "city": "City",
    "state": "State",
    "postalCode": "PostalCode",
    "approved": "Approved",
    "country": "Country",
    **{name.lower(): name for name in CUSTOM},
}
BANK_FIELDS = (
    "AccountNumber",
    "AccountType",
    "BankCode",
    "BankName",
    "BranchCode",
    "BranchLocation",
    "CountryCode",
    "CurrencyAlphaCode",
    "IsActive",
    "NameOnAccount",
    "RoutingNumber",
    "TransType",
)
PAYMENT_METHODS = ("ACH", "CARD", "CHECK", "CLIENT", "PAYPVD", "VCHER", "WIRE")
NEEDS_STATE = {"UA"}  # a country with embargoed regions, where the page says that State is required


def accept(record: Mapping[str, Any]) -> dict[str, Any]:
    """The documented fields of one record; `Approved` in the one spelling that is kept."""
    found = {name: record[name] for name in FIELDS if name in record and record[name] is not None}
    if "Approved" in found:
        found["Approved"] = yes_or_no(found["Approved"])
    return found


def yes_or_no(value: Any) -> str:
    return "Y" if str(value).strip().lower() in {"y", "yes", "true", "1"} else "N"


def complaints(vendor: Mapping[str, Any]) -> list[str]:
    """What is wrong with one vendor as it would be stored."""
    found = [
        f"{name} is required."
        for name in ("VendorCode", "AddressCode", "CountryCode", "CurrencyCode")
        if not str(vendor.get(name) or "").strip()
    ]
    for name, length in (("CountryCode", 2), ("CurrencyCode", 3)):
        value = str(vendor.get(name) or "")
        if value and not (len(value) == length and value.isalpha() and value.isupper()):
            found.append(f"{name} '{value}' is not valid.")
    terms = vendor.get("PaymentTerms")
    if terms not in (None, "") and not (_is_integer(terms) and 1 <= int(terms) <= 999):
        found.append(f"PaymentTerms '{terms}' must be an integer between 1 and 999.")
    if vendor.get("PaymentMethodType") and vendor["PaymentMethodType"] not in PAYMENT_METHODS:
        found.append(f"PaymentMethodType '{vendor['PaymentMethodType']}' is not valid.")
    if vendor.get("CountryCode") in NEEDS_STATE and not vendor.get("State"):
        found.append("State is required for this country.")
    return found


def bank_complaints(bank: Mapping[str, Any]) -> list[str]:
    needed = ("VendorCode", "AddressCode", "AccountNumber", "AccountType", "IsActive", "NameOnAccount")
    found = [f"{name} is required." for name in needed if not str(bank.get(name) or "").strip()]
    if bank.get("AccountType") and bank["AccountType"] not in ("CHCK", "SAVE"):
        found.append(f"AccountType '{bank['AccountType']}' is not valid.")
    return found


def statuses(messages: list[str], record_number: int, *, good: str = "") -> list[dict[str, Any]]:
    """The StatusList of one record: one success, or every complaint."""
    if not messages:
        return [{"Code": 200, "Message": good, "RecordNumber": record_number, "Type": "SUCCESS"}]
    return [{"Code": 400, "Message": message, "RecordNumber": record_number, "Type": "ERROR"} for message in messages]


def _is_integer(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or str(value).isdigit())
