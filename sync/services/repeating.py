"""Owns what a repeated request owes: a target that takes a key once may have taken the first form of a changed payload."""

from __future__ import annotations

from sync.models import Delivery
from sync.services import lanes
from sync.services.lanes import NEVER_SENT, Want


def follow_up(delivery: Delivery, payload_hash: str) -> None:
    """Queue the same version once more when it would now be sent otherwise than the first time.

    Nobody can tell which of the two forms the target took, so the new one follows under a key of its own.
    """
    if payload_hash == delivery.payload_hash:
        return
    if Delivery.objects.filter(lane=delivery.lane_id, seq__gt=delivery.seq, state__in=NEVER_SENT).exists():
        return  # what waits is rendered anew as well
    want = Want(
        target_id=delivery.target_id,
        type=delivery.type,
        uid=str(delivery.record),
        key=delivery.lane.target_key,
        action=delivery.action,
        version=delivery.version,
        reason="mapping_changed",
        generation=delivery.generation,
        label=delivery.label,
        correlation_id=delivery.correlation_id,
        requested_by="mapping",
    )
    lanes.enqueue([want])
