"""Where one golden record stands at every target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.urls import NoReverseMatch, reverse

from mdm import registry
from sync import platforms
from sync.models import Delivery, DriftFinding, FreezeWindow, Lane, Subscription, Target
from sync.models.delivery import IN_PART
from sync.models.states import DEAD
from sync.selectors import awaiting, freeze_views, ledger
from sync.selectors.awaiting import Awaited

_STATES = {
    "pending": "sending",
    "in_flight": "sending",
    "retrying": "sending",
    "unknown": "unknown",
    "rejected": "refused",
    "failed": "failed",
    "poison": "failed",
    "held": "held",
    "superseded": "not_sent",
    "cancelled": "not_sent",
}
# A receiver that cannot be asked: what it holds is not known, and nothing here may say that it is.
_UNSEEN = {
    True: "The receiver acknowledged it. It cannot be asked what it holds now.",
    False: "Sent, and taken without an error. The receiver cannot be asked what it holds: not verified, no drift.",
}


def link(view: str, *args: Any) -> str:
    try:
        return reverse(view, args=args)
    except NoReverseMatch:
        return ""  # an installation without these pages


def of_record(type: str, uid: UUID | str) -> list[dict[str, Any]]:
    """One line per target and key, and one for every other target: not sent yet, or nothing this platform can take."""
    kind = registry.find(type)
    if kind is None:
        return []
    version = kind.model._default_manager.filter(uid=uid).values_list("version", flat=True).first()
    found = DriftFinding.objects.filter(record=uid, state="open")
    drifting = set(found.values_list("target", "target_key"))
    latest = ledger.latest_of_lanes(uid)
    freezes = freeze_views.of_lanes(delivery.lane for delivery in latest)
    waits = awaiting.awaited([delivery.lane_id for delivery in latest if delivery.state == "pending"])
    followed = set(Delivery.objects.filter(corrected_by__in=latest).values_list("corrected_by", flat=True))
    lines = [
        _line(row, version, (row.target_id, row.lane.target_key) in drifting, freezes, waits, row.pk in followed)
        for row in latest
    ]
    known = {delivery.target_id for delivery in latest}
    subscribed = Subscription.objects.select_related("target").filter(type=kind.key, active=True, target__active=True)
    for subscription in subscribed.exclude(target__in=known).order_by("target__code"):
        lines.append(_unsent(subscription.target, "not_sent"))
    known |= {subscription.target_id for subscription in subscribed}
    for target in Target.objects.filter(active=True).exclude(pk__in=known).order_by("code"):
        if target.connector in platforms.names() and not platforms.takes(target.connector, kind.key):
            why = platforms.why_not(target.connector, kind.key) or "Nothing documented writes them there."
            words = f"{target.title} takes no {kind.nouns} from the hub. {why}"
            lines.append(_unsent(target, "not_pushable", words))
    return lines


def _unsent(target: Target, state: str, note: str = "") -> dict[str, Any]:
    return {
        "target": target.code, "title": target.title, "target_key": "", "state": state, "status": state,
        "version": None, "since": None, "message": "", "note": note, "verified": False, "correlation_id": "", "url": "",
        "delivery": None,
    }  # fmt: skip


def status_of(delivery: Delivery, followed: bool = False) -> str:
    """The five words of a business object at a target, of the last delivery there: pending, retried, failed, posted,
    and corrected (posted, after an earlier one of the record had been refused or had failed)."""
    if delivery.state == "posted":
        return "corrected" if followed else "posted"
    if delivery.state in DEAD:
        return "corrected" if delivery.corrected_by_id else "failed"
    if delivery.state in ("superseded", "cancelled"):
        return "failed" if delivery.effect == IN_PART else "not_sent"
    tried = delivery.state == "retrying" or delivery.attempts > 1 or delivery.effect == IN_PART
    return "retried" if tried else "pending"


def _line(
    delivery: Delivery,
    version: int | None,
    drifts: bool,
    freezes: Mapping[int, FreezeWindow],
    awaited: Mapping[int, Sequence[Awaited]],
    followed: bool,
) -> dict[str, Any]:
    state = _STATES.get(delivery.state, "")
    readable = platforms.readable(delivery.target.connector)
    confirmed = delivery.lane.confirmed_version
    if delivery.state == "posted":
        state = "blocked" if delivery.action == "block" else "in_sync" if delivery.version == version else "behind"
        state = "drift" if drifts else state
        if not readable and state != "behind":
            state = "acknowledged" if delivery.verified else "told"
    elif delivery.effect == IN_PART and delivery.state != "unknown":
        state = IN_PART
    return {
        "target": delivery.target.code,
        "title": delivery.target.title,
        "target_key": delivery.lane.target_key,
        "action": delivery.action,
        "state": state,
        "version": confirmed,
        "wanted_version": delivery.version,
        "seq": delivery.seq,
        "status": status_of(delivery, followed),
        "correlation_id": delivery.correlation_id,
        "since": (delivery.posted_at or delivery.changed_at).isoformat(),
        "message": _message(delivery, freezes.get(delivery.lane_id), awaited.get(delivery.lane_id, ())),
        "verified": delivery.verified,
        "readable": readable,
        "note": _UNSEEN[delivery.verified] if delivery.state == "posted" and not readable else "",
        "delivery": str(delivery.uid),
        "url": link("sync:delivery", delivery.uid),
    }


def _message(delivery: Delivery, window: FreezeWindow | None, awaited: Sequence[Awaited]) -> str:
    if awaited:
        return awaiting.words(awaited)
    if delivery.state == "held":
        return f"Frozen {freeze_views.span(window)}: {window.reason}" if window else delivery.lane.hold_reason
    return "" if delivery.state == "posted" else delivery.error_text


def usage(type_key: str, uids: Iterable[str]) -> dict[str, dict[str, int]]:
    """{uid: how many targets were sent the record}."""
    rows = Lane.objects.filter(type=type_key, uid__in=uids, confirmed_seq__gt=0).order_by().values_list("uid")
    return {
        str(uid): {"targets holding them": many} for uid, many in rows.annotate(many=Count("target", distinct=True))
    }
