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
from sync.models import Delivery, PushJob, PushRow, Subscription
from sync.models.job import AT_WORK, LIMIT
from sync.models.states import OPEN
from sync.services import job_rows, lanes, pushing
from sync.services.dispatch import Basis
from sync.services.lanes import Want

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
    left = _send_forced(job, rows) if job.forced else _send_newest(job, rows)
    _count(job, left)
    PushRow.objects.bulk_update(rows, ["state", "why", "made"])
    job.paced_at = since + timedelta(seconds=len(rows) / job.rate_per_s)
    return len(rows)


def _send_newest(job: PushJob, rows: list[PushRow]) -> Counter[str]:
    left: Counter[str] = Counter()
    for type in dict.fromkeys(row.type for row in rows):
        mine = [row for row in rows if row.type == type]
        choices = pushing.choose(_subscription(job, type), [str(row.record) for row in mine], _basis(job))
        wants = [want for choice in choices.values() for want in choice.fresh]
        made: dict[str, Delivery] = {}
        for delivery in lanes.enqueue(wants):
            made.setdefault(str(delivery.record), delivery)
        for row in mine:
            choice = choices[str(row.record)]
            left += _mark(row, made.get(str(row.record)), choice.why)
    _let_go([row.source for row in rows if row.source and (row.made or row.why == "already_waiting")])
    return left


def _subscription(job: PushJob, type: str) -> Subscription:
    try:
        return pushing.subscription_of(job.target, type)
    except HubError:  # switched off since: nothing of it is for this target any more
        return Subscription(target=job.target, type=type, creates=False, filter={"uid": ""})


def _send_forced(job: PushJob, rows: list[PushRow]) -> Counter[str]:
    """The version as it was, for lanes that nothing newer waits in."""
    refusals = job_rows.why_not_forced([row.source for row in rows if row.source])
    wants: list[Want] = []
    sending: list[PushRow] = []
    left: Counter[str] = Counter()
    seen: set[int] = set()
    for row in rows:
        assert row.source is not None
        why = refusals.get(row.source.pk) or ("already_waiting" if row.source.lane_id in seen else "")
        if why:
            left += _mark(row, None, why)
            continue
        seen.add(row.source.lane_id)
        wants.append(_want(job, row.source))
        sending.append(row)
    for row, delivery in zip(sending, lanes.enqueue(wants), strict=True):
        left += _mark(row, delivery, "")
    _let_go([row.source for row in sending if row.source])
    return left


def _want(job: PushJob, source: Delivery) -> Want:
    return Want(
        target_id=job.target_id,
        type=source.type,
        uid=str(source.record),
        key=source.lane.target_key,
        action=source.action,
        version=source.version,
        reason="replay",
        generation=job.target.generation,
        label=source.label,
        correlation_id=job.correlation_id,
        requested_by=job.requested_by_name,
        as_of=source.as_of,
        priority=lanes.BULK,
    )


def _mark(row: PushRow, made: Delivery | None, why: str) -> Counter[str]:
    if made is not None:
        row.state, row.made = "queued", made
        return Counter()
    row.state, row.why = "left", why or "already_waiting"
    return Counter({row.why: 1})


def _let_go(sources: list[Delivery]) -> None:
    """A poisonous delivery holds its lane; whoever repeats it wants the lane to go on."""
    for source in sources:
        if source.state == "poison":
            Delivery.objects.filter(pk=source.pk, state="poison").update(state="cancelled", changed_at=Now())
            lanes.release(source.lane)


def _basis(job: PushJob) -> Basis:
    return Basis(
        reason="replay" if job.kind in ("replay", "repeat") else "manual",
        correlation_id=job.correlation_id,
        requested_by=job.requested_by_name,
        priority=lanes.BULK,
    )


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found
