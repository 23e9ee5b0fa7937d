"""Owns turning rows of a push job into deliveries: the newest version, or (forced) the version as it was."""

from __future__ import annotations

from collections import Counter

from django.db.models.functions import Now

from mdm.errors import HubError
from mdm.models import RecordVersion
from sync import entities
from sync.models import Delivery, PushJob, PushRow, Subscription
from sync.services import dependencies, job_rows, lanes, pushing
from sync.services.dispatch import Basis
from sync.services.lanes import Want


def send(job: PushJob, rows: list[PushRow]) -> Counter[str]:
    """Queue these rows and mark them; why some were left, counted. The caller holds the job and the lock of `lanes`."""
    return _send_forced(job, rows) if job.forced else _send_newest(job, rows)


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
    document = RecordVersion.objects.only("document").get(uid=source.record, version=source.version).document
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
        entities=tuple({*entities.of(source.type, document), *source.lane.entities}),  # of then and of now
        refers=dependencies.named_by(source.type, document) if source.action == "upsert" else (),
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
