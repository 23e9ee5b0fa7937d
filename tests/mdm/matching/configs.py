"""Configurations of the matching tests: suppliers are legal entities; of sites the place is the identity."""

from hashlib import blake2b
from typing import Any

from mdm.matching.config import SHARED_BANK, TAX_ID_CONFLICT, AddressFields, IdentifierFields, MatchConfig


def supplier_config(**changes: Any) -> MatchConfig:
    """The generic description of a supplier document."""
    fields: dict[str, Any] = {
        "record_type": "supplier",
        "name": "legal_name",
        "aliases": ("trade_names[]",),
        "country": "country",
        "legal_form": "legal_form",
        "addresses": AddressFields("addresses[]"),
        "tax_ids": IdentifierFields("tax_registrations[]", value="number"),
        "identifiers": IdentifierFields("identifiers[]"),
        "banks": ("bank_accounts[].iban", "bank_accounts[].account_number"),
        "phones": ("contacts[].phone",),
        "emails": ("contacts[].email",),
        "websites": ("website",),
    }
    return MatchConfig(**{**fields, **changes})


def site_config() -> MatchConfig:
    rules = frozenset({TAX_ID_CONFLICT, SHARED_BANK})
    return supplier_config(record_type="site", kind="place", rules=rules)


def blind_index(number: str) -> str:
    """Stands in for the hub's keyed blind index."""
    return blake2b(number.encode(), key=b"test", digest_size=16).hexdigest()
