"""Owns the filters of subscriptions: whether a canonical document is for a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm.types import Document


def matches(document: Document, conditions: Mapping[str, Any]) -> bool:
    """Every condition holds: `{"country": ["DE", "FR"], "extensions.legal_entity": "NH10"}`; one child is enough."""
    return all(_holds(document, path, wanted) for path, wanted in conditions.items())


def _holds(document: Document, path: str, wanted: Any) -> bool:
    accepted = set(wanted) if isinstance(wanted, list) else {wanted}
    return any(value in accepted for value in _values(document, path.split(".")))


def _values(value: Any, names: list[str]) -> list[Any]:
    if isinstance(value, list):
        return [found for item in value for found in _values(item, names)]
    if not names:
        return [] if isinstance(value, dict) else [value]
    return _values(value.get(names[0]), names[1:]) if isinstance(value, dict) else []
