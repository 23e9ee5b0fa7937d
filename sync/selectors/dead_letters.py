"""Reads dead letters: what a filter of deliveries means, and what repeating them would do, before it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.utils.dateparse import parse_datetime

from mdm import registry
from mdm.errors import CorrectInput, HubError
from mdm.types import Problem
from sync.models import Delivery, Target
from sync.models.states import DEAD, STATES
from sync.services import pushing
from sync.services.dispatch import Basis

FILTERS = (
    "target",
    "type",
    "record",
    "state",
    "error_code",
    "correlation_id",
    "created_from",
    "created_to",
    "q",
    "uid",
)
COUNTED = 1_000  # records of one target looked at one by one; the rows of the job know the exact number of more
SAMPLES = 8


def dead() -> QuerySet[Delivery]:
    """Dead letters nobody followed up; those that were are kept too, and found by their state."""
    return Delivery.objects.filter(state__in=DEAD, corrected_by=None)


def select(filter: Mapping[str, Any]) -> QuerySet[Delivery]:
    """The deliveries a filter names; an unknown or empty filter is refused rather than meaning everything."""
    unknown = sorted(set(filter) - set(FILTERS))
    if unknown:
        problems = [Problem(name, "unknown_field", "There is no such filter.") for name in unknown]
        raise CorrectInput(f"A replay can be filtered by: {', '.join(FILTERS)}.", problems=problems)
    given = {name: value for name, value in filter.items() if value not in (None, "", [])}
    if not given:
        raise CorrectInput("Say what to repeat: give at least one filter.")
    condition = Q()
    for name, value in given.items():
        condition &= _condition(name, value)
    if "state" not in given and "uid" not in given:
        condition &= Q(state__in=DEAD, corrected_by=None)
    return Delivery.objects.filter(condition).order_by("pk")


def _condition(name: str, value: Any) -> Q:
    several = value if isinstance(value, list) else [value]
    if name == "target":
        return Q(target__code__in=several)
    if name in ("record", "uid"):
        return Q(**{f"{name}__in": [_uid(name, item) for item in several]})
    if name in ("created_from", "created_to"):
        moment = parse_datetime(str(value)) if isinstance(value, str) else None
        if moment is None or moment.tzinfo is None:
            raise CorrectInput(
                "Give a time with its zone.",
                problems=[Problem(name, "invalid", "Such as 2026-05-01T00:00:00Z.")],
            )
        return Q(created_at__gte=moment) if name == "created_from" else Q(created_at__lte=moment)
    if name == "state" and not set(several) <= set(STATES):
        raise CorrectInput(
            "There is no such state.", problems=[Problem(name, "invalid", f"One of {', '.join(STATES)}.")]
        )
    if not all(isinstance(item, str) for item in several):
        raise CorrectInput("Give text.", problems=[Problem(name, "invalid", "Give text, or a list of texts.")])
    if name == "q":
        return Q(label__icontains=several[0]) | Q(error_text__icontains=several[0]) | Q(target_key=several[0])
    return Q(**{f"{name}__in": several})


def _uid(name: str, value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise CorrectInput("Give a uid.", problems=[Problem(name, "invalid", "This is not a uid.")]) from None


# --- the look before a replay -------------------------------------------------------------------------------------


@dataclass
class Look:
    """What repeating would do at one target. `exact`: False when more than `COUNTED` records are concerned, so that
    the counts of `counts` are of the first ones only."""

    target: Target
    found: int = 0
    states: dict[str, int] = field(default_factory=dict)
    lanes: int = 0
    records: int = 0
    newer: int = 0  # a newer version would be sent than the one that failed
    counts: Counter[str] = field(default_factory=Counter)
    exact: bool = True
    samples: list[Delivery] = field(default_factory=list)

    @property
    def queued(self) -> int:
        return self.counts["queued"]


def look(filter: Mapping[str, Any]) -> list[Look]:
    """One per target that has something to repeat, by code."""
    found = select(filter)
    codes = found.order_by().values_list("target", flat=True).distinct()
    targets = Target.objects.select_related("system").filter(pk__in=list(codes)).order_by("code")
    return [_look(target, found.filter(target=target)) for target in targets]


def _look(target: Target, found: QuerySet[Delivery]) -> Look:
    seen = Look(target)
    seen.states = dict(found.order_by().values_list("state").annotate(n=Count("pk")))
    seen.found = sum(seen.states.values())
    totals = found.order_by().aggregate(lanes=Count("lane", distinct=True), records=Count("record", distinct=True))
    seen.lanes, seen.records = totals["lanes"], totals["records"]
    for type in sorted(set(found.order_by().values_list("type", flat=True).distinct())):
        if registry.find(type) is None:
            continue
        model = registry.get(type).model
        in_force = model._default_manager.filter(uid=OuterRef("record")).values("version")[:1]
        rows = found.filter(type=type).annotate(current=Subquery(in_force))
        seen.newer += rows.filter(current__gt=F("version")).order_by().values("record").distinct().count()
        seen.samples += list(rows.select_related("target").order_by("-pk")[: SAMPLES - len(seen.samples)])
        records = [
            str(uid) for uid in rows.order_by("record").values_list("record", flat=True).distinct()[: COUNTED + 1]
        ]
        if len(records) > COUNTED:
            seen.exact = False
        seen.counts += _choices(target, type, records[:COUNTED])
    return seen


def _choices(target: Target, type: str, records: list[str]) -> Counter[str]:
    try:
        subscription = pushing.subscription_of(target, type)
    except HubError:  # no longer subscribed, or the platform never took it
        return Counter(not_for_target=len(records))
    counts: Counter[str] = Counter()
    for start in range(0, len(records), pushing.CHUNK):
        chunk = records[start : start + pushing.CHUNK]
        for choice in pushing.choose(subscription, chunk, Basis(reason="replay")).values():
            counts[choice.why or "queued"] += 1
    return counts
