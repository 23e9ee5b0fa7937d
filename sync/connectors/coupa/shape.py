"""Owns Coupa's two forms of a supplier: nested JSON on the wire, flat names in the mapping and the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync import flat

ROWS = {"remit-to-addresses": "remit-to-code"}  # repeated parts and the element that names a row
ASSOCIATIONS = ("payment-term", "shipping-term")  # other objects referred to by code; cleared as a whole
REFERENCE = "mdm-reference"  # our custom field, in the custom-fields namespace


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """`{"payment-term": {"code": "Net 30"}}` -> `{"payment-term.code": "Net 30"}`; rows by their code.

    Inactive remit-to addresses are left out: at Coupa that is what an ended address is.
    """
    found: dict[str, Any] = {}
    for name, value in record.items():
        if name in ROWS:
            for item in value or []:
                if item.get("active") is not False:
                    found.update({f"{name}[{row_name(name, item)}].{leaf}": held for leaf, held in _leaves(item)})
        elif isinstance(value, Mapping):
            found.update({f"{name}.{leaf}": held for leaf, held in _leaves(value)})
        else:
            found[name] = value
    return found


def nest(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `flatten`; an association without a code becomes null."""
    record: dict[str, Any] = {}
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for name, value in payload.items():
        part, row, leaf = flat.split_name(name)
        if row is not None:
            _put(rows.setdefault(part, {}).setdefault(row, {}), leaf, value)
        elif part:
            _put(record.setdefault(part, {}), leaf, value)
        else:
            record[name] = value
    for part in ASSOCIATIONS:
        if part in record and not (record[part] or {}).get("code"):
            record[part] = None
    record.update({part: list(found.values()) for part, found in rows.items()})
    return record


def row_name(part: str, item: Mapping[str, Any]) -> str:
    name = str(item.get(ROWS[part]) or f"id {item.get('id')}")
    return name.replace("[", "(").replace("]", ")")


def key_of(record: Mapping[str, Any]) -> str:
    """The supplier's number; a supplier without one goes by its Coupa id."""
    return str(record.get("number") or f"id:{record['id']}")


def _leaves(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, held in value.items():
        if isinstance(held, Mapping):
            found += _leaves(held, f"{prefix}{name}.")
        else:
            found.append((prefix + name, held))
    return found


def _put(holder: dict[str, Any], leaf: str, value: Any) -> None:
    *outer, last = leaf.split(".")
    for name in outer:
        holder = holder.setdefault(name, {})
    holder[last] = value
