"""Golden record bases: identity, status, version, and the refusal to be saved outside the write path."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Func, Value
from simple_history.models import HistoricalRecords

from mdm import writing


class RecordStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    BLOCKED = "blocked", "Blocked"
    RETIRED = "retired", "Retired"
    MERGED = "merged", "Merged"


class GuardedQuerySet(models.QuerySet[Any]):
    """Every bulk way to write golden rows, closed unless `writing.applying` is open."""

    def _require(self) -> None:
        writing.require(self.model._meta.verbose_name_plural.capitalize())

    def update(self, **kwargs: Any) -> int:
        self._require()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self._require()
        return super().delete()

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        self._require()
        return super().bulk_create(objs, *args, **kwargs)

    def bulk_update(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> int:
        self._require()
        return super().bulk_update(objs, *args, **kwargs)


class GuardedModel(models.Model):
    objects = GuardedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        writing.require(str(self._meta.verbose_name))
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        writing.require(str(self._meta.verbose_name))
        return super().delete(*args, **kwargs)


class GoldenRecord(GuardedModel):
    """One golden record: `uid` is public and for ever, `code` is for people, `version` counts applied changes."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.CharField(max_length=40, unique=True)
    status = models.CharField(max_length=10, choices=RecordStatus.choices, default=RecordStatus.ACTIVE)
    version = models.PositiveIntegerField(default=1)
    merged_into = models.UUIDField(null=True, blank=True)
    search_text = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    history = HistoricalRecords(inherit=True, excluded_fields=["search_text"])

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.code


class GoldenChild(GuardedModel):
    """A row inside a golden record. Concrete children add `record`, a foreign key to their record."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    position = models.PositiveSmallIntegerField(default=0)
    history = HistoricalRecords(inherit=True)

    class Meta:
        abstract = True
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return str(self.uid)


class DatedRecord(GoldenRecord):
    """A golden record whose values hold for periods. Its columns show what held on the day it was last written, which
    is never before the last day on which something changed: `next_change` says when to write it again.
    """

    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)
    validity = models.CharField(max_length=7, choices=[(v, v.capitalize()) for v in ("planned", "current", "ended")])
    next_change = models.DateField(null=True, blank=True, editable=False, db_index=True)

    class Meta:
        abstract = True


class GoldenPeriod(GoldenChild):
    """A period of a dated record, half-open; the database itself lets no two of a record overlap.

    The record's id is a range of one number, so that the constraint needs no extension. It is checked at the end of the
    transaction: a period is cut and another put in between, in whatever order.
    """

    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)

    class Meta(GoldenChild.Meta):
        abstract = True
        constraints = [
            models.CheckConstraint(
                name="%(class)s_not_empty",
                condition=models.Q(valid_from=None) | models.Q(valid_to=None) | models.Q(valid_from__lt=F("valid_to")),
            ),
            ExclusionConstraint(
                name="%(class)s_no_overlap",
                expressions=[
                    (Func(F("record_id"), F("record_id"), Value("[]"), function="int8range"), RangeOperators.OVERLAPS),
                    (Func(F("valid_from"), F("valid_to"), function="daterange"), RangeOperators.OVERLAPS),
                ],
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]


def text_list(**kwargs: Any) -> ArrayField[Any, Any]:
    return ArrayField(models.CharField(max_length=200), default=list, blank=True, **kwargs)
