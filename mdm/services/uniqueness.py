"""Owns what no two records of a type may share: codes and the unique constraints of its table, told before the database
refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mdm.errors import CorrectInput
from mdm.registry import RecordType
from mdm.types import Document, Problem

_Claim = tuple[tuple[str, ...], tuple[Any, ...]]


def fields_of(kind: RecordType) -> list[tuple[str, ...]]:
    """Fields whose values, taken together, name one record."""
    return [tuple(constraint.fields) for constraint in kind.model._meta.total_unique_constraints]


def claims(kind: RecordType, before: Document | None, body: Document) -> Iterator[_Claim]:
    """(fields, values) that a record begins to hold."""
    for fields in fields_of(kind):
        values = tuple(body.get(name) for name in fields)
        if before is None or values != tuple(before.get(name) for name in fields):
            yield fields, values


def holders(kind: RecordType, fields: tuple[str, ...], values: tuple[Any, ...], uid: Any) -> str | None:
    """The code of another record that holds these values."""
    rows = kind.model._default_manager.filter(**dict(zip(fields, values, strict=True))).exclude(uid=uid)
    found: str | None = rows.values_list("code", flat=True).first()
    return found


class Together:
    """The records of one request as they are taken in: what they claim is compared with the hub and with one another."""

    def __init__(self) -> None:
        self.codes: set[tuple[str, str]] = set()
        self._claimed: dict[tuple[str, _Claim], tuple[str, str]] = {}

    def check(self, kind: RecordType, uid: Any, code: str, before: Document | None, body: Document) -> None:
        """CorrectInput, at the last of the fields, when another record has the same; asked only of what changes."""
        for fields, values in claims(kind, before, body):
            first, holder = self._claimed.setdefault((kind.key, (fields, values)), (str(uid), code))
            other = holder if first != str(uid) else holders(kind, fields, values, uid)
            if other is not None:
                words = " and ".join(kind.label(name).lower() for name in fields)
                text = f"{other} has the same {words}: change that one, or choose another."
                raise CorrectInput(text, problems=[Problem(fields[-1], "taken", text)])
        if before is None:
            if (kind.key, code) in self.codes:
                text = f"This request makes {code} already."
                raise CorrectInput(text, problems=[Problem("code", "taken", text)])
            self.codes.add((kind.key, code))
