"""Numbers about the hub as a whole: how complete its records are and were, and how long requests take.

Quality score of a record type: the share, in percent, of key parts that active records have and that hold,

    100 · Σ parts that hold / (number of key parts · number of active records)

Key parts are the fields shown in the list of the type by default (its code, name, status and dates aside) and each list
inside the record. A field holds when it is filled and, where it names another record, that record is neither retired nor
merged; a list holds when it has a row. Everything else a value must satisfy is checked before it is stored, so a filled
value is a valid one. The score of a past day is today's, less what the versions written since then added: each version
counts by how many more parts hold than in the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from mdm import registry
from mdm.models import ChangeRequest, RecordVersion
from mdm.registry import RecordType

MOST_VERSIONS = 100_000  # in the time looked back at; after a load beyond this the past is not worked out
_GONE = ("retired", "merged")
_NO_PART = ("status", "code")


@dataclass(frozen=True)
class Quality:
    """`holds`: how many active records have each key part; `days`: the score at the end of each day, None before."""

    records: int
    holds: dict[str, int]
    days: list[tuple[date, float | None]]

    @property
    def score(self) -> float | None:
        return _score(sum(self.holds.values()), len(self.holds), self.records)

    @property
    def weakest(self) -> str:
        return min(self.holds, key=lambda part: self.holds[part]) if self.holds else ""


def _score(holding: int, parts: int, records: int) -> float | None:
    return round(100 * holding / (parts * records), 1) if parts and records > 0 else None


def measured() -> list[RecordType]:
    """Types whose quality is measured: those that are matched, because they come from outside and from several sides."""
    return [kind for kind in registry.all_types() if kind.match is not None]


def parts(kind: RecordType) -> list[str]:
    fields = kind.document.model_fields
    shown = [c.name for c in kind.columns if c.default and c.name in fields and c.name != kind.name_field]
    return [*(name for name in shown if name not in _NO_PART), *(child.name for child in kind.children)]


def quality(kind: RecordType, days: int = 30) -> Quality:
    """One query for today, two for the past."""
    names = parts(kind)
    active = kind.model._default_manager.filter(status="active")
    counted = {f"part_{i}": Count("pk", filter=_holds(kind, name)) for i, name in enumerate(names)}
    found = active.aggregate(records=Count("pk"), **counted)
    holds: dict[str, int] = {name: found[f"part_{i}"] for i, name in enumerate(names)}
    return Quality(found["records"], holds, _past(kind, names, found["records"], sum(holds.values()), days))


def _holds(kind: RecordType, name: str) -> Q:
    child = next((child for child in kind.children if child.name == name), None)
    if child is not None:
        return Q(Exists(child.model._default_manager.filter(record=OuterRef("pk"))))
    filled = Q(**{f"{name}__isnull": False}) & ~Q(**{name: ""})
    target = _live(kind, name)
    return filled & Q(**{f"{name}__in": target}) if target is not None else filled


def _live(kind: RecordType, name: str) -> QuerySet[Any, Any] | None:
    """Codes a reference may hold; references by uid are no key parts."""
    if name not in kind.references:
        return None
    model = registry.get(kind.references[name]).model
    return model._default_manager.exclude(status__in=_GONE).values("code")


# --- the past -------------------------------------------------------------------------------------------------


def _past(kind: RecordType, names: list[str], records: int, holding: int, days: int) -> list[tuple[date, float | None]]:
    today = timezone.localdate()
    first = today - timedelta(days=days - 1)
    written = RecordVersion.objects.filter(type=kind.key, created_at__date__gte=first)
    if not records or written.order_by("pk")[MOST_VERSIONS:].exists():
        return [(today, _score(holding, len(names), records))]
    gained = _gains(kind, names, first)
    found: list[tuple[date, float | None]] = []
    for back in range(days):
        day = today - timedelta(days=back)
        found.append((day, _score(holding, len(names), records)))
        more_parts, more_records = gained.get(day, (0, 0))
        holding, records = holding - more_parts, records - more_records
    return found[::-1]


def _gains(kind: RecordType, names: list[str], first: date) -> dict[date, tuple[int, int]]:
    """{day: (parts that hold, active records) more than the day before}; every version counts against the one before.

    The parts are read from the documents: names and references come from the declared type, never from outside.
    """
    sums = [_sum(kind, names, side) for side in ("v", "w")]
    sql = f"""
        SELECT v.created_at::date,
               sum((v.status = 'active')::int * ({sums[0]}) - coalesce((w.status = 'active')::int * ({sums[1]}), 0)),
               sum((v.status = 'active')::int - coalesce((w.status = 'active')::int, 0))
        FROM mdm_recordversion v
        LEFT JOIN mdm_recordversion w ON w.uid = v.uid AND w.version = v.version - 1
        WHERE v.type = %s AND v.created_at >= %s
        GROUP BY 1
    """
    start = datetime.combine(first, time(), timezone.get_current_timezone())
    with connection.cursor() as cursor:
        cursor.execute(sql, [kind.key, start])
        return {day: (int(more), int(records)) for day, more, records in cursor.fetchall()}


def _sum(kind: RecordType, names: list[str], side: str) -> str:
    children = {child.name for child in kind.children}
    terms = []
    for name in names:
        if name in children:
            terms.append(f"(jsonb_typeof({side}.document->'{name}') = 'array' AND {side}.document->'{name}' <> '[]')")
        elif name in kind.references:
            table = registry.get(kind.references[name]).model._meta.db_table
            live = f"SELECT code FROM {table} WHERE status NOT IN ('retired', 'merged')"
            terms.append(f"({side}.document->>'{name}' IN ({live}))")
        else:
            terms.append(f"(coalesce({side}.document->>'{name}', '') <> '')")
    return " + ".join(f"coalesce({term}, false)::int" for term in terms) or "0"


# --- requests -------------------------------------------------------------------------------------------------


def cycle_times(since: datetime, until: datetime) -> dict[str, float]:
    """{kind of request: median seconds from being sent to being applied}, of requests that people decided.

    Requests that wait for their date are left out: that is no delay.
    """
    sql = """
        SELECT c.kind, percentile_cont(0.5) WITHIN GROUP (
            ORDER BY extract(epoch FROM c.applied_at - coalesce(c.submitted_at, c.created_at)))
        FROM mdm_changerequest c
        WHERE c.applied_at >= %s AND c.applied_at < %s AND c.state = 'applied'
          AND (c.effective_on IS NULL OR c.effective_on <= c.created_at::date)
          AND EXISTS (SELECT 1 FROM mdm_approvalstep s WHERE s.request_id = c.id)
        GROUP BY c.kind ORDER BY c.kind
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [since, until])
        return {kind: float(seconds) for kind, seconds in cursor.fetchall()}


def waiting(rows: QuerySet[ChangeRequest]) -> dict[str, int]:
    """How many, how many of them late, and how many due by the end of today."""
    now = timezone.now()
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return rows.order_by().aggregate(
        all=Count("pk"),
        late=Count("pk", filter=Q(due_at__lt=now)),
        today=Count("pk", filter=Q(due_at__gte=now, due_at__lt=midnight)),
    )
