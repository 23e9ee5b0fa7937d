"""Where one golden record stands at every target, and what a change request would do there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.urls import NoReverseMatch, reverse

from mdm import registry
from mdm.models import ChangeRequest
from mdm.services import proposing
from sync import filters
from sync.errors import Refused, SyncError
from sync.models import Delivery, DriftFinding, Lane, Subscription
from sync.payloads import Renderer, renderer
from sync.selectors import ledger
from sync.services.dispatch import STOPPED, keys_of

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
_ITEMS = 20  # of a large request; the effect of thousands is that of its first ones, said so


def link(view: str, *args: Any) -> str:
    try:
        return reverse(view, args=args)
    except NoReverseMatch:
        return ""  # an installation without these pages


def of_record(type: str, uid: UUID | str) -> list[dict[str, Any]]:
    """One line per target and key, and one for every subscribed target that never got it."""
    kind = registry.find(type)
    if kind is None:
        return []
    version = kind.model._default_manager.filter(uid=uid).values_list("version", flat=True).first()
    found = DriftFinding.objects.filter(record=uid, state="open")
    drifting = set(found.values_list("target", "target_key"))
    latest = ledger.latest_of_lanes(uid)
    lines = [
        _line(delivery, version, (delivery.target_id, delivery.lane.target_key) in drifting) for delivery in latest
    ]
    known = {delivery.target_id for delivery in latest}
    subscribed = Subscription.objects.select_related("target").filter(type=kind.key, active=True, target__active=True)
    for subscription in subscribed.exclude(target__in=known).order_by("target__code"):
        target = subscription.target
        lines.append(
            {"target": target.code, "title": target.title, "target_key": "", "state": "not_sent", "version": None,
             "since": None, "message": "", "url": "", "delivery": None}
        )  # fmt: skip
    return lines


def _line(delivery: Delivery, version: int | None, drifts: bool) -> dict[str, Any]:
    state = _STATES.get(delivery.state, "")
    confirmed = delivery.lane.confirmed_version
    if delivery.state == "posted":
        state = "blocked" if delivery.action == "block" else "in_sync" if delivery.version == version else "behind"
        state = "drift" if drifts else state
    return {
        "target": delivery.target.code,
        "title": delivery.target.title,
        "target_key": delivery.lane.target_key,
        "action": delivery.action,
        "state": state,
        "version": confirmed,
        "wanted_version": delivery.version,
        "seq": delivery.seq,
        "since": (delivery.posted_at or delivery.changed_at).isoformat(),
        "message": "" if delivery.state == "posted" else delivery.error_text,
        "verified": delivery.verified,
        "delivery": str(delivery.uid),
        "url": link("sync:delivery", delivery.uid),
    }


def of_change(change: ChangeRequest) -> list[dict[str, Any]]:
    """Per target: who would get what, and whether it can take it; rendered, not guessed. Nothing is sent."""
    if change.state == "applied":
        return [_applied(row) for row in _deliveries_of(change)]
    try:
        built = proposing.rebuild(change)[:_ITEMS]
    except Exception:  # a request that no longer fits the record says so itself, elsewhere
        return []
    types = {part.item.type for part in built}
    rows = Subscription.objects.select_related("target__system").filter(
        active=True, target__active=True, type__in=types
    )
    return [effect for row in rows.order_by("target__code") if (effect := _effect(row, built))]


def _effect(subscription: Subscription, built: Iterable[Any]) -> dict[str, Any] | None:
    target = subscription.target
    try:
        render = renderer(target, subscription.type)
    except SyncError:
        return None
    parts = [part for part in built if part.item.type == subscription.type]
    keys = keys_of([subscription], [part.item.uid for part in parts])
    effects, fields, refused = set(), [], ""
    for part in parts:
        if not filters.matches(part.after, subscription.filter):
            continue
        has_key = bool(keys.get((target.system_id, str(part.item.uid))))
        effect, changed, why = _of_part(part, render, has_key, subscription.creates)
        effects.add(effect)
        fields += changed
        refused = refused or why
    effects.discard("none")
    effect = effects.pop() if len(effects) == 1 else "several" if effects else "none"
    note = {
        "none": "nothing it holds changes",
        "create": "is created there",
        "block": "is blocked there",
    }.get(effect) or f"{len(set(fields))} fields: {', '.join(dict.fromkeys(fields))[:200]}"
    return {
        "target": target.code,
        "title": target.title,
        "url": link("sync:targets"),
        "effect": effect,
        "note": note,
        "refused": refused,
        "fields": list(dict.fromkeys(fields)),
        "accepts": "none" if effect == "none" else "no" if refused else "yes",
        "when": "on hold" if target.paused_at else "at once",
    }


def _of_part(part: Any, render: Renderer, has_key: bool, creates: bool) -> tuple[str, list[str], str]:
    if part.after.get("status") in STOPPED or part.item.action in ("block", "retire"):
        return ("block" if has_key else "none"), [], ""
    if not has_key and not creates:
        return "none", [], ""
    try:
        after = render.render(part.after)
    except Refused as error:
        return ("update" if has_key else "create"), [], error.message
    if not has_key:
        return "create", [], ""
    try:
        before = render.render(part.before) if part.before else {}
    except Refused:
        before = {}
    changed = [name for name in dict.fromkeys((*after, *before)) if before.get(name) != after.get(name)]
    return ("update" if changed else "none"), [_words(name) for name in changed], ""


def _words(field: str) -> str:
    """`to_Bank[3f…].IBAN` reads `IBAN`."""
    return field.rpartition("].")[2] or field.rpartition(".")[2] or field


def _deliveries_of(change: ChangeRequest) -> list[Delivery]:
    rows = Delivery.objects.select_related("target").filter(event__change=change)
    return list(rows.order_by("target__code", "pk")[:_ITEMS])


def _applied(row: Delivery) -> dict[str, Any]:
    refused = row.error_text if row.state in ("rejected", "failed") else ""
    return {
        "target": row.target.code,
        "title": row.target.title,
        "url": link("sync:delivery", row.uid),
        "effect": row.effect or row.action,
        "note": row.state,
        "refused": refused,
        "fields": [],
        "accepts": "no" if refused else "yes" if row.state == "posted" else "unknown",
        "when": row.posted_at.isoformat() if row.posted_at else "",
    }


def usage(type_key: str, uids: Iterable[str]) -> dict[str, dict[str, int]]:
    """{uid: how many targets were sent the record}."""
    rows = Lane.objects.filter(type=type_key, uid__in=uids, confirmed_seq__gt=0).order_by().values_list("uid")
    return {
        str(uid): {"targets holding them": many} for uid, many in rows.annotate(many=Count("target", distinct=True))
    }
