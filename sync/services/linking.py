"""Owns tying a target's key to a golden record, in the transaction of the outcome that brought the key."""

from __future__ import annotations

from dataclasses import replace

from django.db import connection

from mdm import registry
from mdm.errors import NotNow
from mdm.models import Crosswalk
from mdm.selectors import records
from mdm.services import crosswalks, leaving
from sync import errors
from sync.models import Delivery
from sync.services.outcomes import Verdict


def is_new(delivery: Delivery, verdict: Verdict) -> bool:
    """Only what was posted has a key, or was made in part."""
    return bool(verdict.key) and verdict.key != delivery.lane.target_key


def link(delivery: Delivery, verdict: Verdict) -> Verdict:
    """The verdict, or a refusal when the key belongs to another golden record. Needs the lane locked."""
    system, type = delivery.target.system, delivery.type
    uid = records.survivor_uid(registry.get(type), delivery.record)
    if verdict.retire_key:
        leaving.unlink(kind=registry.get(type), system=system, key=verdict.retire_key)
    try:
        crosswalks.link(system=system, type=type, key=verdict.key, uid=uid)
    except NotNow:
        return replace(elsewhere(delivery, verdict.key), key=verdict.key)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_lane SET target_key = %s WHERE id = %s AND NOT EXISTS (
                 SELECT 1 FROM sync_lane o WHERE o.target_id = %s AND o.type = %s AND o.target_key = %s)""",
            [verdict.key, delivery.lane_id, delivery.target_id, type, verdict.key],
        )
        cursor.execute(
            "UPDATE sync_delivery SET target_key = %s WHERE lane_id = %s AND state IN ('pending', 'held')",
            [verdict.key, delivery.lane_id],
        )
    return verdict


def owner(delivery: Delivery, key: str) -> str | None:
    """The other golden record a key of the target belongs to, if any."""
    row = Crosswalk.objects.filter(system=delivery.target.system_id, type=delivery.type, key=key, active=True).first()
    return str(row.uid) if row and row.uid != delivery.record else None


def elsewhere(delivery: Delivery, key: str) -> Verdict:
    """The target's record that fits is already tied to another golden record: a steward must say which is right."""
    words = f"The record {key} at {delivery.target.title} already belongs to another golden record."
    problem = errors.FieldProblem("", "linked_elsewhere", "Merge the two golden records, or move the key.")
    return Verdict(
        "rejected",
        "linked_elsewhere",
        words,
        error_code="linked_elsewhere",
        ambiguous_s=0,
        refusal=errors.Refused(words, problems=(problem,)),
    )
