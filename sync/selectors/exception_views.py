"""Reads business exceptions: the queue of refusals, grouped by what would mend many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Min, QuerySet, Window
from django.db.models.functions import Now, RowNumber
from django.utils import timezone

from mdm import permissions
from mdm.errors import NotFound
from mdm.models import ChangeItem, ChangeRequest
from mdm.models.change import OPEN_STATES
from mdm.selectors.visibility import Entities
from sync.models import ExceptionItem
from sync.selectors import sight

LIVE = ("open", "retrying")
CAUSE = ("target__code", "field", "words", "table", "value")
NOBODY = "-"
_HINTS = {
    "unmapped": "Give the value its counterpart: one row of the value map releases every record that waits for it.",
    "linked_elsewhere": "Two golden records claim one record of the platform: merge them, or move the key.",
}
_HINT = "Correct the record: its next version is sent by itself. Or send it again once the platform was put right."


def items(entities: Entities) -> QuerySet[ExceptionItem]:
    rows = ExceptionItem.objects.select_related(
        "target__system", "delivery__corrected_by__event__change", "assignee", "rule", "follows"
    )
    return sight.seen(rows, entities)


def find(uid: str | UUID, entities: Entities) -> ExceptionItem:
    try:
        row = items(entities).filter(uid=UUID(str(uid))).first()
    except ValueError:
        row = None
    if row is None:
        raise NotFound("There is no such exception.")
    return row


def matching(rows: QuerySet[ExceptionItem], filter: Mapping[str, Any]) -> QuerySet[ExceptionItem]:
    """By target code, state, type, record, field, code, role that owns it, who it is assigned to, whether it is overdue."""
    columns = {
        "target": "target__code",
        "state": "state",
        "type": "type",
        "record": "record",
        "field": "field",
        "code": "code",
        "owner": "owner_role",
    }
    for name, column in columns.items():
        if filter.get(name) not in (None, ""):
            rows = rows.filter(**{column: filter[name]})
    if assignee := filter.get("assignee"):
        rows = rows.filter(assignee=None) if assignee == NOBODY else rows.filter(assignee__username=assignee)
    if filter.get("overdue") in (True, "yes"):
        return rows.filter(due_at__lt=Now(), state__in=LIVE)
    if filter.get("overdue") in (False, "no"):
        return rows.exclude(due_at__lt=Now(), state__in=LIVE)
    return rows


def is_overdue(item: ExceptionItem) -> bool:
    return item.state in LIVE and item.due_at is not None and item.due_at < timezone.now()


def hint_of(item: ExceptionItem) -> str:
    """The rule's own words, else what such an exception always asks for."""
    return (item.rule.hint if item.rule else "") or _HINTS.get("unmapped" if item.table else item.kind, _HINT)


def owner_of(item: ExceptionItem) -> str:
    """The role's title; "" when nobody owns it."""
    known = permissions.ROLES.get(item.owner_role)
    return known[0] if known else item.owner_role


def codes(rows: QuerySet[ExceptionItem]) -> list[str]:
    """What the platforms call their refusals, most frequent first; for the filter of a list."""
    found = rows.exclude(code="").order_by().values_list("code").annotate(n=Count("pk")).order_by("-n", "code")
    return [code for code, _ in found[:50]]


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
    due: datetime | None
    items: list[ExceptionItem]


def groups(rows: QuerySet[ExceptionItem], *, most: int, shown: int) -> tuple[list[Group], int, int]:
    """(the largest first, each with its oldest items; how many causes; how many exceptions). Three queries in all."""
    found = rows.filter(state="open").order_by()
    counted = list(
        found.values(*CAUSE, "target__title")
        .annotate(count=Count("pk"), since=Min("opened_at"), due=Min("due_at"))
        .order_by("-count", "since")
    )
    oldest = _oldest(found, shown, {row["words"] for row in counted[:most]})
    made = [
        Group(
            row["target__code"], row["target__title"], row["field"], row["words"], row["table"], row["value"],
            row["count"], row["since"], row["due"], oldest[tuple(row[name] for name in CAUSE)],
        )
        for row in counted[:most]
    ]  # fmt: skip
    return made, len(counted), sum(row["count"] for row in counted)


def _oldest(
    rows: QuerySet[ExceptionItem], shown: int, words: Iterable[str]
) -> Mapping[tuple[Any, ...], list[ExceptionItem]]:
    """The first of every cause, in one query."""
    place = Window(RowNumber(), partition_by=[F(name) for name in CAUSE], order_by=[F("opened_at"), F("pk")])
    first = rows.filter(words__in=words).annotate(place=place).filter(place__lte=shown)
    found: dict[tuple[Any, ...], list[ExceptionItem]] = defaultdict(list)
    for item in first.order_by("opened_at", "pk"):
        found[(item.target.code, item.field, item.words, item.table, item.value)].append(item)
    return found


def proposals(found: Iterable[ExceptionItem]) -> dict[tuple[str, UUID], ChangeRequest]:
    """{(type, record): the request under way that may correct it}; one query."""
    records = {item.record for item in found}
    rows = ChangeItem.objects.select_related("request").filter(uid__in=records, request__state__in=OPEN_STATES)
    return {(row.type, row.uid): row.request for row in rows.order_by("pk")}


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
        "code": item.code,
        "field": item.field,
        "path": item.path,
        "message": item.words,
        "problems": item.problems,
        "hint": hint_of(item),
        "rule": item.rule.name if item.rule else None,
        "table": item.table,
        "value": item.value,
        "state": item.state,
        "owner": item.owner_role or None,
        "assignee": item.assignee.get_username() if item.assignee else None,
        "opened_at": item.opened_at.isoformat(),
        "due_at": item.due_at.isoformat() if item.due_at else None,
        "overdue": is_overdue(item),
        "closed_at": item.closed_at.isoformat() if item.closed_at else None,
        "closed_by": item.closed_by,
        "note": item.note,
        "follows": str(item.follows.uid) if item.follows else None,
        "corrected_by": str(corrected.uid) if corrected else None,
        "corrected": item.state == "corrected",
    }
