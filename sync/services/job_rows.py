"""Owns the rows of push jobs: which records a job means, chosen piece by piece, and the hash over what was chosen."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, Max, OuterRef
from django.utils.dateparse import parse_datetime

from mdm import registry
from mdm.errors import HubError
from mdm.models import Crosswalk
from mdm.types import canonical_bytes
from sync.models import Delivery, PushJob, PushRow
from sync.models.states import OPEN
from sync.selectors import dead_letters
from sync.services import pushing
from sync.services.dispatch import STOPPED, Basis

CHUNK = 500
HASHED = (
    "place",
    "type",
    "record",
    "source_id",
    "version",
    "forced",
    "key",
    "effect",
    "planned_version",
    "payload_hash",
    "remote_digest",
)


@dataclass(frozen=True)
class Candidate:
    type: str
    uid: str
    label: str
    source: Delivery | None = None


def build(job: PushJob) -> bool:
    """Choose the next piece; True when nothing is left to choose. Inside the caller's transaction, job locked."""
    candidates, onward = _candidates(job)
    left = _left_out(job, candidates)
    rows = _rows(job, [one for one in candidates if _name(job, one) not in left])
    before = job.total
    PushRow.objects.bulk_create(rows, ignore_conflicts=True)
    job.total = PushRow.objects.filter(job=job).count()
    counts = dict(job.counts)
    for why in left.values():
        counts[why] = counts.get(why, 0) + 1
    if job.forced and (again := len(rows) - (job.total - before)):
        counts["repeated_before"] = counts.get("repeated_before", 0) + again
    job.counts, job.cursor = counts, onward or {}
    return onward is None


def count(job: PushJob) -> Counter[str]:
    """What a job that is not on record would hold, over all its pieces."""
    counts: Counter[str] = Counter(queued=0, already_waiting=0, not_for_target=0)
    onward: dict[str, Any] | None = {}
    while onward is not None:
        job.cursor = onward
        candidates, onward = _candidates(job)
        left = _left_out(job, candidates)
        counts["queued"] += len(candidates) - len(left)
        counts.update(left.values())
    return counts


def hash_of(job: PushJob) -> str:
    """SHA-256 over every row as it was chosen and planned, in order; what is approved is what this says."""
    digest = hashlib.sha256(canonical_bytes([str(job.uid), job.target_id, job.kind, job.forced, job.scope]))
    rows = PushRow.objects.filter(job=job).order_by("place").values_list(*HASHED)
    for row in rows.iterator(chunk_size=2000):
        digest.update(canonical_bytes([str(value) if isinstance(value, UUID) else value for value in row]))
    return digest.hexdigest()


def _rows(job: PushJob, candidates: Sequence[Candidate]) -> list[PushRow]:
    # Not the number of rows: one that was there already (a record that failed twice) leaves a gap.
    last = PushRow.objects.filter(job=job).aggregate(last=Max("place"))["last"] or 0
    return [
        PushRow(
            job=job,
            place=place,
            type=one.type,
            record=UUID(one.uid),
            label=one.label[:300],
            source=one.source,
            version=one.source.version if one.source else None,
            forced=job.forced,
            key=one.source.target_key if one.source else "",
        )
        for place, one in enumerate(candidates, last + 1)
    ]


# --- who is meant -------------------------------------------------------------------------------------------------


def _candidates(job: PushJob) -> tuple[list[Candidate], dict[str, Any] | None]:
    """The next piece by the job's cursor, and the cursor after it; None when that was the last."""
    if job.kind == "replay":
        return _letters(job)
    if job.kind == "repeat":
        return _failed(job)
    return _records(job)


def _letters(job: PushJob) -> tuple[list[Candidate], dict[str, Any] | None]:
    found = dead_letters.select(job.scope["filter"]).filter(
        target=job.target_id, pk__gt=job.cursor.get("pk", 0), pk__lte=job.scope["until"]
    )
    if job.forced:  # of one key only the newest of what failed: the older ones were overtaken by it
        later = dead_letters.select(job.scope["filter"]).filter(
            lane=OuterRef("lane"), pk__gt=OuterRef("pk"), pk__lte=job.scope["until"]
        )
        found = found.filter(~Exists(later))
    rows = list(found.select_related("lane", "target").order_by("pk")[:CHUNK])
    chosen = [Candidate(row.type, str(row.record), row.label, row) for row in rows if registry.find(row.type)]
    return chosen, {"pk": rows[-1].pk} if len(rows) == CHUNK else None


