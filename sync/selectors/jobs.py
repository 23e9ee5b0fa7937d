"""Reads push jobs and their rows: lists, the JSON of the API, words and numbers of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from mdm.crypto import mask_tree
from mdm.errors import NotFound
from mdm.selectors.visibility import Entities
from sync.models import PushJob, PushRow
from sync.models.job import LIVE
from sync.selectors import sight
from sync.selectors.sight import Sight
from sync.services.replay import Replay


def jobs() -> QuerySet[PushJob]:
    return PushJob.objects.select_related("target__system", "requested_by", "approved_by", "parent")


def find(uid: str | UUID) -> PushJob:
    try:
        row = jobs().filter(uid=UUID(str(uid))).first()
    except ValueError:
        row = None
    if row is None:
        raise NotFound("There is no such push job.")
    return row


def matching(rows: QuerySet[PushJob], filter: Mapping[str, Any]) -> QuerySet[PushJob]:
    columns = {"target": "target__code", "state": "state", "kind": "kind", "batch": "batch"}
    for name, column in columns.items():
        if filter.get(name) not in (None, ""):
            rows = rows.filter(**{column: filter[name]})
    return rows


def rows_of(job: PushJob, entities: Entities, filter: Mapping[str, Any] | None = None) -> QuerySet[PushRow]:
    rows = sight.seen(PushRow.objects.filter(job=job).select_related("source", "made"), entities)
    for name in ("state", "effect"):
        if filter and filter.get(name) not in (None, ""):
            rows = rows.filter(**{name: filter[name]})
    return rows


def waiting_for(user: Any) -> int:
    """Jobs that wait for somebody else than who asked, as this person sees it."""
    waiting = PushJob.objects.filter(state="waiting", needs_approval=True)
    return waiting.filter(~Q(requested_by=user.pk) | Q(requested_by=None)).count()


def progress(job: PushJob) -> float | None:
    """0 to 1; None while it is not known how much there is."""
    if job.state not in LIVE:
        return 1.0
    return min(1.0, round(job.done / job.total, 3)) if job.total and job.state != "building" else None


def as_json(job: PushJob) -> dict[str, Any]:
    return {
        "uid": str(job.uid),
        "batch": str(job.batch),
        "target": job.target.code,
        "kind": job.kind,
        "scope": job.scope,
        "forced": job.forced,
        "reason": job.reason,
        "state": job.state,
        "rate_per_s": job.rate_per_s,
        "needs_approval": job.needs_approval,
        "total": job.total,
        "sends": job.sends,
        "done": job.done,
        "progress": progress(job),
        "counts": job.counts,
        "content_hash": job.content_hash,
        "error": job.error,
        "parent": str(job.parent.uid) if job.parent else None,
        "requested_by": job.requested_by_name,
        "approved_by": name_of(job.approved_by) if job.approved_by else None,
        "approved_at": _iso(job.approved_at),
        "comment": job.comment,
        "correlation_id": job.correlation_id,
        "created_at": job.created_at.isoformat(),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
    }


def name_of(user: Any) -> str:
    return user.get_full_name() or user.get_username()


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None


def changes_of(row: PushRow, seen: Sight) -> list[dict[str, Any]]:
    """The planned changes a person may see; bank numbers masked."""
    return [one for one in mask_tree(row.changes) if not seen.hides(row.type, row.record, one["path"], one["field"])]


def sight_of(rows: Iterable[PushRow], entities: Entities) -> Sight:
    return sight.over(((row.type, row.record) for row in rows), entities)


def rows_as_json(rows: Sequence[PushRow], entities: Entities) -> list[dict[str, Any]]:
    seen = sight_of(rows, entities)
    return [_row_as_json(row, seen) for row in rows]


def _row_as_json(row: PushRow, seen: Sight) -> dict[str, Any]:
    changes = changes_of(row, seen)
    return {
        "place": row.place,
        "type": row.type,
        "record": str(row.record),
        "label": row.label,
        "key": row.key,
        "source": str(row.source.uid) if row.source else None,
        "version": row.version,
        "effect": row.effect or None,
        "changes": changes,
        "hidden": len(row.changes) - len(changes),
        "planned_version": row.planned_version,
        "state": row.state,
        "why": row.why,
        "delivery": str(row.made.uid) if row.made else None,
    }


def replay_as_json(found: Replay, dry_run: bool) -> dict[str, Any]:
    return {
        "filter": found.filter,
        "dry_run": dry_run,
        "counts": dict(found.counts),
        "targets": [
            {
                "target": look.target.code,
                "found": look.found,
                "states": look.states,
                "lanes": look.lanes,
                "records": look.records,
                "newer": look.newer,
                "counts": dict(look.counts),
                "exact": look.exact,
            }
            for look in found.looks
        ],
        "jobs": [as_json(job) for job in found.jobs],
    }
