"""Owns searching as Tryton does: domains over nested records, and the fields that `read` and `search_read` give.

A record is nested: a relation to one record is a dict (or None), a relation to many a list of dicts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]


def matches(record: Record, domain: Sequence[Any]) -> bool:
    """`[["id", ">", 3], ["OR", [...], [...]], ["rows", "where", [...]]]`; KeyError for a field nobody has."""
    if domain and domain[0] in ("OR", "AND"):
        found = (matches(record, part) for part in domain[1:])
        return any(found) if domain[0] == "OR" else all(found)
    if len(domain) == 3 and isinstance(domain[0], str):
        return _clause(record, *domain)
    return all(matches(record, part) for part in domain)


def named(domain: Sequence[Any], paths: Collection[str]) -> list[tuple[str, Any]] | None:
    """(path, value) of which every match has at least one, so that not all records need be looked at; None when the
    domain names nothing of these paths."""
    if len(domain) == 3 and isinstance(domain[0], str) and domain[0] not in ("OR", "AND"):
        path, operator, value = domain
        wanted = value if operator == "in" else [value]
        if path not in paths or operator not in ("=", "in") or not all(isinstance(one, str | int) for one in wanted):
            return None
        return [(path, one) for one in wanted]
    parts = [named(part, paths) for part in domain if part not in ("OR", "AND")]
    if domain and domain[0] == "OR":
        return None if None in parts else [pair for part in parts for pair in part or ()]
    return next((part for part in parts if part is not None), None)


def project(record: Record, fields: Iterable[str]) -> dict[str, Any]:
    """`country.code` becomes `"country.": {"id": …, "code": …}`; a relation asked for plainly is its id, or ids."""
    found: dict[str, Any] = {"id": record["id"]}
    below: dict[str, list[str]] = {}
    for name in fields:
        first, _, rest = name.partition(".")
        if rest:
            below.setdefault(first, []).append(rest)
        else:
            found[first] = _plain(record[first])
    for name, wanted in below.items():
        held = record[name]
        many = isinstance(held, list)
        found[f"{name}."] = (
            [project(item, wanted) for item in held] if many else (project(held, wanted) if held else None)
        )
    return found


def _clause(record: Record, path: str, operator: str, value: Any) -> bool:
    first, _, rest = path.partition(".")
    held = record[first]
    if operator == "where":
        return any(matches(item, value) for item in held)
    if rest:
        items = held if isinstance(held, list) else [held] if held else []
        return any(_clause(item, rest, operator, value) for item in items)
    return _compare(_comparable(_plain(held)), operator, _comparable(value))


def _compare(held: Any, operator: str, value: Any) -> bool:
    if operator in ("=", "!="):
        return bool(held == value) == (operator == "=")
    if operator in ("in", "not in"):
        return (held in value) == (operator == "in")
    if operator == "like":  # only as a beginning: `MDM:%`
        return str(held or "").startswith(str(value).removesuffix("%"))
    if held is None:
        return False
    return {">": held > value, ">=": held >= value, "<": held < value, "<=": held <= value}[operator]


def _comparable(value: Any) -> Any:
    """A moment, `{"__class__": "datetime", …}`, as its parts from the year down."""
    if isinstance(value, Mapping) and value.get("__class__") == "datetime":
        return [value[name] for name in ("year", "month", "day", "hour", "minute", "second", "microsecond")]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) and "__class__" not in value:
        return value["id"]
    if isinstance(value, list):
        return [item["id"] if isinstance(item, Mapping) else item for item in value]
    return value
