"""The written form of a column mapping, as it is kept per system: its shape, and simple questions about it.

`{key: COLUMN or [COLUMN, …], const: {path: value}, columns: {COLUMN: path}, values: {path: {theirs: ours}}}`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm.reading.paths import BadPath, parse
from mdm.registry import RecordType
from mdm.types import Problem

Spec = Mapping[str, Any]
_SETTINGS = ("key", "const", "columns", "values")


def key_columns(spec: Spec) -> tuple[str, ...]:
    key = spec.get("key")
    return () if not key else (key,) if isinstance(key, str) else tuple(key)


def paths_by_column(spec: Spec) -> dict[str, str]:
    """column → path; the columns of the key read `key`."""
    return {**dict.fromkeys(key_columns(spec), "key"), **spec.get("columns", {})}


def secret_columns(spec: Spec, kind: RecordType) -> set[str]:
    """Columns that hold what is sealed in the document: they are shown masked, also in rows put aside."""
    found = set()
    sealed = {child.name: child.sealed for child in kind.children}
    for column, text in spec.get("columns", {}).items():
        try:
            path = parse(text, kind)
        except BadPath:
            continue
        if path.field in sealed.get(path.child, ()):
            found.add(column)
    return found


def check_shape(spec: Spec) -> list[Problem]:
    """What is wrong with the spec before any path is looked at."""
    problems = [
        Problem(name, "unknown_setting", f"“{name}” is not part of a mapping: key, const, columns, values are.")
        for name in spec
        if name not in _SETTINGS
    ]
    key = spec.get("key")
    parts = [key] if isinstance(key, str) else key
    if not isinstance(parts, list | tuple) or not parts or not all(isinstance(part, str) and part for part in parts):
        problems.append(Problem("key", "missing", "Name the column, or columns, that hold the key of a row."))
    tables = [name for name in _SETTINGS[1:] if not isinstance(spec.get(name, {}), Mapping)]
    problems += [Problem(name, "wrong_type", f"“{name}” has to be a table of names and values.") for name in tables]
    if problems:
        return problems
    for column, text in spec.get("columns", {}).items():
        if not text or not isinstance(text, str):
            problems.append(Problem(f"columns.{column}", "wrong_type", f"Give “{column}” one path, or leave it out."))
    for text, table in spec.get("values", {}).items():
        if not isinstance(table, Mapping):
            problems.append(Problem(f"values.{text}", "wrong_type", "Give a table: their value to ours."))
    return problems
