"""Owns New Platform's two forms of a supplier: JSON on the wire, flat names in the mapping and the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync import flat

BANKS = "bank_accounts"
REFERENCE = "external_id"  # where the platform keeps our reference


def flatten(held: Mapping[str, Any]) -> dict[str, Any]:
    """`{"bank_accounts": [{"iban": …}]}` -> `{"bank_accounts[0].iban": …}`."""
    found = {name: value for name, value in held.items() if name != BANKS}
    rows = {str(place): row for place, row in enumerate(held.get(BANKS) or [])}
    return found | flat.from_rows(BANKS, rows)


def nest(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `flatten`."""
    found = flat.head(payload)
    if rows := flat.rows(payload, BANKS):
        found[BANKS] = list(rows.values())
    return found