def _failed(job: PushJob) -> tuple[list[Candidate], dict[str, Any] | None]:
    """What came of the rows of an earlier job that did not arrive, and that nothing followed."""
    found = PushRow.objects.filter(
        job=job.parent_id, state__in=("refused", "failed"), made__corrected_by=None, pk__gt=job.cursor.get("pk", 0)
    )
    rows = list(found.select_related("made__lane", "made__target").order_by("pk")[:CHUNK])
    chosen = [Candidate(row.type, str(row.record), row.label, row.made) for row in rows]
    return chosen, {"pk": rows[-1].pk} if len(rows) == CHUNK else None


def _records(job: PushJob) -> tuple[list[Candidate], dict[str, Any] | None]:
    types, at = job.scope["types"], job.cursor.get("type", 0)
    if at >= len(types):
        return [], None
    kind = registry.get(types[at])
    found = kind.model._default_manager.filter(pk__gt=job.cursor.get("pk", 0)).exclude(status="merged")
    if since := job.scope.get("since"):
        found = found.filter(updated_at__gte=parse_datetime(since))
    if wanted := job.scope.get("records"):
        found = found.filter(uid__in=wanted)
    rows = list(found.order_by("pk").values_list("pk", "uid", "code", kind.name_field)[:CHUNK])
    chosen = [Candidate(kind.key, str(uid), f"{code} {name}".strip()) for _, uid, code, name in rows]
    if len(rows) == CHUNK:
        return chosen, {"type": at, "pk": rows[-1][0]}
    return chosen, {"type": at + 1, "pk": 0} if at + 1 < len(types) else None


# --- who is left out ----------------------------------------------------------------------------------------------


def _name(job: PushJob, one: Candidate) -> tuple[str, str]:
    return (one.type, str(one.source.pk) if job.forced and one.source else one.uid)


def _left_out(job: PushJob, candidates: Sequence[Candidate]) -> dict[tuple[str, str], str]:
    """{name: why nothing would be sent}, chosen by the rules that hold when it is sent."""
    if job.forced:
        sources = [one.source for one in candidates if one.source]
        refusals = why_not_forced(sources)
        return {(one.type, str(one.pk)): refusals[one.pk] for one in sources if one.pk in refusals}
    left: dict[tuple[str, str], str] = {}
    by_type: dict[str, list[str]] = defaultdict(list)
    poison = {one.uid for one in candidates if one.source and one.source.state == "poison"}
    for one in candidates:
        by_type[one.type].append(one.uid)
    for type, uids in by_type.items():
        try:
            subscription = pushing.subscription_of(job.target, type)
        except HubError:
            left |= {(type, uid): "not_for_target" for uid in uids}
            continue
        for uid, choice in pushing.choose(subscription, uids, Basis(reason="replay")).items():
            # A plan also shows what is on its way; behind a poisonous delivery things wait that are to go on.
            kept = choice.wants and (job.kind == "plan" or uid in poison)
            if choice.why and not kept:
                left[(type, uid)] = choice.why
    return left


def why_not_forced(sources: Iterable[Delivery]) -> dict[int, str]:
    """{delivery: why its old version must not be sent}: never onto a stopped record, another's key, or newer work."""
    rows = list(sources)
    found: dict[int, str] = {}
    stopped: set[str] = set()
    for type in {row.type for row in rows}:
        model = registry.get(type).model
        uids = [row.record for row in rows if row.type == type]
        gone = model._default_manager.filter(uid__in=uids, status__in=(*STOPPED, "merged"))
        stopped |= {str(uid) for uid in gone.values_list("uid", flat=True)}
    lanes = {row.lane_id for row in rows}
    busy = Delivery.objects.filter(lane__in=lanes, state__in=(*OPEN, "held")).values_list("lane", flat=True)
    under_way = set(busy)
    keys = Crosswalk.objects.filter(
        system__in={row.target.system_id for row in rows}, key__in={row.lane.target_key for row in rows},
        active=True, primary=True,
    )  # fmt: skip
    primary = set(keys.values_list("key", "uid"))
    for row in rows:
        if row.lane_id in under_way:
            found[row.pk] = "already_waiting"
        elif (
            row.action == "upsert"
            and str(row.record) in stopped
            or row.lane.uid != row.record
            or row.lane.target_key
            and row.action == "upsert"
            and (row.lane.target_key, row.record) not in primary
        ):
            found[row.pk] = "not_for_target"
    return found
