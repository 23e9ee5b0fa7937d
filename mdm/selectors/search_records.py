"""Finding golden records: by words, by filters, by what is missing or open about them. Every condition is one query's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.core.exceptions import ValidationError
from django.db.models import Exists, F, OuterRef, Q, QuerySet, UUIDField
from django.utils import timezone

from mdm import registry
from mdm.models import ChangeItem, DuplicatePair, Pin
from mdm.models.change import OPEN_STATES
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.selectors.visibility import Entities

MOST_WORDS = 12
MOST_VALUES = 60  # of one column, for a filter that offers them to choose from


def found_by(rows: QuerySet[Any], words: Sequence[str]) -> QuerySet[Any]:
    """Every word must begin a word of the record's search text; served by the index on that expression.

    `words` are folded already. No words at all find nothing: people who typed only dots did not ask for everything.
    """
    if not words:
        return rows.none()
    text = " & ".join(f"'{word}':*" for word in words[:MOST_WORDS])
    asked = SearchQuery(text, config="simple", search_type="raw")
    return rows.alias(found_by=SearchVector("search_text", config="simple")).filter(found_by=asked)


def where(kind: RecordType, rows: QuerySet[Any], filters: Mapping[str, str]) -> QuerySet[Any]:
    """Rows with these values; a value the column cannot hold finds nothing. References are given by code."""
    for name, value in filters.items():
        column = kind.model._meta.get_field(kind.filters[name])
        if isinstance(column, UUIDField):
            uid = _uid_of(kind, name, value)
            rows = rows.filter(**{column.name: uid}) if uid else rows.none()
            continue
        try:
            rows = rows.filter(**{column.name: column.to_python(value)})
        except ValidationError:
            rows = rows.none()
    return rows


def _uid_of(kind: RecordType, name: str, value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        target = registry.get(kind.references[name]).model if name in kind.references else None
        found = target._default_manager.filter(code=value).values_list("uid", flat=True) if target else []
        return next(iter(found), None)


def without(kind: RecordType, rows: QuerySet[Any], path: str) -> QuerySet[Any]:
    """Rows where a field is empty, or that have no row of a list."""
    child = next((child for child in kind.children if child.name == path), None)
    if child is not None:
        return rows.filter(~Exists(child.model._default_manager.filter(record=OuterRef("pk"))))
    if path not in kind.document.model_fields:
        return rows.none()
    column = kind.model._meta.get_field(path)
    empty = Q(**{f"{path}__isnull": True})
    if column.get_internal_type() == "CharField":
        empty |= Q(**{path: ""})
    elif column.get_internal_type() == "ArrayField":
        empty = Q(**{f"{path}__len": 0}) | Q(**{f"{path}__isnull": True})
    return rows.filter(empty)


def having(kind: RecordType, rows: QuerySet[Any], what: str) -> QuerySet[Any]:
    """Rows with an open request, an open pair, or a pinned value; asked from the small table's side."""
    if what == "request":
        items = ChangeItem.objects.filter(type=kind.key, request__state__in=OPEN_STATES)
        return rows.filter(uid__in=items.values("uid"))
    if what == "pair":
        pairs = DuplicatePair.objects.filter(type=kind.key, state="open")
        return rows.filter(Q(uid__in=pairs.values("left")) | Q(uid__in=pairs.values("right")))
    if what == "pin":
        pins = Pin.objects.filter(Q(until=None) | Q(until__gte=timezone.localdate()), type=kind.key)
        return rows.filter(uid__in=pins.values("uid"))
    return rows.none()


def values_of(kind: RecordType, name: str, entities: Entities = None) -> list[str]:
    """The values a column has in the records the person is shown, to choose from; empty when there are too many."""
    column = kind.filters[name]
    rows = visibility.visible(kind, kind.model._default_manager.exclude(**{f"{column}__isnull": True}), entities)
    rows = rows.order_by(column)
    found = [str(value) for value in rows.values_list(column, flat=True).distinct()[: MOST_VALUES + 1] if value != ""]
    return found if len(found) <= MOST_VALUES else []


def choices_of(key: str, most: int = MOST_VALUES, entities: Entities = None) -> list[tuple[str, str]]:
    """(code, name) of the records a reference may lead to and the person is shown; empty when there are too many."""
    kind = registry.get(key)
    rows = kind.model._default_manager.exclude(status__in=("retired", "merged"))
    rows = visibility.visible(kind, rows, entities).order_by("code")
    found = list(rows.values_list("code", F(kind.name_field))[: most + 1])
    return found if len(found) <= most else []


def about(kind: RecordType, uids: Sequence[Any]) -> tuple[dict[str, str], set[str]]:
    """({uid: number of an open request}, {uid with an open pair}) for the rows of a page; two queries."""
    items = ChangeItem.objects.filter(type=kind.key, uid__in=uids, request__state__in=OPEN_STATES)
    open_ = {str(uid): 10_000 + request for uid, request in items.values_list("uid", "request_id")}
    pairs = DuplicatePair.objects.filter(Q(left__in=uids) | Q(right__in=uids), state="open")
    twins = {str(uid) for pair in pairs.values_list("left", "right") for uid in pair}
    return {uid: str(number) for uid, number in open_.items()}, twins
