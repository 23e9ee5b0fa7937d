"""Owns the way from sealed events to lanes: in order, each event once, one delivery per subscription and key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from mdm import registry
from mdm.models import Crosswalk, Event, RecordVersion
from mdm.selectors.records import current_document
from mdm.types import Document
from sync import entities, filters, platforms
from sync.models import DispatchCursor, Lane, Subscription
from sync.services import dependencies, lanes
from sync.services.lanes import Want

CURSOR, BATCH = "deliveries", 500
STOPPED = ("blocked", "retired")
Keys = dict[tuple[int, str], list[Crosswalk]]  # (system, uid) -> keys, the primary one first


def dispatch(*, limit: int = BATCH) -> int:
    """Turn the next sealed events into deliveries; how many events. Others dispatching at this moment: 0."""
    DispatchCursor.objects.get_or_create(name=CURSOR)
    with transaction.atomic():
        cursor = DispatchCursor.objects.select_for_update(skip_locked=True).filter(name=CURSOR).first()
        if cursor is None:
            return 0
        events = list(Event.objects.filter(seq__gt=cursor.seq).order_by("seq")[:limit])
        if not events:
            return 0
        _dispatch(events)
        cursor.seq = events[-1].seq or cursor.seq
        cursor.save()
    return len(events)


def dispatch_all() -> int:
    """Until nothing is left."""
    total = 0
    while done := dispatch():
        total += done
    return total


def _dispatch(events: Sequence[Event]) -> None:
    subscriptions = _subscriptions({event.type for event in events})
    if not subscriptions:
        return
    documents = _documents(events)
    uids = {event.subject for event in events}
    keys = keys_of(subscriptions, uids)
    settled = _settled_blocks(subscriptions, uids)
    wants: list[Want] = []
    gone: list[Event] = []
    for event in events:
        document = documents[(str(event.subject), event.version)]
        if document["status"] == "merged":
            gone.append(event)
            continue
        for subscription in subscriptions:
            if subscription.type == event.type and (event.seq or 0) > subscription.from_seq:
                wants += _wants(subscription, event, document, keys, settled)
    wants += _of_survivors(gone, subscriptions)
    lanes.enqueue(wants)
    last = {event.subject: event for event in events}
    if away := [event.subject for event in gone if last[event.subject] is event]:  # not unmerged again meanwhile
        unsent = lanes.keyless_unsent({s.target_id for s in subscriptions}, away)
        lanes.cancel_unsent(unsent, "The record was merged into another one before it was sent.")


def _of_survivors(merged: Sequence[Event], subscriptions: Sequence[Subscription]) -> list[Want]:
    """A merge moves keys: the survivor's targets hear of it even when none of its own values changed."""
    wants: list[Want] = []
    for event in merged:
        survivor = event.data.get("merged_into")
        if not survivor or Event.objects.filter(subject=survivor, change=event.change_id).exists():
            continue
        document = current_document(event.type, survivor)
        keys = keys_of(subscriptions, [survivor])
        basis = Basis(reason="event", correlation_id=event.correlation_id, event_id=event.pk)
        for subscription in subscriptions:
            if subscription.type == event.type:
                wants += wants_for(subscription, document, keys, basis)
    return wants


def _wants(
    subscription: Subscription, event: Event, document: Document, keys: Keys, settled: set[tuple[int, str]]
) -> Iterable[Want]:
    basis = Basis(
        reason="event",
        correlation_id=event.correlation_id,
        event_id=event.pk,
        label=label_of(event.type, document),
    )
    for want in wants_for(subscription, document, keys, basis):
        if want.action == "block" and (want.target_id, want.key) in settled:
            continue  # blocked there already, and nothing else is ever sent to this key
        yield want


@dataclass(frozen=True)
class Basis:
    """Why and for whom deliveries are made; the same for all of one cause."""

    reason: str
    correlation_id: str = ""
    event_id: int | None = None
    label: str = ""
    requested_by: str = ""
    priority: int | None = None


def wants_for(subscription: Subscription, document: Document, keys: Keys, basis: Basis) -> list[Want]:
    """What one target should get of one record: its primary key the values, every other key a block."""
    target, uid = subscription.target, str(document["uid"])
    known = keys.get((target.system_id, uid), [])
    stopped = document["status"] in STOPPED
    if not filters.matches(document, subscription.filter):
        return []
    if not known and (stopped or not subscription.creates):
        return []
    used_by, refers = entities.of(subscription.type, document), dependencies.named_by(subscription.type, document)
    wanted = [(row.key, "upsert" if not stopped and not index else "block") for index, row in enumerate(known)]
    return [
        Want(
            target_id=target.pk,
            type=subscription.type,
            uid=uid,
            key=key,
            action=action,
            version=document["version"],
            reason=basis.reason,
            generation=target.generation,
            label=basis.label or label_of(subscription.type, document),
            correlation_id=basis.correlation_id,
            event_id=basis.event_id,
            requested_by=basis.requested_by,
            priority=basis.priority or (lanes.URGENT if action == "block" else lanes.NORMAL),
            entities=used_by,
            refers=refers if action == "upsert" else (),
        )
        for key, action in wanted or [("", "upsert")]
    ]


def keys_of(subscriptions: Iterable[Subscription], uids: Iterable[Any]) -> Keys:
    """Active keys of these records at the systems of these targets."""
    found: Keys = defaultdict(list)
    systems = {subscription.target.system_id for subscription in subscriptions}
    rows = Crosswalk.objects.filter(system__in=systems, uid__in=list(uids), active=True)
    for row in rows.order_by("-primary", "since", "pk"):
        found[(row.system_id, str(row.uid))].append(row)
    return found


def label_of(type_key: str, document: Document) -> str:
    return f"{document.get('code', '')} {registry.get(type_key).name_of(document)}".strip()


def _subscriptions(types: set[str]) -> list[Subscription]:
    """Only what the platform takes: a subscription to anything else shows as a gap, not as failed deliveries."""
    rows = Subscription.objects.select_related("target").filter(active=True, target__active=True, type__in=types)
    return [row for row in rows if platforms.takes(row.target.connector, row.type)]


def _documents(events: Sequence[Event]) -> dict[tuple[str, int], Document]:
    wanted = Q(uid__in={event.subject for event in events}, version__in={event.version for event in events})
    rows = RecordVersion.objects.filter(wanted).values_list("uid", "version", "document")
    return {(str(uid), version): document for uid, version, document in rows}


def _settled_blocks(subscriptions: Sequence[Subscription], uids: Iterable[Any]) -> set[tuple[int, str]]:
    """Keys whose last confirmed word was a block, with nothing under way."""
    rows = Lane.objects.filter(
        target__in={s.target_id for s in subscriptions},
        uid__in=list(uids),
        confirmed_action="block",
        open=False,
    )
    return set(rows.values_list("target_id", "target_key"))
