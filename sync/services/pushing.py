"""Owns queueing the current version of records for one target: on demand, and when a changed mapping changes them."""

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
    subscription = subscription_of(target, type)
    result = Pushed()
    wanted = [str(uid) for uid in uids]
    for start in range(0, len(wanted), CHUNK):
        _push_chunk(subscription, wanted[start : start + CHUNK], basis, keys, dry_run, result)
    return result


@dataclass(frozen=True)
class Choice:
    """What a target should get of one record now: `fresh` is what does not wait there already."""

    wants: list[Want]
    fresh: list[Want]
    why: str = ""  # unknown · not_for_target · already_waiting: nothing is to be queued


def choose(
    subscription: Subscription, uids: Collection[str], basis: Basis, keys: Collection[str] | None = None
) -> dict[str, Choice]:
    """For every uid, what would be queued and why nothing is; a few queries whatever the number."""
    documents = current_documents(subscription.type, uids)
    known = keys_of([subscription], uids)
    wants: dict[str, list[Want]] = {}
    for uid, document in documents.items():
        found = wants_for(subscription, document, known, basis)
        wants[str(uid)] = [want for want in found if keys is None or want.key in keys]
    waiting = _waiting(subscription.target, [want for found in wants.values() for want in found])
    return {uid: _choice(wants.get(uid), waiting) for uid in dict.fromkeys(map(str, uids))}


def _choice(wants: list[Want] | None, waiting: Collection[tuple[str, str, int]]) -> Choice:
    if not wants:
        return Choice([], [], "unknown" if wants is None else "not_for_target")
    fresh = [want for want in wants if (want.uid, want.key, want.version) not in waiting]
    return Choice(wants, fresh, "" if fresh else "already_waiting")


def _push_chunk(
    subscription: Subscription,
    uids: list[str],
    basis: Basis,
    keys: Collection[str] | None,
    dry_run: bool,
    result: Pushed,
) -> None:
    choices = choose(subscription, uids, basis, keys).values()
    fresh = [want for choice in choices for want in choice.fresh]
    result.counts["unknown"] += sum(choice.why == "unknown" for choice in choices)
    result.counts["not_for_this_target"] += sum(choice.why == "not_for_target" for choice in choices)
    result.counts["already_waiting"] += sum(len(choice.wants) for choice in choices) - len(fresh)
    result.counts["queued"] += len(fresh)
    if not dry_run:
        result.deliveries += lanes.enqueue(fresh)


def _waiting(target: Target, wants: Iterable[Want]) -> set[tuple[str, str, int]]:
    """(uid, key, version) of what is under way; a delivery in doubt counts too: its read-back comes first anyway."""
    rows = Delivery.objects.filter(target=target, record__in={want.uid for want in wants}, state__in=(*OPEN, "held"))
    return {(str(uid), key, version) for uid, key, version in rows.values_list("record", "lane__target_key", "version")}


def subscription_of(target: Target, type: str) -> Subscription:
    try:
        platforms.mapping_of(target.connector, type)
    except SyncError as error:
        raise NotNow(error.message) from None
    row = Subscription.objects.select_related("target").filter(target=target, type=type, active=True).first()
    if row is None:
        raise NotFound(f"{target.title} is not subscribed to {registry.get(type).nouns}.")
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
