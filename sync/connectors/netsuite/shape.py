"""Owns NetSuite's two forms of a record: nested JSON on the wire, flat names in the mapping and the store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync import flat
from sync.normalise import is_empty

REFERENCE = "MDM-"  # how our external ids begin
SUBLISTS = ("addressBook", "taxRegistration")
# Part of what is read, never of what is sent.
_MADE = {"links", "refName", "addrText", "addressBookAddress_text", "lastModifiedDate"}
MULTI = "subsidiary.items"  # several references at once: flat as their ids, `2,4`
_NUMBERS = {"discountPercent", "daysUntilNetDue", "daysUntilExpiry"}


@dataclass(frozen=True)
class Kind:
    """What one of our types is over there. `natural` is unique; `shared` may be, of one of a group."""

    record: str
    natural: str
    shared: str = ""
    defaults: Mapping[str, Any] | None = None  # what an absent field means


KINDS = {
    "supplier": Kind("vendor", "entityId", shared="taxIdNum"),
    "payment_term": Kind("term", "name", defaults={"discountPercent": 0, "daysUntilExpiry": 0}),
    "legal_entity": Kind("subsidiary", "name"),
    "cost_center": Kind("department", "name"),
    "profit_center": Kind("classification", "name"),
    "gl_account": Kind("account", "acctNumber"),
}


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """`{"terms": {"id": "2"}}` -> `{"terms.id": "2"}`; lines of a sublist by their id; nothing that is empty."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if name in SUBLISTS:
            for line in lines_of(record, name):
                found.update({f"{name}[{line_id(line)}].{leaf}": held for leaf, held in _leaves(line)})
        elif isinstance(value, Mapping):
            found.update({f"{name}.{leaf}": held for leaf, held in _leaves(value)})
        elif name not in _MADE and not is_empty(value):
            found[name] = value
    return found


def nest(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `flatten`; a reference without an id becomes null."""
    record: dict[str, Any] = {}
    lines: dict[str, dict[str, dict[str, Any]]] = {}
    for name, value in payload.items():
        part, row, leaf = flat.split_name(name)
        if row is not None:
            _put(lines.setdefault(part, {}).setdefault(row, {}), leaf, value)
        else:
            _put(record, name, _sent(name, value))
    return {
        **_nulled(record),
        **{part: {"items": [_nulled(line) for line in found.values()]} for part, found in lines.items()},
    }


def lines_of(record: Mapping[str, Any], sublist: str) -> list[dict[str, Any]]:
    held = record.get(sublist)
    found = held.get("items") if isinstance(held, Mapping) else None
    return [line for line in found or [] if isinstance(line, dict)]


def line_id(line: Mapping[str, Any]) -> str:
    return str(line.get("id") or line.get("internalId") or "")


def sendable(value: Any) -> Any:
    """A line as it was read, without what NetSuite makes itself."""
    if isinstance(value, Mapping):
        return {name: sendable(held) for name, held in value.items() if name not in _MADE}
    return value


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid on `below`, subrecords field by field."""
    found = dict(below)
    for name, value in above.items():
        held = found.get(name)
        both = isinstance(value, Mapping) and isinstance(held, Mapping) and "id" not in value
        found[name] = overlay(held, value) if both and isinstance(held, Mapping) else value
    return found


def top_of(name: str) -> str:
    """The property of the record a flat name belongs to: `terms.id` -> terms, `addressBook[5].label` -> addressBook."""
    return re.split(r"[.\[]", name, maxsplit=1)[0]


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, held in value.items():
        if name in _MADE:
            continue
        if isinstance(held, Mapping):
            yield from _leaves(held, f"{prefix}{name}.")
        elif isinstance(held, list) and name == "items":
            yield prefix + name, ",".join(sorted(str(one.get("id")) for one in held if isinstance(one, Mapping)))
        elif not is_empty(held) and not isinstance(held, list):
            yield prefix + name, held


def _put(holder: dict[str, Any], leaf: str, value: Any) -> None:
    *outer, last = leaf.split(".")
    for name in outer:
        holder = holder.setdefault(name, {})
    holder[last] = value


def _nulled(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return None if value == {"id": None} else {name: _nulled(held) for name, held in value.items()}


def _sent(name: str, value: Any) -> Any:
    if name == MULTI:
        return [{"id": id} for id in str(value or "").split(",") if id]
    return _number(value) if name in _NUMBERS else value


def _number(value: Any) -> Any:
    return value if value is None else float(value) if float(value) % 1 else int(float(value))
