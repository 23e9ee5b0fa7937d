"""How a due time reads: late in red, today in amber, otherwise the day."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from mdm.web.page import Due

GROUPS = ("Due today and before", "Due this week", "Later")


def due(at: datetime | None) -> Due | None:
    if at is None:
        return None
    now, local = timezone.now(), timezone.localtime(at)
    if at < now:
        return Due(text=f"{_span(now - at)} late", tone="red")
    days = (local.date() - timezone.localdate()).days
    if days == 0:
        return Due(text=f"today {local:%H:%M}", tone="amber")
    if days == 1:
        return Due(text="tomorrow")
    return Due(text=f"{local:%a} {local.day} {local:%b}" if days < 7 else f"{local.day} {local:%b}")


def _span(late: timedelta) -> str:
    hours = int(late.total_seconds() // 3600)
    if hours < 1:
        return f"{int(late.total_seconds() // 60)} min"
    return f"{hours} h" if hours < 24 else f"{hours // 24} day{'s' * (hours >= 48)}"


def group_of(at: datetime | None) -> str:
    """The heading of the worklist under which something due then stands."""
    if at is None:
        return GROUPS[2]
    days = (timezone.localtime(at).date() - timezone.localdate()).days
    return GROUPS[0] if days <= 0 else GROUPS[1] if days < 7 else GROUPS[2]
