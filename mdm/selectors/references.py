"""Who refers to a record: golden records of any type whose fields, or whose rows' fields, name its uid or code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Q, UUIDField

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


def in_use(kind: RecordType, *, uid: UUID | str, code: str, day: str, limit: int) -> list[Reference]:
    """Living records that name this one on or after a day (ISO); of dated ones only periods that hold then count."""
    found: list[Reference] = []
    for other in registry.all_types():
        for path, key in other.references.items():
            if key == kind.key and len(found) < limit and path not in other.dated:
                after = day if path.startswith(f"{other.periods}.") else ""
                rows = _by_path(other, path, UUID(str(uid)), code, None, limit - len(found), after=after, living=True)
                found += [one for one in rows if one.uid != str(uid)]
    return found


def seen(found: Sequence[Reference], entities: Entities) -> list[Reference]:
    """Those of records of which people of some companies may see something. A query per type."""
    if entities is None:
        return list(found)
    mine: set[str] = set()
    for other in map(registry.get, {one.type for one in found}):
        rows = other.model._default_manager.filter(uid__in={one.uid for one in found if one.type == other.key})
        mine |= {str(uid) for uid in visibility.reachable(other, rows, entities).values_list("uid", flat=True)}
    return [one for one in found if one.uid in mine]


def _by_path(
    other: RecordType,
    path: str,
    uid: UUID,
    code: str,
    entities: Entities,
    limit: int,
    *,
    after: str = "",
    living: bool = False,
) -> Iterator[Reference]:
    """`after`: only rows that hold on this day or later; `living`: retired records left out."""
    name, _, column = path.partition(".")
    model = other.child(name).model if column else other.model
    field = model._meta.get_field(column or name)
    value: Any = uid if isinstance(field, UUIDField) else code
    rows = other.model._default_manager.exclude(status__in=("merged", "retired") if living else ("merged",))
    rows = visibility.visible(other, rows, entities)
    if isinstance(field, ArrayField):
        rows = rows.filter(**{f"{name}__contains": [uid]})
    elif column:
        holders = model._default_manager.filter(**{column: value})
        child = other.child(name)
        if entities is not None and child.entity_field:
            holders = holders.filter(visibility.of_rows(child, entities))
        if after:
            holders = holders.filter(Q(valid_to=None) | Q(valid_to__gt=after))
        rows = rows.filter(pk__in=holders.values("record_id"))
    else:
        rows = rows.filter(**{name: value})
    for found_uid, found_code, found_name in rows.order_by("code").values_list("uid", "code", F(other.name_field))[
        :limit
    ]:
        yield Reference(other.key, str(found_uid), found_code, found_name, path)
