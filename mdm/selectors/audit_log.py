"""Reading the audit log: newest first, by who, what, about what; paged by its own number, never counted."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Q, QuerySet

from mdm.models import AuditEntry

PAGE = 50
FILTERS = ("q", "actor", "action", "type", "object", "correlation")


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
    return rows


def page(rows: QuerySet[AuditEntry], before: int | None, after: int | None) -> tuple[list[AuditEntry], bool, bool]:
    """(entries newest first, is there something newer, is there something older) around a cursor."""
    if after is not None:
        found = list(rows.filter(pk__gt=after).order_by("pk")[: PAGE + 1])
        newer, found = len(found) > PAGE, found[:PAGE]
        return found[::-1], newer, True
    found = list((rows.filter(pk__lt=before) if before is not None else rows)[: PAGE + 1])
    return found[:PAGE], before is not None, len(found) > PAGE
