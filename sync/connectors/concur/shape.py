"""Owns Concur's two forms of a vendor: JSON on the wire, flat names in the mapping and the store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sync import flat
from sync.redact import mask_number

BANKS = "VendorBankList"
IBANS = "VendorBankList (IBAN)"  # accounts that we can see and cannot write
REFERENCE = "Custom20"
NOT_FIELDS = {"StatusList", "VendorGroupList"}
_IBAN = re.compile(r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$")


def flatten(vendor: Mapping[str, Any]) -> dict[str, Any]:
    """`VendorBankList` becomes rows by the account's id; accounts with an IBAN stand apart."""
    found: dict[str, Any] = {}
    for name, value in vendor.items():
        if name == BANKS:
            for place, bank in enumerate(value or []):
                part = IBANS if is_iban(bank.get("AccountNumber")) else BANKS
                row = str(bank.get("ID") or place)
                leaves = {leaf: held for leaf, held in bank.items() if leaf not in NOT_FIELDS}
                if part == IBANS:  # nobody compares or writes it: it need not travel in full
                    leaves["AccountNumber"] = mask_number(str(bank["AccountNumber"]))
                found.update(flat.from_rows(part, {row: leaves}))
        elif name not in NOT_FIELDS:
            found[name] = value
    return found


def key_of(vendor: Mapping[str, Any]) -> str:
    return f"{vendor.get('VendorCode') or ''}/{vendor.get('AddressCode') or ''}"


def split_key(key: str) -> tuple[str, str]:
    """`V003001/001` -> (V003001, 001); without a slash the address is left open."""
    vendor, _, address = key.partition("/")
    return vendor, address


def is_iban(number: Any) -> bool:
    return bool(_IBAN.match(re.sub(r"[\s-]", "", str(number or "")).upper()))


def is_approved(vendor: Mapping[str, Any]) -> bool:
    """Absent counts as approved: the field need not be on the vendor form."""
    return str(vendor.get("Approved") or "Y").strip().lower() in {"y", "yes", "true", "1"}
