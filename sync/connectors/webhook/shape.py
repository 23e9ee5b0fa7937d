"""Owns the two forms of a document: nested in the body of a webhook, flat in the mapping and in the sandbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sync import flat


def nest(payload: Mapping[str, Any], parts: Iterable[str]) -> dict[str, Any]:
    """`addresses[a1].city` -> `{"addresses": [{"uid": "a1", "city": …}]}`; every part is there, if only as an empty list."""
    document: dict[str, Any] = dict(flat.head(payload))
    for part in parts:
        document[part] = [{"uid": row, **leaves} for row, leaves in flat.rows(payload, part).items()]
    return document


def flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `nest`."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            rows = {str(item["uid"]): {k: v for k, v in item.items() if k != "uid"} for item in value}
            found.update(flat.from_rows(name, rows))
        elif value != []:
            found[name] = value
    return found
