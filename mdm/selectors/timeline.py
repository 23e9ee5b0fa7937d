"""A record over time as the hub knew it: its versions with their documents, and how long each value held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.utils import timezone

from mdm.models import RecordVersion
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.selectors.visibility import Entities

MOST = 200  # versions drawn; older ones are reached by the as-of date


@dataclass(frozen=True)
class Held:
    """A value and when the hub held it; `until` is None for what holds now."""

    value: Any
    since: date
    until: date | None


def versions(kind: RecordType, uid: Any, entities: Entities) -> list[RecordVersion]:
    """Newest first, with whole documents; those of which the person may see nothing are left out."""
    rows = RecordVersion.objects.filter(type=kind.key, uid=uid).select_related("change", "actor")
    return list(visibility.known(kind, rows, entities).order_by("-version")[:MOST])


def at_end_of(day: date) -> datetime:
    """The last moment of a day, in the hub's time zone: what was known by then."""
    return timezone.make_aware(datetime.combine(day, time.max))


def version_at(kind: RecordType, uid: Any, known_at: datetime, entities: Entities) -> RecordVersion | None:
    """None when the hub did not know the record then, or when it was of other companies."""
    rows = RecordVersion.objects.filter(type=kind.key, uid=uid, created_at__lte=known_at).select_related("change")
    version = rows.order_by("-version").first()
    return version if version and visibility.sees(kind, version.document, entities) else None


def spans(newest_first: Sequence[RecordVersion], read: Callable[[dict[str, Any]], str]) -> list[Held]:
    """How long each value held, day by day; "" is a time without a value and makes no span."""
    found: list[Held] = []
    for version in reversed(newest_first):
        day, value = timezone.localtime(version.created_at).date(), read(version.document)
        if found and found[-1].until is None and found[-1].value == value:
            continue
        if found and found[-1].until is None:
            last = found.pop()
            if last.since < day:  # what changed twice on one day held its last value
                found.append(Held(last.value, last.since, day))
        found.append(Held(value, day, None))
    return [held for held in found if held.value]
