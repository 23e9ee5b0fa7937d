"""Who refers to a record: golden records of any type whose fields, or whose rows' fields, name its uid or code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, UUIDField

from mdm import registry
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.selectors.visibility import Entities


@dataclass(frozen=True)
class Reference:
    type: str
    uid: str
    code: str
    name: str
    path: str

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "uid": self.uid, "code": self.code, "name": self.name, "path": self.path}


def to(kind: RecordType, *, uid: UUID, code: str, entities: Entities, limit: int = 100) -> list[Reference]:
    """Records that name this one, merged ones and those of other companies left out; one query per declared reference."""
    found: list[Reference] = []
    for other in registry.all_types():
        for path, key in other.references.items():
            if key == kind.key and len(found) < limit and path not in other.dated:  # asked of every period instead
                found += _by_path(other, path, uid, code, entities, limit - len(found))
    return found


def _by_path(other: RecordType, path: str, uid: UUID, code: str, entities: Entities, limit: int) -> Iterator[Reference]:
    name, _, column = path.partition(".")
    model = other.child(name).model if column else other.model
    field = model._meta.get_field(column or name)
    value: Any = uid if isinstance(field, UUIDField) else code
    rows = visibility.visible(other, other.model._default_manager.exclude(status="merged"), entities)
    if isinstance(field, ArrayField):
        rows = rows.filter(**{f"{name}__contains": [uid]})
    elif column:
        holders = model._default_manager.filter(**{column: value})
        child = other.child(name)
        if entities is not None and child.entity_field:
            holders = holders.filter(visibility.of_rows(child, entities))
        holders = holders.values("record_id")
        rows = rows.filter(pk__in=holders)
    else:
        rows = rows.filter(**{name: value})
    for found_uid, found_code, found_name in rows.order_by("code").values_list("uid", "code", F(other.name_field))[
        :limit
    ]:
        yield Reference(other.key, str(found_uid), found_code, found_name, path)
