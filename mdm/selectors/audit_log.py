"""Reading the audit log: newest first, by who, what, about what and when; never counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.dateparse import parse_date

from mdm import registry
from mdm.models import AuditEntry
from mdm.selectors import request_items, visibility
from mdm.selectors.visibility import Entities
from mdm.types import Actor

FILTERS = ("q", "actor", "action", "type", "object", "correlation", "from", "to")


def seen_by(by: Actor, entities: Entities) -> QuerySet[AuditEntry]:
    """All of it; for people of some companies without what was done about records and requests they may not see."""
    rows = AuditEntry.objects.all()
    if entities is None:
        return rows
    for kind in registry.all_types():
        if visibility.is_limited(kind):
            mine = visibility.visible(kind, kind.model._default_manager.all(), entities)
            rows = rows.exclude(Q(object_type=kind.key) & ~_is_one(mine))
    return rows.exclude(Q(object_type="change_request") & ~_is_one(request_items.seen_by(by, entities)))


def _is_one(objects: QuerySet[Any]) -> Q:
    """Entries without an object, such as the export of a list, are about none in particular."""
    return Q(object_uid="") | Q(object_uid__in=objects.values_list(Cast("uid", TextField())))


def find(filters: Mapping[str, str], by: Actor, entities: Entities) -> QuerySet[AuditEntry]:
    """Entries that fit; unknown names are ignored, empty values too."""
    rows = seen_by(by, entities).order_by("-pk")
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
