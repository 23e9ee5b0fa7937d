"""Reads drift: runs, findings with masked values, where differences gather, and how they developed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from mdm import registry
from mdm.crypto import mask_tree
from mdm.errors import NotFound
from mdm.selectors.visibility import Entities
from mdm.web import charts, grids
from sync import labels
from sync.models import DriftFinding, DriftRun, Target
from sync.selectors import sight
from sync.selectors.sight import Sight

ROWS = 8  # of the heat map; the rest is one row
MOST_PATHS = 5_000  # different ones looked at when a field is asked for by its words
_OTHER = "All other fields"


def runs() -> QuerySet[DriftRun]:
    return DriftRun.objects.select_related("target")


def find_run(uid: str | UUID) -> DriftRun:
    return _find(runs(), uid, "There is no such drift run.")


def findings(entities: Entities) -> QuerySet[DriftFinding]:
    rows = DriftFinding.objects.select_related("target", "last_run", "delivery", "change")
    return sight.seen(rows, entities)


def find_finding(uid: str | UUID, entities: Entities) -> DriftFinding:
    return _find(findings(entities), uid, "There is no such finding.")


def _find(rows: QuerySet[Any], uid: str | UUID, words: str) -> Any:
    try:
        row = rows.filter(uid=UUID(str(uid))).first()
    except ValueError:
        row = None
    if row is None:
        raise NotFound(words)
    return row


def matching(rows: QuerySet[DriftFinding], filter: Mapping[str, Any]) -> QuerySet[DriftFinding]:
    """By run (the last that saw it), target code, state, kind, cause, type, record, field."""
    columns = {
        "run": "last_run__uid",
        "target": "target__code",
        "state": "state",
        "kind": "kind",
        "cause": "cause",
        "type": "type",
        "record": "record",
        "field": "field",
    }
    for name, column in columns.items():
        if filter.get(name) not in (None, ""):
            rows = rows.filter(**{column: filter[name]})
    return rows


def run_as_json(run: DriftRun) -> dict[str, Any]:
    return {
        "uid": str(run.uid),
        "target": run.target.code,
        "type": run.type or None,
        "record": str(run.record) if run.record else None,
        "changed_since": run.changed_since.isoformat() if run.changed_since else None,
        "state": run.state,
        "progress": _progress(run),
        "done": run.done,
        "total": run.total,
        "counts": counts_of(run),
        "timings": run.timings,
        "error": run.error,
        "report_hash": run.report_hash,
        "requested_by": run.requested_by_name,
        "correlation_id": run.correlation_id,
        "created_at": run.created_at.isoformat(),
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
    }


def _progress(run: DriftRun) -> float | None:
    if run.state == "done":
        return 1.0
    return min(1.0, round(run.done / run.total, 3)) if run.total else None


def counts_of(run: DriftRun) -> dict[str, int]:
    """Every count is there, also those that are nought."""
    names = ("scanned", "unchanged", "compared", *DriftFinding.KINDS, "new_findings", "resolved")
    return {name: int(run.counts.get(name, 0)) for name in names}


def sight_of(rows: Iterable[DriftFinding], entities: Entities) -> Sight:
    return sight.over(((row.type, row.record) for row in rows), entities)


def hides(row: DriftFinding, seen: Sight) -> bool:
    return seen.hides(row.type, row.record, row.path, row.field)


def findings_as_json(rows: Sequence[DriftFinding], entities: Entities) -> list[dict[str, Any]]:
    seen = sight_of(rows, entities)
    return [_finding_as_json(row, hides(row, seen)) for row in rows]


def _finding_as_json(row: DriftFinding, hidden: bool) -> dict[str, Any]:
    return {
        "uid": str(row.uid),
        "run": str(row.last_run.uid),
        "target": row.target.code,
        "type": row.type,
        "record": str(row.record) if row.record else None,
        "label": row.label,
        "target_key": row.target_key,
        "kind": row.kind,
        "field": row.field,
        "path": row.path,
        "golden": None if hidden else mask_tree(row.golden),
        "target_value": None if hidden else mask_tree(row.target_value),
        "hidden": hidden,
        "cause": row.cause,
        "state": row.state,
        "first_seen_at": row.first_seen_at.isoformat(),
        "last_seen_at": row.last_seen_at.isoformat(),
        "decided_by": row.decided_by,
        "decided_at": row.decided_at.isoformat() if row.decided_at else None,
        "reason": row.reason,
        "ignored_until": row.ignored_until.isoformat() if row.ignored_until else None,
        "delivery": str(row.delivery.uid) if row.delivery else None,
        "change_request": str(row.change.uid) if row.change else None,
    }


def heat_map(run: DriftRun | None = None, url_of: Callable[[str, str], str] | None = None) -> grids.HeatMap | None:
    """Open differences by document field and target; a run's own when one is given.

    `url_of`: (field in words, code of the target) -> the list behind the number.
    """
    rows = DriftFinding.objects.filter(state="open")
    # Over all runs only what needs a person, as in the rail; a run's own page shows everything it found.
    rows = rows.filter(last_run=run) if run else rows.exclude(cause="never_pushed")
    found = rows.order_by().values_list("type", "path", "kind", "target__title").annotate(n=Count("pk"))
    totals: dict[str, int] = {}
    cells: dict[tuple[str, str], int] = {}
    for type, path, kind, title, number in found:
        name = field_words(type, path, kind)
        totals[name] = totals.get(name, 0) + number
        cells[(name, title)] = cells.get((name, title), 0) + number
    if not totals:
        return None
    first = sorted(totals, key=lambda name: (-totals[name], name))[:ROWS]
    looked_at = Target.objects.filter(pk=run.target_id) if run else Target.objects.filter(active=True).order_by("code")
    codes = {target.title: target.code for target in looked_at}
    columns = list(codes)
    shown: dict[tuple[str, str], grids.HeatCell] = {}
    for name in first:
        for title, code in codes.items():
            value = cells.get((name, title), 0)
            shown[(name, title)] = grids.HeatCell(value, url_of(name, code) if url_of and value else "")
    rest = set(totals) - set(first)
    names = list(first)
    if rest:
        names.append(_OTHER)
        for title in columns:
            shown[(_OTHER, title)] = grids.HeatCell(sum(cells.get((name, title), 0) for name in rest))
    return grids.heat(names, columns, shown, title="Open differences by field and target")


def field_words(type: str, path: str, kind: str) -> str:
    """What differs, in the words of the field: “Address · city”."""
    if not path:
        return {"missing": "Record missing there", "extra": "Record extra there", "duplicate_key": "Several keys"}.get(
            kind, "Whole record"
        )
    return labels.of(registry.find(type), path)


def about(rows: QuerySet[DriftFinding], words: str) -> QuerySet[DriftFinding]:
    """The findings that `field_words` calls so; what the heat map leads to."""
    near = rows.filter(_beginning(words)).order_by().values_list("type", "path", "kind").distinct()
    found = {row for row in near[:MOST_PATHS] if field_words(*row) == words}
    return rows.filter(path__in={path for _, path, _ in found}, kind__in={kind for _, _, kind in found})


def _beginning(words: str) -> Q:
    """Paths that can be called so: of records as a whole, or of the fields with that label."""
    label = words.partition(" · ")[0].partition(" (")[0]
    condition = Q(path="")
    for kind in registry.all_types():
        for name in kind.document.model_fields:
            if kind.label(name) == label:
                condition |= Q(type=kind.key, path__startswith=name) | Q(type=kind.key, path__startswith=f"$.{name}")
    return condition


def trend(days: int = 30) -> charts.LineChart | None:
    """Open findings at the end of each day, from when they were first seen and when they were settled.

    Of the days before anybody looked nothing is known, so the line begins with the first; one day is no line.
    """
    today = timezone.now().date()
    first = today - timedelta(days=days - 1)
    rows = DriftFinding.objects.exclude(resolved_at__date__lt=first).values_list("first_seen_at", "resolved_at")
    spans = [(seen.date(), gone.date() if gone else None) for seen, gone in rows.iterator(chunk_size=5000)]
    if not spans:
        return None
    first = max(first, min(seen for seen, _ in spans))
    points = []
    for number in range((today - first).days + 1):
        day = first + timedelta(days=number)
        points.append((f"{day:%d %b}", sum(seen <= day and (gone is None or gone > day) for seen, gone in spans)))
    if len(points) < 2:
        return None
    return charts.line(points, title="Open differences", value_name="Differences")
