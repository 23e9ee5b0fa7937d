"""Owns a target's own field rules: what a hub says otherwise than `mapping.yaml`, checked by the same parser.

A rule may say anew what a field is made of and how long it may be, or leave the field out. How a field is compared,
sealed and written belongs to the connector, which reads its own file for that; so does which fields there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from sync import flat
from sync.rules import TypeRules, read_type

REPLACED = frozenset({"from", "const", "transform", "length", "forbid", "required", "skip_empty", "when", "note"})
Rules = Mapping[str, Mapping[str, Any] | None]  # field, rows as `[*]`, -> what is said otherwise; None: left out


def apply(declared: Mapping[str, Any], rules: Rules) -> TypeRules:
    """The rules of one type with the target's own on top. ValueError says which cannot be."""
    if not rules:
        return read_type(declared)
    changed = deepcopy(dict(declared))
    left = dict(rules)
    for holder, name in list(_fields(changed)):
        if name in left:
            _replace(holder, name, left.pop(name))
    if left:
        raise ValueError(f"The mapping has no field {', '.join(sorted(left))}.")
    _drop_empty(changed)
    return read_type(changed)


def declared_fields(declared: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every field as the file declares it, with its name, rows as `[*]`."""
    for place, name in _fields(dict(declared)):
        yield place.item, name


class _Place:
    """Where one declared field stands, so that it can be changed or taken out."""

    def __init__(self, items: list[dict[str, Any]], item: dict[str, Any], keys: set[str]) -> None:
        self.items, self.item, self.keys = items, item, keys


def _fields(declared: dict[str, Any]) -> Iterator[tuple[_Place, str]]:
    for item in list(declared.get("fields", [])):
        inner = item.get("fields")
        for field in list(inner) if inner is not None else [item]:
            where = inner if inner is not None else declared["fields"]
            for leaf in _leaves(field):
                yield _Place(where, field, set()), flat.join_name(item.get("part", ""), None, leaf) if inner else leaf
    for rows in declared.get("rows", []):
        keys = {leaf for group in rows.get("match", []) for leaf in (group if isinstance(group, list) else [group])}
        for field in list(rows["fields"]):
            for leaf in _leaves(field):
                yield _Place(rows["fields"], field, keys | {rows.get("until", "")}), f"{rows['part']}[*].{leaf}"


def _leaves(field: Mapping[str, Any]) -> list[str]:
    return list(field.get("into") or [field["field"]])


def _replace(place: _Place, name: str, rule: Mapping[str, Any] | None) -> None:
    field = place.item
    if field.get("derived"):
        raise ValueError(f"{name} is made by the platform: nothing of ours goes there.")
    if field.get("into"):
        raise ValueError(f"{name} is one part of a value cut over several fields; those belong together.")
    if rule is None:
        if field.get("required") or field.get("writable") == "create" or set(_leaves(field)) & place.keys:
            raise ValueError(
                f"{name} cannot be left out: without it the platform or the hub would not find the record."
            )
        place.items.remove(field)
        return
    if unknown := set(rule) - REPLACED:
        raise ValueError(
            f"{name}: {', '.join(sorted(unknown))} cannot be changed here, only {', '.join(sorted(REPLACED))}."
        )
    if "const" in rule or "from" in rule:  # what it was made of goes, and what was done to that
        for key in ("from", "const", "transform"):
            field.pop(key, None)
    if field.get("required") and rule.get("required") is False:
        raise ValueError(f"{name} has to stay required: the platform refuses records without it.")
    field.update(rule)


def _drop_empty(declared: dict[str, Any]) -> None:
    """Groups of which every field was left out."""
    declared["fields"] = [item for item in declared.get("fields", []) if item.get("fields") != []]
    declared["rows"] = [rows for rows in declared.get("rows", []) if rows["fields"]]
