"""What the sources say of one record: their records, which of them won each field, and what stewards pinned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone

from mdm.models import Crosswalk, Pin, Provenance, SourceRecord, System
from mdm.registry import RecordType


@dataclass(frozen=True)
class Sources:
    """`fields`: {path: {system, key, rule, since}}; `pins`: those that hold today, by path."""

    fields: dict[str, dict[str, Any]]
    records: list[SourceRecord]
    pins: dict[str, Pin]
    systems: dict[str, System]


def of(kind: RecordType, uid: Any) -> Sources:
    """Four queries, however many sources there are."""
    fields = Provenance.objects.filter(uid=uid).values_list("fields", flat=True).first() or {}
    rows = SourceRecord.objects.filter(golden_uid=uid, type=kind.key, active=True).select_related("system", "job")
    return Sources(
        fields=fields,
        records=list(rows.order_by("system__rank", "key")),
        pins={pin.path: pin for pin in pins_of(uid)},
        systems={system.code: system for system in System.objects.all()},
    )


def pins_of(uid: Any) -> list[Pin]:
    holds = Q(until=None) | Q(until__gte=timezone.localdate())
    return list(Pin.objects.filter(holds, uid=uid).select_related("pinned_by"))


def keys_of(kind: RecordType, uid: Any) -> list[Crosswalk]:
    rows = Crosswalk.objects.filter(type=kind.key, uid=uid).select_related("system")
    return list(rows.order_by("-active", "system__rank", "-primary", "key"))
