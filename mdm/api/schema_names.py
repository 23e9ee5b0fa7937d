"""How shapes are called in the OpenAPI document, and JSON Schema freed from noise."""

from __future__ import annotations

import re
from typing import Any


def without_null(part: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is absent is simply not there: null is no value in a query string."""
    part = dict(part)
    kept = [item for item in part.get("anyOf", []) if item.get("type") != "null"]
    if len(kept) == 1:
        part.pop("anyOf")
        part |= kept[0]
    if part.get("default", ...) is None:
        part.pop("default")
    return part


def _name(name: str) -> str:
    """`Page[TargetBody]` → TargetBodyPage; component names have letters, digits, dots, dashes and underscores only."""
    if match := re.fullmatch(r"(\w+)[\[_](.+?)[\]_]+", name) if "[" in name or name.endswith("_") else None:
        return f"{match[2]}{match[1]}"
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def suffixed(name: str, suffix: str) -> str:
    """What comes in and what goes out may differ under one name: what comes in ends with Input."""
    name = _name(name)
    return name if suffix and name.endswith(suffix) else name + suffix


def tidy(value: Any, suffix: str) -> Any:
    """Titles that only repeat names are noise; references lead to the components as they are named here."""
    if isinstance(value, list):
        return [tidy(item, suffix) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, item in value.items():
        if key == "title" and isinstance(item, str):
            continue
        if key == "$ref":
            item = f"#/components/schemas/{suffixed(item.rsplit('/', 1)[1], suffix)}"
        elif key == "properties":
            found[key] = {name: tidy(part, suffix) for name, part in item.items()}
            continue
        found[key] = tidy(item, suffix)
    return found
