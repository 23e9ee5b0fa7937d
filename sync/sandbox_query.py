"""Owns searching a sandbox's store: conditions on raw fields, an order, an offset and a limit, in one query.

A field is a raw field's name, or `@created` and `@changed` for the times the store keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sync.sandbox_store import Row, Store

_COLUMNS = {"@created": "created_at", "@changed": "changed_at"}
_COMPARE = {"eq": "=", "not_eq": "IS NOT", "gt": ">", "gt_or_eq": ">=", "lt": "<", "lt_or_eq": "<="}
_PATTERN = {"contains": "%{}%", "starts_with": "{}%", "ends_with": "%{}"}
OPERATORS = (*_COMPARE, *_PATTERN, "in", "not_in", "blank")


@dataclass(frozen=True)
class Condition:
    field: str
    operator: str
    value: Any


def search(
    store: Store,
    type: str,
    conditions: Sequence[Condition] = (),
    *,
    order_by: Sequence[str] = (),
    descending: bool = False,
    skip: int = 0,
    top: int | None = None,
) -> list[Row]:
    """The records that meet every condition; equal ones in the order of their keys."""
    where, values = _where(type, conditions)
    turn = " DESC" if descending else ""
    order = ", ".join([*(f"{_expression(name)}{turn}" for name in order_by), f"key{turn}"])
    found = store._select(f"{where} ORDER BY {order} LIMIT ? OFFSET ?", (*values, -1 if top is None else top, skip))
    return found


def count(store: Store, type: str, conditions: Sequence[Condition] = ()) -> int:
    where, values = _where(type, conditions)
    with store._lock:
        found = store._db.execute(f"SELECT count(*) FROM record WHERE {where}", values)
        return int(found.fetchone()[0])


def rename(store: Store, type: str, old: str, new: str) -> None:
    """Give a record another key; its times and its etag stay."""
    with store.transaction():
        store._db.execute("UPDATE record SET key = ? WHERE type = ? AND key = ?", (new, type, old))


def remove(store: Store, type: str, key: str) -> None:
    """Delete a record, and log that it is gone."""
    with store.transaction():
        store._db.execute("DELETE FROM record WHERE type = ? AND key = ?", (type, key))
        store._log(type, key, "deleted", {})


def _where(type: str, conditions: Sequence[Condition]) -> tuple[str, tuple[Any, ...]]:
    parts, values = ["type = ?"], [type]
    for condition in conditions:
        text, given = _clause(condition)
        parts.append(text)
        values += given
    return " AND ".join(parts), tuple(values)


def _clause(condition: Condition) -> tuple[str, list[Any]]:
    name, operator, value = _expression(condition.field), condition.operator, condition.value
    if operator in _COMPARE:
        return f"{name} {_COMPARE[operator]} ?", [value]
    if operator in _PATTERN:
        safe = str(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return f"{name} LIKE ? ESCAPE '\\'", [_PATTERN[operator].format(safe)]
    if operator == "blank":
        return f"coalesce({name}, '') {'=' if value else '<>'} ''", []
    marks = ", ".join("?" for _ in value)
    inside = f"{name} IN ({marks})"
    return (inside if operator == "in" else f"({name} IS NULL OR NOT {inside})"), list(value)


def _expression(field: str) -> str:
    if field in _COLUMNS:
        return _COLUMNS[field]
    quoted = field.replace('"', "").replace("'", "")
    return f"json_extract(fields, '$.\"{quoted}\"')"
