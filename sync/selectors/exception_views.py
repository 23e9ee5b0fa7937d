"""Reads business exceptions: the queue of refusals, grouped by what would mend many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, QuerySet

from mdm.errors import NotFound
from sync.models import ExceptionItem


def items() -> QuerySet[ExceptionItem]:
    return ExceptionItem.objects.select_related("target", "delivery__corrected_by", "assignee")


def find(uid: str | UUID) -> ExceptionItem:
    try:
        row = items().filter(uid=UUID(str(uid))).first()
    except ValueError:
        row = None
    if row is None:
        raise NotFound("There is no such exception.")
    return row


def matching(rows: QuerySet[ExceptionItem], filter: Mapping[str, Any]) -> QuerySet[ExceptionItem]:
    columns = {"target": "target__code", "state": "state", "type": "type", "record": "record", "field": "field"}
    for name, column in columns.items():
        if filter.get(name) not in (None, ""):
            rows = rows.filter(**{column: filter[name]})
    return rows


@dataclass(frozen=True)
class Group:
    """Open exceptions with one cause: the same target, field, words, or missing row of a value map."""

    target: str
    title: str
    field: str
    words: str
    table: str
    value: str
    count: int
    since: datetime


def groups(rows: QuerySet[ExceptionItem] | None = None) -> list[Group]:
    """The largest first; one query."""
    found = (items() if rows is None else rows).filter(state="open").order_by()
    counted = found.values("target__code", "target__title", "field", "words", "table", "value").annotate(
        count=Count("pk"), since=Min("opened_at")
    )
    return [
        Group(
            row["target__code"], row["target__title"], row["field"], row["words"], row["table"], row["value"],
            row["count"], row["since"],
        )
        for row in counted.order_by("-count", "since")
    ]  # fmt: skip


def as_json(item: ExceptionItem) -> dict[str, Any]:
    corrected = item.delivery.corrected_by
    return {
        "uid": str(item.uid),
        "delivery": str(item.delivery.uid),
        "target": item.target.code,
        "type": item.type,
        "record": str(item.record),
        "label": item.label,
        "kind": item.kind,
        "field": item.field,
        "path": item.path,
        "message": item.words,
        "problems": item.problems,
        "table": item.table,
        "value": item.value,
        "state": item.state,
        "assignee": item.assignee.get_username() if item.assignee else None,
        "opened_at": item.opened_at.isoformat(),
        "closed_at": item.closed_at.isoformat() if item.closed_at else None,
        "closed_by": item.closed_by,
        "note": item.note,
        "corrected_by": str(corrected.uid) if corrected else None,
    }
