"""Owns selective repetition: choose dead letters or whole stretches of the ledger, look first, then send what is current."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from mdm import correlation
from mdm.errors import CorrectInput, NotNow
from mdm.services import audit
from mdm.types import Actor, Problem
from sync.models import Delivery, ReplayJob, Target
from sync.models.states import DEAD, STATES
from sync.services import lanes, pushing
from sync.services.dispatch import Basis
from sync.services.exceptions import require_operate

FILTERS = (
    "target",
    "type",
    "record",
    "state",
    "error_code",
    "correlation_id",
    "created_from",
    "created_to",
    "uid",
)
_LOCK = 7_102  # one replay at a time: two with overlapping filters would queue twice


@transaction.atomic
def replay(*, filter: Mapping[str, Any], dry_run: bool = True, by: Actor) -> ReplayJob:
    """Queue the current version of every record that the filter finds; only counted when `dry_run`.

    Without a state the filter means dead letters nobody followed up. Repeating it changes nothing: what waits already
    is left alone, and followed-up letters are not found again.
    """
    require_operate(by)
    found = select(filter)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise NotNow("Another replay is being queued at this moment; try again when it is done.")
    counts: Counter[str] = Counter(found=0)
    groups: dict[tuple[int, str], dict[UUID, None]] = defaultdict(dict)
    for target_id, type, record in found.values_list("target", "type", "record").iterator(chunk_size=2000):
        counts["found"] += 1
        groups[(target_id, type)][record] = None
    counts["records"] = sum(len(records) for records in groups.values())
    for (target_id, type), records in groups.items():
        target = Target.objects.select_related("system").get(pk=target_id)
        basis = Basis(reason="replay", requested_by=by.name, priority=lanes.BULK)
        counts += pushing.push_records(target, type, records, basis, dry_run=dry_run).counts
    job = ReplayJob.objects.create(
        filter=dict(filter),
        dry_run=dry_run,
        counts=dict(counts),
        requested_by=by.user,
        requested_by_name=by.name,
        correlation_id=correlation.current(),
    )
    if not dry_run:
        audit.record(
            action="delivery.replayed", by=by, object_type="replay", object_uid=job.uid, object_label="Replay",
            detail={"filter": dict(filter), **counts},
        )  # fmt: skip
    return job


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
    return Q(**{f"{name}__in": several})


def _uid(name: str, value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise CorrectInput("Give a uid.", problems=[Problem(name, "invalid", "This is not a uid.")]) from None
