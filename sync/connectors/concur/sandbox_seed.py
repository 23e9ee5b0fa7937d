"""Owns reading a Concur extract (NDJSON) into the raw vendors a sandbox starts out with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sync import flat
from sync.connectors.concur.shape import BANKS


def read_extract(file: Path) -> Iterator[dict[str, Any]]:
    """Lines that could be vendors: with both codes, each pair once, as in Concur."""
    seen: set[tuple[str, str]] = set()
    with file.open(encoding="utf-8-sig") as lines:
        for line in lines:
            vendor = _parsed(line)
            codes = (str(vendor.get("VendorCode") or ""), str(vendor.get("AddressCode") or ""))
            if not all(codes) or codes in seen:
                continue
            seen.add(codes)
            yield vendor


def bank_of(vendor: dict[str, Any], id: int) -> dict[str, Any]:
    """The one account of an extract's line as a row of VendorBankList."""
    bank = vendor.pop("BankAccount", None)
    if not isinstance(bank, dict) or not bank.get("AccountNumber"):
        return {}
    row = {
        "ID": str(id),
        **bank,
        "AccountType": "CHCK",
        "CountryCode": vendor.get("CountryCode"),
        "CurrencyAlphaCode": vendor.get("CurrencyCode"),
        "IsActive": "Y",
    }
    return flat.from_rows(BANKS, {str(id): row})


def _parsed(line: str) -> dict[str, Any]:
    try:
        vendor = json.loads(line)
    except ValueError:
        return {}
    return vendor if isinstance(vendor, dict) else {}
