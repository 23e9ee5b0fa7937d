"""Reads freeze windows: which are open now by the database's clock, which come, and what they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from mdm import registry
from mdm.errors import NotFound
from mdm.web.values import day
from sync.models import FreezeWindow, Lane
from sync.services.freezing import HOLD

STATES = ("coming", "open", "over", "lifted")


def windows() -> QuerySet[FreezeWindow]:
    """`begun` and `ended` are what the database's clock says."""
    return FreezeWindow.objects.select_related("target").annotate(
        begun=ExpressionWrapper(Q(starts_at__lte=Now()), output_field=BooleanField()),
        ended=ExpressionWrapper(Q(ends_at__lte=Now()), output_field=BooleanField()),
    )


def find(uid: str | UUID) -> FreezeWindow:
    try:
        row = windows().filter(uid=UUID(str(uid))).first()
    except ValueError:
        row = None
    if row is None:
        raise NotFound("There is no such freeze window.")
    return row


def matching(rows: QuerySet[FreezeWindow], filter: Mapping[str, Any]) -> QuerySet[FreezeWindow]:
    if target := filter.get("target"):
        rows = rows.filter(target__code=target)
    conditions = {
        "lifted": Q(lifted_at__isnull=False),
        "over": Q(lifted_at=None, ends_at__lte=Now()),
        "open": Q(lifted_at=None, starts_at__lte=Now(), ends_at__gt=Now()),
        "coming": Q(lifted_at=None, starts_at__gt=Now()),
    }
    state = filter.get("state")
    return rows.filter(conditions[state]) if state in conditions else rows


def state_of(row: Any) -> str:
    if row.lifted_at is not None:
        return "lifted"
    return "over" if row.ended else "open" if row.begun else "coming"


def ahead(targets: Collection[int]) -> dict[int, list[FreezeWindow]]:
    """{target: windows that are open or come, the next one first}; one query."""
    found: dict[int, list[FreezeWindow]] = defaultdict(list)
    rows = windows().filter(target__in=targets, lifted_at=None, ends_at__gt=Now())
    for row in rows.order_by("starts_at", "pk"):
        found[row.target_id].append(row)
    return found


def of_lanes(lanes: Iterable[Lane]) -> dict[int, FreezeWindow]:
    """{lane: the window that holds it}; no query when none is held."""
    held = {lane.pk: int(lane.hold_reason[len(HOLD) :]) for lane in lanes if lane.hold_reason.startswith(HOLD)}
    if not held:
        return {}
    known = {row.pk: row for row in windows().filter(pk__in=set(held.values()))}
    return {lane: known[window] for lane, window in held.items() if window in known}


def moment(at: datetime) -> str:
    return f"{day(at.date())} {at:%H:%M} UTC"


def words(row: FreezeWindow) -> str:
    """`Suppliers of NH10, until 2 December 18:00 UTC: quarter close`."""
    kind = registry.find(row.type) if row.type else None
    what = kind.plural if kind else "Everything"
    whose = f" of {', '.join(row.entities)}" if row.entities else ""
    return f"{what}{whose}, {span(row)}: {row.reason}"


def span(row: Any) -> str:
    return f"until {moment(row.ends_at)}" if row.begun else f"{moment(row.starts_at)} to {moment(row.ends_at)}"


def as_json(row: FreezeWindow) -> dict[str, Any]:
    return {
        "uid": str(row.uid),
        "target": row.target.code,
        "type": row.type or None,
        "legal_entities": row.entities,
        "starts_at": row.starts_at.isoformat(),
        "ends_at": row.ends_at.isoformat(),
        "state": state_of(row),
        "blocks_flow": row.blocks_flow,
        "reason": row.reason,
        "made_by": row.made_by,
        "made_at": row.made_at.isoformat(),
        "lifted_at": row.lifted_at.isoformat() if row.lifted_at else None,
        "lifted_by": row.lifted_by,
        "lift_reason": row.lift_reason,
    }
