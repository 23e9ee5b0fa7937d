"""Owns the two forms of a record: entities as OData delivers them, and flat names in the mapping."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Iterable, Mapping
from typing import Any

from sync import flat
from sync.normalise import is_empty

VENDORS, COMPANY, BANKS = "VendorsV3", "Company", "VendorBankAccounts"
VENDOR_KEY = ("dataAreaId", "VendorAccountNumber")
BANK_KEY = (*VENDOR_KEY, "VendorBankAccountId")
HOLD, ALL = "OnHoldStatus", "All"
OURS = "MDM-"  # how vendor accounts begin that are made from our reference
NO_DATE = "1900-01-01T12:00:00Z"  # Finance has no null: this is its empty date
_NO_DATES = ("1900-01-01", "2154-12-31")  # nothing, and the end of time
_DATES = frozenset({"ActiveDate", "ExpirationDate", "ActiveFrom", "ActiveTo"})
_NUMBERS = frozenset({"NumberOfDays"})

Entity = Mapping[str, Any]


def vendor_fields(vendor: Entity, company_leaves: Iterable[str]) -> dict[str, Any]:
    """One vendor, flat: what stands in its company only becomes the one row of `Company`."""
    held = entity_fields(vendor)
    if held.get(HOLD) == "Never":  # it holds nothing: only the automatic hold of unused vendors passes it by
        held[HOLD] = "No"
    own = set(company_leaves)
    row = {company_of(vendor): {leaf: value for leaf, value in held.items() if leaf in own}}
    rest = {flat.join_name(VENDORS, None, leaf): value for leaf, value in held.items() if leaf not in own}
    return {**rest, **flat.from_rows(COMPANY, row)}


def entity_fields(entity: Entity) -> dict[str, Any]:
    """What an entity holds, without annotations and without what means nothing."""
    return {
        leaf: value
        for leaf, value in entity.items()
        if "@" not in leaf and not is_empty(value) and not str(value).startswith(_NO_DATES)
    }


def sendable(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Values as Finance takes them: it knows no null for texts and dates, and days are times at noon."""
    return {leaf: _sendable(leaf, value) for leaf, value in leaves.items()}


def _sendable(leaf: str, value: Any) -> Any:
    if leaf in _DATES:
        return NO_DATE if is_empty(value) else f"{str(value)[:10]}T12:00:00Z"
    if is_empty(value):
        return 0 if leaf in _NUMBERS else ""
    return value


def company_of(entity: Entity) -> str:
    return str(entity.get("dataAreaId") or "").lower()


def key_of(vendor: Entity) -> str:
    """`usmf/V-000123`: the company and the account number in it."""
    return f"{company_of(vendor)}/{vendor.get('VendorAccountNumber') or ''}"


def split_key(key: str) -> tuple[str, str]:
    """`usmf/V-000123` -> (usmf, V-000123); both empty when it is no such key."""
    company, slash, number = key.partition("/")
    return (company.lower(), number) if slash and company and number else ("", "")


def account_of(reference: str) -> str:
    """A vendor account of 20 characters made from our reference: nobody else can have it."""
    if not reference:
        return ""
    return OURS + b32encode(hashlib.sha256(reference.encode()).digest()).decode()[:16]


def row_name(id: Any) -> str:
    return str(id).replace("[", "(").replace("]", ")")
