"""Reading the audit log: newest first, by who, what, about what and when; never counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date

from mdm.models import AuditEntry

FILTERS = ("q", "actor", "action", "type", "object", "correlation", "from", "to")


def find(filters: Mapping[str, str]) -> QuerySet[AuditEntry]:
    """Entries that fit; unknown names are ignored, empty values too."""
    rows = AuditEntry.objects.order_by("-pk")
    asked = {name: filters.get(name, "").strip() for name in FILTERS}
    if asked["q"]:
        words = asked["q"]
        rows = rows.filter(Q(object_label__icontains=words) | Q(actor_name__icontains=words) | Q(object_uid=words))
    if asked["actor"]:
        rows = rows.filter(actor_name__icontains=asked["actor"])
    if asked["action"]:
        rows = rows.filter(action__startswith=asked["action"])
    if asked["type"]:
        rows = rows.filter(object_type=asked["type"])
    if asked["object"]:
        rows = rows.filter(object_uid=asked["object"])
    if asked["correlation"]:
        rows = rows.filter(correlation_id=asked["correlation"])
    if first := _day(asked["from"]):
        rows = rows.filter(at__gte=first)
    if last := _day(asked["to"]):
        rows = rows.filter(at__lt=last + timedelta(days=1))
    return rows


def _day(text: str) -> datetime | None:
    """Midnight of a day; nothing for what is no day."""
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None
