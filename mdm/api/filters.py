"""Filters of record lists, derived from RecordType.filters: typed by the column, refused when there is no such filter."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import models
from django.db.models import FilteredRelation, Q, QuerySet
from pydantic import BeforeValidator, Field, create_model

from mdm.api.operations import Moment, PageQuery, Query
from mdm.folding import fold
from mdm.periods import BOUNDS
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.selectors.visibility import Entities

_ALWAYS = {"uid": "uid", "updated_at": "updated_at"}
_ORDERS = ("code", "updated_at", "created_at")
_TEXTS = (models.CharField, models.TextField)
_MOST = 100  # values of one `__in`

_INT4 = Annotated[int, Field(ge=-2_147_483_648, le=2_147_483_647)]


def _comma(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


FIELDS = Field(
    None,
    max_length=500,
    json_schema_extra={"pattern": "^[a-z_, ]*$"},
    description="Only these fields, with commas; the uid always comes.",
)


class RecordQuery(PageQuery):
    """What every list of records takes besides its filters."""

    q: str | None = Field(None, max_length=200, description="Words, or beginnings of words, the record is found by.")
    fields: str | None = FIELDS
    as_of: date | None = Field(None, description="Of dated types: as it holds on this day.")
    known_at: Moment | None = Field(
        None, description="As the hub knew it then; only with filters on uid, code, status."
    )


class OneRecordQuery(Query):
    fields: str | None = FIELDS
    as_of: date | None = Field(None, description="Of dated types: as it holds on this day.")
    known_at: Moment | None = Field(None, description="As the hub knew it then.")


def _type_of(column: Any) -> Any:
    if column.choices:
        return Literal[tuple(str(value) for value, _ in column.choices)]
    if isinstance(column, models.UUIDField):
        return UUID
    if isinstance(column, models.BooleanField):
        return bool
    if isinstance(column, models.IntegerField):
        return _INT4
    if isinstance(column, models.DecimalField):
        return Annotated[float, Field(ge=-1e12, le=1e12)]
    if isinstance(column, models.DateTimeField):
        return Moment
    if isinstance(column, models.DateField):
        return date
    return Annotated[str, Field(max_length=column.max_length or 200)]


def _lookups(column: Any) -> tuple[str, ...]:
    if isinstance(column, models.BooleanField):
        return ("",)
    if isinstance(column, models.UUIDField) or column.choices:
        return ("", "in")
    if isinstance(column, _TEXTS):
        return ("", "in", "gte", "lte", "startswith")
    return ("", "in", "gte", "lte")


def columns(kind: RecordType) -> dict[str, str]:
    return {**kind.filters, **_ALWAYS}


@lru_cache(maxsize=64)
def query_shape(kind: RecordType) -> type[RecordQuery]:
    """`country`, `country__in`, … each with its type; `ordering` over the filterable columns."""
    fields: dict[str, Any] = {}
    for name, path in columns(kind).items():
        column = kind.model._meta.get_field(path)
        kind_of_value = _type_of(column)
        for lookup in _lookups(column):
            full = f"{name}__{lookup}" if lookup else name
            if lookup == "in":
                many = Annotated[list[kind_of_value], BeforeValidator(_comma), Field(max_length=_MOST)]  # type: ignore[valid-type]
                fields[full] = (many | None, Field(None, description="Any of these, with commas."))
            else:
                fields[full] = (kind_of_value | None, None)
    orders = [name for name in (*_ORDERS, *columns(kind)) if name != "uid"]
    choices = tuple(dict.fromkeys(sign + name for name in orders for sign in ("", "-")))
    fields["ordering"] = (Literal[choices] | None, Field(None, description="`-` first for falling order."))
    shape: type[RecordQuery] = create_model(f"{kind.key.title().replace('_', '')}Query", __base__=RecordQuery, **fields)
    return shape


def apply(kind: RecordType, query: Any, entities: Entities) -> QuerySet[Any]:
    """The rows the query asks for, of those a list shows the caller; with `as_of` those of dated records that hold on that
    day, by their values then, and of the companies they belonged to then.
    """
    rows = kind.model._default_manager.all()
    dated = kind.periods and query.as_of
    if dated:
        rows = valid_on(kind, rows, query.as_of)
    if dated and kind.entity_field and entities is not None:
        rows = rows.filter(visibility.of_entities(kind, entities, f"{_THEN}__"))
    else:
        rows = visibility.visible(kind, rows, entities)
    for name, value in given(kind, query).items():
        stem, _, lookup = name.partition("__")
        path = columns(kind)[stem]
        if dated and path in (*kind.dated, *BOUNDS):
            path = f"{_THEN}__{path}"
        rows = rows.filter(**{f"{path}{'__' + lookup if lookup else ''}": value})
    return search(rows, query.q) if query.q else rows


_THEN = "period_then"


def valid_on(kind: RecordType, rows: QuerySet[Any], day: date) -> QuerySet[Any]:
    """Records with a period that holds on a day; there is one at most, so no row comes twice."""
    link = kind.child(kind.periods).model._meta.get_field("record").related_query_name()
    begun = Q(**{f"{link}__valid_from": None}) | Q(**{f"{link}__valid_from__lte": day})
    going_on = Q(**{f"{link}__valid_to": None}) | Q(**{f"{link}__valid_to__gt": day})
    return rows.annotate(**{_THEN: FilteredRelation(link, condition=begun & going_on)}).filter(
        **{f"{_THEN}__pk__isnull": False}
    )


def given(kind: RecordType, query: Any) -> dict[str, Any]:
    """Only the filters that were sent."""
    return {
        name: value
        for name in type(query).model_fields
        if name.partition("__")[0] in columns(kind) and (value := getattr(query, name)) is not None
    }


def search(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Every word must begin a word of the record's search text; served by the index on that expression."""
    words = fold(text).split()[:12]
    if not words:
        return rows.none()
    asked = SearchQuery(" & ".join(f"'{word}':*" for word in words), config="simple", search_type="raw")
    return rows.annotate(found_by=SearchVector("search_text", config="simple")).filter(found_by=asked)


def order_of(kind: RecordType, query: Any) -> tuple[str, ...]:
    if not query.ordering:
        return ()
    name = query.ordering.lstrip("-")
    column = columns(kind).get(name, name)
    return (f"-{column}" if query.ordering.startswith("-") else column,)
