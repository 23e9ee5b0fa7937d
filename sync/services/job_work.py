"""Owns how push jobs go on: built, one at a time per target, at a pace of their own, followed to their outcomes.

Every step is one short transaction on the job's locked row and keeps nothing in memory, so that a process may die
anywhere and the next one goes on. What needs the network (plans) is in `planning`.
"""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from mdm.errors import HubError
from sync.models import PushJob, PushRow
from sync.models.job import AT_WORK, LIMIT
from sync.models.states import OPEN
from sync.services import job_rows, job_sending, lanes

CHUNK = 500
AHEAD_S, AHEAD_LEAST = 10, 20  # a job never has more under way than this much of its pace
FRESH_S = 300  # how long a look at the target counts while a plan is applied
RECENT = timedelta(hours=1)
STEPS = 4  # of one job in one round

_OUTCOMES = """
WITH ended AS (
  UPDATE sync_pushrow r SET why = left(d.error_text, 500), state = CASE d.state
           WHEN 'posted' THEN CASE d.effect WHEN 'unchanged' THEN 'unchanged' ELSE 'posted' END
           WHEN 'rejected' THEN 'refused' WHEN 'superseded' THEN 'overtaken' WHEN 'cancelled' THEN 'cancelled'
           ELSE 'failed' END
    FROM sync_delivery d
   WHERE d.id = r.made_id AND r.job_id = %s AND r.state = 'queued' AND NOT d.state = ANY(%s)
   RETURNING r.state)
SELECT state, count(*) FROM ended GROUP BY state"""


def go_on() -> int:
    """The next step of every job that has one; how many took one. Part of every round of the dispatcher."""
    moved = 0
    for pk in list(_waiting().values_list("pk", flat=True)):
        for _ in range(STEPS):
            if not step(pk):
                break
            moved += 1
    return moved


def _waiting() -> Any:
    """In the order of asking; jobs that ended early are followed until what they had sent has an outcome."""
    under_way = PushRow.objects.filter(job=OuterRef("pk"), state="queued")
    live = Q(state__in=("building", "queued", "running"))
    return PushJob.objects.filter(live | Q(Exists(under_way), state__in=("paused", "stale", "cancelled"))).order_by(
        "pk"
    )


@transaction.atomic
def step(pk: int) -> bool:
    """One step; False when there is nothing to do now, or another process is at it."""
    job = (
        PushJob.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("target__system", "parent")
        .filter(pk=pk)
        .first()
    )
    if job is None:
        return False
    if job.state == "building":
        return _build(job)
    if job.state == "queued":
        return _take_turn(job)
    settled = _settle(job)
    released = _release(job) if job.state == "running" else 0
    if job.state == "running" and not PushRow.objects.filter(job=job, state__in=("waiting", "queued")).exists():
        end(job, "done")
    elif settled or released:
        job.save()
    return bool(released)


def end(job: PushJob, state: str, error: str = "") -> None:
    job.state, job.error, job.lease_until = state, error[:2000], None
    job.finished_at = Now()
    job.save()
    job.refresh_from_db()


# --- building -----------------------------------------------------------------------------------------------------


def _build(job: PushJob) -> bool:
    try:
        complete = job_rows.build(job)
    except HubError as error:
        end(job, "failed", error.message)
        return True
    if complete:
        built(job)
    else:
        job.save()
    return True


def built(job: PushJob) -> None:
    """All rows are known, of a plan all are looked up: what is asked for stands still from here on."""
    if not job.total:
        end(job, "done")
        return
    if job.kind == "plan" and job.state == "building":
        job.state = "planning"
        job.save()
        _ring(job.uid)
        return
    job.content_hash = job_rows.hash_of(job)
    job.sends = PushRow.objects.filter(job=job, state="waiting").count()
    if not job.sends:
        end(job, "done")
        return
    job.needs_approval = job.needs_approval or job.forced or job.sends + _recently(job) > LIMIT
    # A plan is there to be looked at: somebody says that it is to be applied, however small it is.
    job.state = "waiting" if job.needs_approval or job.kind == "plan" else "queued"
    job.save()


def _recently(job: PushJob) -> int:
    """What the same person has sent there lately without a second one: many small jobs are a large one."""
    rows = PushJob.objects.filter(
        target=job.target_id, requested_by=job.requested_by_id, created_at__gt=job.created_at - RECENT,
        needs_approval=False, pk__lt=job.pk, state__in=("queued", *AT_WORK, "paused", "done"),
    )  # fmt: skip
    return sum(rows.values_list("sends", flat=True))


def _ring(uid: uuid.UUID) -> None:
    from sync import tasks

    transaction.on_commit(lambda: tasks.ring_plan(str(uid)), robust=True)


# --- its turn -----------------------------------------------------------------------------------------------------


def _take_turn(job: PushJob) -> bool:
    """One job at a time works at a target; the database refuses a second one."""
    if PushJob.objects.filter(target=job.target_id, state__in=AT_WORK).exists():
        return False
    earlier = PushJob.objects.filter(target=job.target_id, state="queued", pk__lt=job.pk)
    if earlier.exists():
        return False
    if job.content_hash != job_rows.hash_of(job):
        end(job, "failed", "The rows are not those that were approved: ask again.")
        return True
    job.state = "checking" if job.kind == "plan" else "running"
    job.started_at = job.started_at or Now()
    job.paced_at = None
    if job.kind == "plan":
        PushRow.objects.filter(job=job, state="waiting").update(checked_at=None)
    try:
        with transaction.atomic():
            job.save()
    except IntegrityError:  # another one was quicker
        return False
    if job.state == "checking":
        _ring(job.uid)
    return job.state == "running"


# --- sending ------------------------------------------------------------------------------------------------------


def _settle(job: PushJob) -> int:
    """What became of the deliveries this job made."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, [job.pk, [*OPEN, "held"]])
        found = Counter(dict(cursor.fetchall()))
    _count(job, found)
    return sum(found.values())


def _count(job: PushJob, found: Counter[str]) -> None:
    counts = Counter(job.counts)
    counts.update(found)
    job.counts = dict(counts)
    job.done += sum(found.values())


def _release(job: PushJob) -> int:
    """As many rows as the pace allows become deliveries; how many rows were dealt with."""
    now = _now()
    since = max(job.paced_at or now - timedelta(seconds=1), now - timedelta(seconds=AHEAD_S))
    pace = int((now - since).total_seconds() * job.rate_per_s)
    under_way = PushRow.objects.filter(job=job, state="queued").count()
    room = max(AHEAD_LEAST, int(job.rate_per_s * AHEAD_S)) - under_way
    number = min(pace, room, CHUNK)
    if number <= 0:
        return 0
    waiting = PushRow.objects.filter(job=job, state="waiting")
    if job.kind == "plan":
        waiting = waiting.filter(checked_at__gt=now - timedelta(seconds=FRESH_S))
    rows = list(waiting.select_related("source__lane", "source__target").order_by("place")[:number])
    if not rows:
        return 0
    lanes.lock()  # nobody queues between our look at what waits and our own queueing
    left = job_sending.send(job, rows)
    _count(job, left)
    PushRow.objects.bulk_update(rows, ["state", "why", "made"])
    job.paced_at = since + timedelta(seconds=len(rows) / job.rate_per_s)
    return len(rows)


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found
