"""Reads the ledger: deliveries with what was said, and the state a person is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from mdm.errors import NotFound
from mdm.selectors.visibility import Entities
from sync.models import Attempt, AttemptResult, Delivery, FreezeWindow
from sync.selectors import freeze_views, sight


def deliveries(entities: Entities, *, exchanges: bool = False) -> QuerySet[Delivery]:
    """With target, lane, exception and attempts; four queries whatever the number of rows."""
    results = AttemptResult.objects.all() if exchanges else AttemptResult.objects.defer("exchanges")
    attempts = Attempt.objects.prefetch_related(Prefetch("result", queryset=results)).order_by("pk")
    rows = Delivery.objects.select_related("target", "lane", "superseded_by", "corrected_by", "exception")
    rows = sight.seen(rows, entities)
    return rows.prefetch_related(Prefetch("attempt_rows", queryset=attempts), "corrects")


def find(uid: str | UUID, entities: Entities) -> Delivery:
    """One delivery with everything that was said; NotFound when there is none, or none for these companies."""
    try:
        row = deliveries(entities, exchanges=True).filter(uid=UUID(str(uid))).first()
    except ValueError:
        row = None
    if row is None:
        raise NotFound("There is no such delivery.")
    return row


def matching(rows: QuerySet[Delivery], filter: Mapping[str, Any]) -> QuerySet[Delivery]:
    """By target code, state, record, type, reason, correlation id, or words of the label."""
    columns = {
        "target": "target__code",
        "state": "state",
        "record": "record",
        "type": "type",
        "reason": "reason",
        "correlation_id": "correlation_id",
        "q": "label__icontains",
    }
    for name, column in columns.items():
        value = filter.get(name)
        if value in (None, "", []):
            continue
        rows = rows.filter(**{f"{column}__in": value} if isinstance(value, list) else {column: value})
    return rows


def shown_state(delivery: Delivery, now: datetime | None = None) -> str:
    """`unknown` while somebody waits for the very answer reads as being sent."""
    until = delivery.lane.lease_until
    if delivery.state == "unknown" and until is not None and until > (now or timezone.now()):
        return "in_flight"
    return delivery.state


def as_json(
    delivery: Delivery,
    *,
    hidden: bool,
    exchanges: bool = False,
    freezes: Mapping[int, FreezeWindow] | None = None,
) -> dict[str, Any]:
    """The shape of the API; needs a row of `deliveries()`. `freezes`: the windows that hold lanes, when known.

    `hidden`: without what was said, as `sight.hidden_deliveries` tells.
    """
    said = sight.HIDDEN if hidden else delivery.error_text
    held = delivery.state == "held"
    window = (freeze_views.of_lanes([delivery.lane]) if freezes is None else freezes).get(delivery.lane_id)
    return {
        "uid": str(delivery.uid),
        "target": delivery.target.code,
        "type": delivery.type,
        "record": str(delivery.record),
        "label": delivery.label,
        "target_key": delivery.target_key,
        "action": delivery.action,
        "version": delivery.version,
        "generation": delivery.generation,
        "seq": delivery.seq,
        "reason": delivery.reason,
        "state": shown_state(delivery),
        "effect": delivery.effect,
        "verified": delivery.verified,
        "error": {"code": delivery.error_code, "message": said} if delivery.error_code else None,
        "mapping_version": delivery.mapping_version,
        "payload_hash": delivery.payload_hash,
        "as_of": delivery.as_of.isoformat(),
        "correlation_id": delivery.correlation_id,
        "requested_by": delivery.requested_by,
        "created_at": delivery.created_at.isoformat(),
        "posted_at": delivery.posted_at.isoformat() if delivery.posted_at else None,
        "next_at": delivery.lane.next_at.isoformat() if delivery.state in ("pending", "retrying", "unknown") else None,
        "held": delivery.lane.hold_reason if held else "",
        "frozen_until": window.ends_at.isoformat() if held and window else None,
        "exception": str(delivery.exception.uid) if hasattr(delivery, "exception") else None,
        "corrects": [str(row.uid) for row in delivery.corrects.all()],
        "superseded_by": str(delivery.superseded_by.uid) if delivery.superseded_by else None,
        "corrected_by": str(delivery.corrected_by.uid) if delivery.corrected_by else None,
        "attempts": [_attempt(row, exchanges=exchanges, hidden=hidden) for row in delivery.attempt_rows.all()],
        "hidden": hidden,
    }


def _attempt(row: Attempt, *, exchanges: bool, hidden: bool) -> dict[str, Any]:
    """An attempt without a result: its process died, or is still waiting for the answer."""
    result: AttemptResult | None = getattr(row, "result", None)
    shown: dict[str, Any] = {
        "number": row.number,
        "kind": row.kind,
        "started_at": row.started_at.isoformat(),
        "finished_at": result.finished_at.isoformat() if result else None,
        "outcome": result.outcome if result else "no_answer",
        "status": result.status if result else None,
        "message": "" if result is None else sight.HIDDEN if hidden and result.message else result.message,
        "duration_ms": result.duration_ms if result else None,
    }
    if exchanges:
        shown["exchanges"] = result.exchanges if result and not hidden else []
    return shown


def latest_of_lanes(record: UUID | str) -> list[Delivery]:
    """The last word of every lane of a record, one per target and key."""
    newest = Delivery.objects.filter(lane__uid=record).order_by("lane_id", "-seq").distinct("lane_id").values("pk")
    return list(deliveries(None).filter(pk__in=newest).order_by("target__code", "target_key"))


def page_as_json(rows: Iterable[Delivery], entities: Entities) -> list[dict[str, Any]]:
    shown = list(rows)
    hidden = sight.hidden_deliveries(shown, entities)
    freezes = freeze_views.of_lanes(row.lane for row in shown)
    return [as_json(row, hidden=row.pk in hidden, freezes=freezes) for row in shown]
