"""Owns sending the current version on demand: some records, a whole type, or those a changed mapping changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from mdm import registry
from mdm.errors import NotFound, NotNow
from mdm.selectors.records import current_documents
from sync import platforms
from sync.errors import SyncError
from sync.models import Delivery, Lane, Subscription, Target
from sync.models.states import OPEN
from sync.payloads import Renderer, renderer
from sync.services import lanes
from sync.services.dispatch import Basis, keys_of, wants_for
from sync.services.lanes import Want

CHUNK = 500


@dataclass
class Pushed:
    """What was queued, and why some were not. `deliveries` are filled for small pushes only."""

    counts: Counter[str] = field(default_factory=Counter)
    deliveries: list[Delivery] = field(default_factory=list)


def push_records(
    target: Target,
    type: str,
    uids: Iterable[Any],
    basis: Basis,
    *,
    keys: Collection[str] | None = None,
    dry_run: bool = False,
) -> Pushed:
    """Queue the current version of these records; `keys` narrows it to some of the target's keys.

    What waits already in the same version is left alone, so that asking twice changes nothing.
    """
    subscription = _subscription(target, type)
    result = Pushed()
    wanted = [str(uid) for uid in uids]
    for start in range(0, len(wanted), CHUNK):
        _push_chunk(subscription, wanted[start : start + CHUNK], basis, keys, dry_run, result)
    return result


def push_type(target: Target, type: str, basis: Basis) -> Counter[str]:
    """What a push of everything the subscription covers would queue; counts only."""
    subscription = _subscription(target, type)
    result = Pushed()
    last = 0
    while rows := _records_after(type, last):
        last = rows[-1][0]
        _push_chunk(subscription, [uid for _, uid in rows], basis, None, True, result)
    return result.counts


def schedule(target: Target, type: str, by: str) -> None:
    """Ask for a push of everything; `go_on` does it piece by piece, so that nothing is locked for long."""
    subscription = _subscription(target, type)
    Subscription.objects.filter(pk=subscription.pk).update(push_from=0, push_by=by)


def go_on(*, chunks: int = 4) -> Counter[str]:
    """The next pieces of every whole push that was asked for; survives being killed anywhere."""
    result = Pushed()
    for pk in Subscription.objects.filter(push_from__isnull=False, active=True).values_list("pk", flat=True):
        for _ in range(chunks):
            if not _go_on(pk, result):
                break
    return result.counts


@transaction.atomic
def _go_on(pk: int, result: Pushed) -> bool:
    row = Subscription.objects.select_for_update(of=("self",), skip_locked=True).select_related("target").filter(
        pk=pk, push_from__isnull=False
    ).first()  # fmt: skip
    if row is None:
        return False
    records = _records_after(row.type, row.push_from or 0)
    basis = Basis(reason="manual", requested_by=row.push_by, priority=lanes.BULK)
    _push_chunk(row, [uid for _, uid in records], basis, None, False, result)
    result.deliveries.clear()
    row.push_from = records[-1][0] if len(records) == CHUNK else None
    row.save(update_fields=["push_from"])
    return row.push_from is not None


def _records_after(type: str, last: int) -> list[tuple[int, str]]:
    model = registry.get(type).model
    rows = model._default_manager.filter(pk__gt=last).exclude(status="merged").order_by("pk")
    return [(pk, str(uid)) for pk, uid in rows.values_list("pk", "uid")[:CHUNK]]


def _push_chunk(
    subscription: Subscription,
    uids: list[str],
    basis: Basis,
    keys: Collection[str] | None,
    dry_run: bool,
    result: Pushed,
) -> None:
    documents = current_documents(subscription.type, uids)
    known = keys_of([subscription], uids)
    result.counts["unknown"] += len(set(uids) - set(documents))
    wants: list[Want] = []
    for document in documents.values():
        found = wants_for(subscription, document, known, basis)
        result.counts["not_for_this_target"] += not found
        wants += [want for want in found if keys is None or want.key in keys]
    waiting = _waiting(subscription.target, wants)
    fresh = [want for want in wants if (want.uid, want.key, want.version) not in waiting]
    result.counts["already_waiting"] += len(wants) - len(fresh)
    result.counts["queued"] += len(fresh)
    if not dry_run:
        result.deliveries += lanes.enqueue(fresh)


def _waiting(target: Target, wants: Iterable[Want]) -> set[tuple[str, str, int]]:
    """(uid, key, version) of what is under way; a delivery in doubt counts too: its read-back comes first anyway."""
    rows = Delivery.objects.filter(target=target, record__in={want.uid for want in wants}, state__in=(*OPEN, "held"))
    return {(str(uid), key, version) for uid, key, version in rows.values_list("record", "lane__target_key", "version")}


def _subscription(target: Target, type: str) -> Subscription:
    try:
        platforms.mapping_of(target.connector, type)
    except SyncError as error:
        raise NotNow(error.message) from None
    row = Subscription.objects.select_related("target").filter(target=target, type=type, active=True).first()
    if row is None:
        raise NotFound(f"{target.title} is not subscribed to {registry.get(type).plural.lower()}.")
    return row


# --- after a change of mapping --------------------------------------------------------------------------------


def remap(*, chunks: int = 4) -> int:
    """Queue what a changed mapping file or value map would now send otherwise; how many. Goes on where it stopped."""
    queued = 0
    for subscription in Subscription.objects.select_related("target").filter(active=True, target__active=True):
        try:
            render = renderer(subscription.target, subscription.type)
        except SyncError:
            continue  # a type the platform does not take has no mapping that could change
        for _ in range(chunks):
            if subscription.mapping_version == render.version and subscription.remapped_to is None:
                break
            queued += _remap_chunk(subscription, render)
    return queued


@transaction.atomic
def _remap_chunk(subscription: Subscription, render: Renderer) -> int:
    row = Subscription.objects.select_for_update(skip_locked=True).filter(pk=subscription.pk).first()
    if row is None:
        return 0
    if row.mapping_version != render.version:
        first = not row.mapping_version
        row.mapping_version, row.remapped_to = render.version, None if first else 0
        if first:
            _keep(subscription, row)
            return 0  # nothing was sent under another mapping yet
    stale = list(
        Lane.objects.filter(target=row.target_id, type=row.type, pk__gt=row.remapped_to or 0, confirmed_action="upsert")
        .exclude(confirmed_mapping=render.version)
        .order_by("pk")[:CHUNK]
    )
    row.remapped_to = stale[-1].pk if len(stale) == CHUNK else None
    _keep(subscription, row)
    changed = _changed(stale, render)
    pushed = push_records(
        subscription.target,
        row.type,
        {lane.uid for lane in changed},
        Basis(reason="mapping_changed", requested_by="mapping", priority=lanes.BULK),
        keys={lane.target_key for lane in changed},
    )
    return pushed.counts["queued"]


def _keep(subscription: Subscription, row: Subscription) -> None:
    row.save(update_fields=["mapping_version", "remapped_to"])
    subscription.mapping_version, subscription.remapped_to = row.mapping_version, row.remapped_to


def _changed(stale: list[Lane], render: Renderer) -> list[Lane]:
    """Lanes whose record now renders otherwise. The rest is only marked, so that it is not rendered again."""
    documents = current_documents(render.mapping.type, {lane.uid for lane in stale})
    changed: list[Lane] = []
    same: list[Lane] = []
    for lane in stale:
        document = documents.get(str(lane.uid))
        if document is None:
            continue
        try:
            different = render.hash(render.render(document)) != lane.confirmed_hash
        except SyncError:
            different = True  # it can no longer be rendered: its delivery tells the stewards why
        (changed if different else same).append(lane)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sync_lane SET confirmed_mapping = %s WHERE id = ANY(%s)",
            [render.version, [lane.pk for lane in same]],
        )
    return changed
