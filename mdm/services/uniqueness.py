"""Owns what no two records of a type may share: the unique constraints of its table, told before the database refuses."""

from __future__ import annotations

from typing import Any

from mdm.errors import CorrectInput
from mdm.registry import RecordType
from mdm.types import Document, Problem


def together(kind: RecordType) -> list[tuple[str, ...]]:
    """Fields whose values, taken together, name one record."""
    return [tuple(constraint.fields) for constraint in kind.model._meta.total_unique_constraints]


def check(kind: RecordType, uid: Any, before: Document | None, body: Document) -> None:
    """CorrectInput, at the last of the fields, when another record has the same; nothing is asked unless they change."""
    for fields in together(kind):
        values = {name: body.get(name) for name in fields}
        if before is not None and all(before.get(name) == value for name, value in values.items()):
            continue
        other = kind.model._default_manager.filter(**values).exclude(uid=uid).values_list("code", flat=True).first()
        if other is not None:
            raise CorrectInput(problem(kind, fields, other).message, problems=[problem(kind, fields, other)])


def problem(kind: RecordType, fields: tuple[str, ...], other: str) -> Problem:
    words = " and ".join(kind.label(name).lower() for name in fields)
    return Problem(fields[-1], "taken", f"{other} has the same {words}: change that one, or choose another.")
