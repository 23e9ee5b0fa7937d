"""Reads technical alerts: what is open, who looks after it, who was told, and what was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from mdm.errors import NotFound
from sync.models import Notification, TargetAlert


def alerts() -> QuerySet[TargetAlert]:
    """With target and everything that was told of them; two queries."""
    told = Prefetch("notifications", queryset=Notification.objects.order_by("pk"))
    return TargetAlert.objects.select_related("target__system").prefetch_related(told)


def find(uid: str | UUID) -> TargetAlert:
    try:
        row = alerts().filter(uid=UUID(str(uid))).first()
    except ValueError:
        row = None
    if row is None:
        raise NotFound("There is no such alert.")
    return row


def state_of(row: TargetAlert) -> str:
    """open · acknowledged · resolved."""
    if row.closed_at is not None:
        return "resolved"
    return "acknowledged" if row.acknowledged_at else "open"


def matching(rows: QuerySet[TargetAlert], filter: Mapping[str, Any]) -> QuerySet[TargetAlert]:
    if target := filter.get("target"):
        rows = rows.filter(target__code=target)
    state = filter.get("state")
    if state == "resolved":
        return rows.exclude(closed_at=None)
    if state in ("open", "acknowledged"):
        return rows.filter(closed_at=None, acknowledged_at__isnull=state == "open")
    return rows


def as_json(row: TargetAlert) -> dict[str, Any]:
    return {
        "uid": str(row.uid),
        "target": row.target.code,
        "code": row.code,
        "message": row.message,
        "hint": row.detail.get("hint", ""),
        "state": state_of(row),
        "opened_at": row.opened_at.isoformat(),
        "last_seen_at": row.last_seen_at.isoformat(),
        "returns": row.returns,
        "acknowledged_at": row.acknowledged_at.isoformat() if row.acknowledged_at else None,
        "acknowledged_by": row.acknowledged_by,
        "note": row.note,
        "closed_at": row.closed_at.isoformat() if row.closed_at else None,
        "notifications": [
            {
                "event": told.event,
                "channel": told.channel,
                "recipient": told.recipient,
                "state": told.state,
                "attempts": told.attempts,
                "sent_at": told.sent_at.isoformat() if told.sent_at else None,
                "error": told.error,
            }
            for told in row.notifications.all()
        ],
    }
