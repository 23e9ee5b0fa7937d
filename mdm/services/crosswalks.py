"""Local keys: which key of which system is which golden record. One key leads to one record, a record has many keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from mdm.errors import NotNow
from mdm.models import Crosswalk, System


@transaction.atomic
def link(
    *, system: System, type: str, key: str, uid: str | UUID, primary: bool | None = None, move: bool = False
) -> Crosswalk:
    """Say that `key` is this record. The first key of a record at a system is its primary one, unless told.

    A key that already leads elsewhere is refused unless `move` (merges and stewards move keys, pushes never do).
    """
    row = Crosswalk.objects.select_for_update().filter(system=system, type=type, key=key).first()
    if row and str(row.uid) == str(uid) and row.active and primary is None:
        return row
    if row and str(row.uid) != str(uid) and row.active and not move:
        raise NotNow(f"The key {key} of {system.title} already belongs to another record.")
    others = Crosswalk.objects.select_for_update().filter(system=system, uid=uid, active=True, primary=True)
    if row:
        others = others.exclude(pk=row.pk)
    if primary:
        others.update(primary=False)
    values: dict[str, Any] = {
        "uid": uid,
        "active": True,
        "primary": primary if primary is not None else not others.exists(),
    }
    if row is None:
        return Crosswalk.objects.create(system=system, type=type, key=key, since=timezone.now(), **values)
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row
