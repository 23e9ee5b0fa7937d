"""Looking through all records for duplicates: parts in PostgreSQL, taken by however many workers there are."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Now
from django.utils import timezone

from mdm.errors import AlreadyDone, CorrectInput, NotNow
from mdm.models import MatchProfile, MatchRun, MatchRunPart
from mdm.registry import RecordType
from mdm.services import audit, comparisons, indexing, match_jobs
from mdm.types import Actor

PART = 2_000  # records of a part: what a crash costs at most
_BATCH = 250  # records compared at once: bounds memory and how long pairs are locked
LEASE = timedelta(minutes=2)  # renewed with every batch


@dataclass(frozen=True)
class Progress:
    """How far a run is. Counts are records, comparisons and pairs."""

    records: int
    done: int
    compared: int
    found: int
    parts: int
    parts_done: int


def start(*, kind: RecordType, by: Actor) -> MatchRun:
    """Cut the records into parts and have what is rare counted afresh; workers take them once it is told what that flips."""
    if kind.match is None:
        raise CorrectInput(f"{kind.plural} are not matched.")
    try:
        with transaction.atomic():
            run = MatchRun.objects.create(type=kind.key, asked_by=by.user, asked_by_name=by.name)
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO mdm_matchrunpart (run_id, start, stop, records, done, compared, found) "
                    "SELECT %s, min(id), max(id) + 1, count(*), false, 0, 0 FROM (SELECT id, "
                    "(row_number() OVER (ORDER BY id) - 1) / %s AS part FROM mdm_matchprofile WHERE type = %s) p "
                    "GROUP BY part ORDER BY part",
                    [run.pk, PART, kind.key],
                )
            if run.parts.exists():
                with contextlib.suppress(AlreadyDone):  # a count under way is as good as one of its own
                    match_jobs.queue(type_key=kind.key, task="snapshot", by=by, plan={"cause": "look"})
            about = {"object_type": "match_run", "object_uid": run.uid, "object_label": kind.plural}
            audit.record(action="match_run.started", by=by, **about)
    except IntegrityError:
        raise NotNow(f"Somebody is looking through the {kind.nouns} already: wait for it to end.") from None
    _end_if_done(run.pk)
    return run


def cancel(*, run: MatchRun, by: Actor) -> None:
    """What was found stays in the queue."""
    with transaction.atomic():
        if MatchRun.objects.filter(pk=run.pk, state="running").update(state="cancelled", ended_at=timezone.now()):
            audit.record(action="match_run.cancelled", by=by, object_type="match_run", object_uid=run.uid)


def work(*, worker: uuid.UUID, until: datetime | None = None) -> int:
    """Take and work parts of running looks until none is free (or the time is over); how many parts."""
    count = 0
    while (until is None or timezone.now() < until) and (part := _take(worker)):
        _work(part, worker)
        count += 1
    return count


def waiting() -> int:
    """Parts that nobody works on."""
    return _free().count()


def progress(run: MatchRun) -> Progress:
    totals = run.parts.aggregate(
        all=Sum("records"), past=Sum("records", filter=Q(done=True)), pairs=Sum("compared"), new=Sum("found")
    )
    parts = run.parts.count()
    return Progress(
        records=totals["all"] or 0,
        done=totals["past"] or 0,
        compared=totals["pairs"] or 0,
        found=totals["new"] or 0,
        parts=parts,
        parts_done=run.parts.filter(done=True).count(),
    )


def _free() -> QuerySet[MatchRunPart]:
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    return MatchRunPart.objects.filter(free, done=False, run__state="running", run__snapshot__isnull=False)


def _take(worker: uuid.UUID) -> MatchRunPart | None:
    with transaction.atomic():
        part = _free().select_for_update(skip_locked=True, of=("self",)).select_related("run").order_by("id").first()
        if part:
            part.worker = worker
            MatchRunPart.objects.filter(pk=part.pk).update(worker=worker, lease_until=Now() + LEASE)
        return part


def _work(part: MatchRunPart, worker: uuid.UUID) -> None:
    from mdm import registry

    kind = registry.get(part.run.type)
    store = indexing.StoredKeys(kind.key)
    engine, rarity = indexing.in_force(kind.key)
    compared = found = 0
    after = part.start - 1
    while True:
        rows = list(
            MatchProfile.objects.filter(type=kind.key, pk__gt=after, pk__lt=part.stop)
            .order_by("pk")
            .values_list("pk", "uid", "features")[:_BATCH]
        )
        if not rows:
            break
        after = rows[-1][0]
        found_near = store.profiles_near([features for _, _, features in rows], limit=None, rarity=rarity)
        profiles = {uid: pk for around in found_near for pk, uid, _ in around} | {str(uid): pk for pk, uid, _ in rows}
        # Of a pair only one side looks at it: the one with the smaller uid.
        near = [[(u, f) for _, u, f in c if u > str(uid)] for (_, uid, _), c in zip(rows, found_near, strict=True)]
        compared += sum(map(len, near))
        ranked = engine.rank_all([features for _, _, features in rows], near, limit=50, rarity=rarity)
        scored = [(str(uid), other, score) for (_, uid, _), c in zip(rows, ranked, strict=True) for other, score in c]
        new, late = comparisons.record_if_same(kind=kind, scored=scored, profiles=profiles)
        comparisons.put_down(kind, (uid for left, right, _ in scored for uid in {left, right} & late))
        found += new
        if not MatchRunPart.objects.filter(pk=part.pk, worker=worker, run__state="running").update(
            lease_until=Now() + LEASE
        ):
            return  # cancelled, or held for lost and given to another: what was found stays
    MatchRunPart.objects.filter(pk=part.pk, worker=worker, done=False).update(done=True, compared=compared, found=found)
    _end_if_done(part.run_id)


def _end_if_done(run_id: int) -> None:
    open_parts = MatchRunPart.objects.filter(run=run_id, done=False)
    MatchRun.objects.filter(pk=run_id, state="running").exclude(pk__in=open_parts.values("run")).update(
        state="done", ended_at=timezone.now()
    )
