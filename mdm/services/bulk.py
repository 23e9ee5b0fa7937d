"""Inserting many rows at COPY speed. Ids are taken from the table's own sequence first, so rows can refer to each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connection, models
from django.utils import timezone
from psycopg import sql

from mdm import writing
from mdm.models.record import GuardedModel

M = TypeVar("M", bound=models.Model)
FEW = 20  # below this one INSERT is as fast


def insert(rows: Sequence[M]) -> Sequence[M]:
    """Insert rows of one model in the caller's transaction; every row has its primary key afterwards.

    Same result as `bulk_create`, about ten times as fast for a thousand rows; golden tables stay guarded.
    """
    if not rows:
        return rows
    model = type(rows[0])
    if issubclass(model, GuardedModel):
        writing.require(str(model._meta.verbose_name_plural).capitalize())
    if len(rows) < FEW:
        return model._default_manager.bulk_create(rows)
    table, columns, encoders = _plan(model)
    with connection.cursor() as cursor:
        _number(cursor, model, rows)
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with cursor.cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([encode(row) for encode in encoders])
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias
    return rows


def _number(cursor: Any, model: type[models.Model], rows: Sequence[models.Model]) -> None:
    key = model._meta.pk
    assert key is not None
    without = [row for row in rows if row.pk is None]
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
        [model._meta.db_table, key.column, len(without)],
    )
    for row, (number,) in zip(without, cursor.fetchall(), strict=True):
        setattr(row, key.attname, number)


@lru_cache(maxsize=128)
def _plan(model: type[models.Model]) -> tuple[str, tuple[str, ...], tuple[Any, ...]]:
    fields = model._meta.local_concrete_fields
    return model._meta.db_table, tuple(f.column for f in fields), tuple(_encoder(f) for f in fields)


def _encoder(field: Any) -> Any:
    """How one column's value is written; only the kinds our tables have."""
    name = field.attname
    if isinstance(field, models.JSONField):
        return lambda row: (
            None if getattr(row, name) is None else json.dumps(getattr(row, name), ensure_ascii=False)
        )
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return lambda row: getattr(row, name) or timezone.now()
    if isinstance(field, models.UUIDField):
        return lambda row: None if getattr(row, name) is None else str(getattr(row, name))
    return lambda row: getattr(row, name)
