"""What a change request would do at each target, or did: rendered and planned, not guessed. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mdm.models import ChangeRequest
from mdm.services import key_moves, proposing, unmerging
from mdm.services.key_moves import KeyMove
from sync import filters, platforms
from sync.errors import Refused, SyncError
from sync.models import Delivery, Subscription
from sync.payloads import Renderer, renderer
from sync.selectors.record_status import link
from sync.services.dispatch import STOPPED, keys_of

_ITEMS = 20  # of a large request; the effect of thousands is that of its first ones, said so


def receivers(type: str, document: Mapping[str, Any]) -> dict[str, bool]:
    """{system code: whether a record without a key there is made} of the targets that would get this record."""
    rows = Subscription.objects.select_related("target__system").filter(active=True, target__active=True, type=type)
    lives = document.get("status") not in STOPPED
    return {
        row.target.system.code: row.creates and lives
        for row in rows
        if platforms.takes(row.target.connector, row.type) and filters.matches(dict(document), row.filter)
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
    moved = _moved(change) if change.kind in ("merge", "unmerge") else None
    return [effect for row in rows.order_by("target__code") if (effect := _effect(row, built, moved))]


def _moved(change: ChangeRequest) -> Sequence[KeyMove] | None:
    try:
        return unmerging.outlook(change)[1]
    except Exception:  # a request that no longer fits its records says so itself, elsewhere
        return None


def _effect(
    subscription: Subscription, built: Sequence[Any], moved: Sequence[KeyMove] | None = None
) -> dict[str, Any] | None:
    target = subscription.target
    try:
        render = renderer(target, subscription.type)
    except SyncError:
        return None
    parts = [part for part in built if part.item.type == subscription.type]
    if moved is not None:
        return _of_keys(subscription, render, parts, [m for m in moved if m.system.pk == target.system_id])
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


def _of_keys(
    subscription: Subscription, render: Renderer, parts: Sequence[Any], moved: Sequence[KeyMove]
) -> dict[str, Any]:
    """A merge or its undoing: which keys are updated, which are let go again, which are blocked."""
    target = subscription.target
    members = [part for part in parts if part.item.action in ("merge", "unmerge")]
    after = {str(part.item.uid): part.after for part in members if part.after.get("status") != "merged"}
    wanted = {uid: document for uid, document in after.items() if filters.matches(document, subscription.filter)}
    mine = [move for move in moved if move.after in wanted]
    found = {effect["system"]: effect for effect in key_moves.effects(subscription.type, mine, wanted)}
    effect = found.get(target.system.code, {})
    said = [f"{word} {', '.join(effect[word])}" for word in key_moves.WORDS if effect.get(word)]
    keys = keys_of([subscription], [part.item.uid for part in parts])
    for part in parts:
        if (
            part not in members
            and _of_part(part, render, bool(keys.get((target.system_id, str(part.item.uid)))), False)[1]
        ):
            said.append(f"updates {part.after.get('code')}")
    refused = ""
    for document in wanted.values():
        try:
            render.render(document)
        except Refused as error:
            refused = refused or error.message
    return {
        "target": target.code,
        "title": target.title,
        "url": link("sync:targets"),
        "effect": "keys" if said else "none",
        "note": "; ".join(said) or "nothing it holds changes",
        "refused": refused,
        "fields": [],
        "accepts": "none" if not said else "no" if refused else "yes",
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
