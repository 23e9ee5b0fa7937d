"""Change requests as the API shows them: masked, cut to what the caller may see, with what they may do next and why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from django.urls import reverse

from mdm import crypto
from mdm.models import ChangeItem, ChangeRequest
from mdm.selectors import request_items
from mdm.selectors.visibility import Entities
from mdm.services import changes
from mdm.types import Actor

ITEMS_SHOWN = 50  # items in one answer; a load can have a million


def present(change: ChangeRequest, *, by: Actor, entities: Entities) -> dict[str, Any]:
    """One request with its first items, those of a load too."""
    items = change.items.order_by("position", "pk") if change.kind != "load" else change.items.order_by("pk")
    return _present(change, by, entities, list(items[:ITEMS_SHOWN]), change.items.count())


def present_all(found: Sequence[ChangeRequest], *, by: Actor, entities: Entities) -> list[dict[str, Any]]:
    """A page of requests in a fixed number of queries; the items of a load are not read for a list."""
    counted = ChangeItem.objects.filter(request__in=found).order_by().values_list("request").annotate(Count("pk"))
    counts: dict[int, int] = dict(counted)
    few = [change for change in found if change.kind != "load" and counts.get(change.pk, 0) <= ITEMS_SHOWN]
    items: dict[int, list[ChangeItem]] = {change.pk: [] for change in found}
    for item in ChangeItem.objects.filter(request__in=few).order_by("position", "pk"):
        items[item.request_id].append(item)
    for change in found:
        if change.kind != "load" and counts.get(change.pk, 0) > ITEMS_SHOWN:
            items[change.pk] = list(change.items.order_by("position", "pk")[:ITEMS_SHOWN])
    return [_present(change, by, entities, items[change.pk], counts.get(change.pk, 0)) for change in found]


def _present(
    change: ChangeRequest, by: Actor, entities: Entities, items: Sequence[ChangeItem], count: int
) -> dict[str, Any]:
    return {
        "uid": change.uid,
        "number": change.number,
        "title": change.title,
        "reason": change.reason,
        "kind": change.kind,
        "origin": change.origin,
        "state": change.state,
        "priority": change.priority,
        "effective_on": change.effective_on,
        "content_hash": change.content_hash,
        "risk_flags": crypto.mask_tree(change.risk_flags),
        "policies": change.policies,
        "requester": change.requester_name,
        "correlation_id": change.correlation_id,
        "reverts": change.reverts.uid if change.reverts else None,
        "import_job": change.import_job.uid if change.import_job else None,
        "created_at": change.created_at,
        "submitted_at": change.submitted_at,
        "decided_at": change.decided_at,
        "applied_at": change.applied_at,
        "due_at": change.due_at,
        "steps": [_step(step) for step in change.steps.all()],
        "items": present_items(change, items, entities),
        "items_count": count,
        "comments": [{"by": _name(c.author), "at": c.at, "text": c.text} for c in change.comments.all()],
        "allowed_actions": changes.allowed_actions(change, by),
    }


def _name(user: Any) -> str:
    return str(user.get_full_name() or user.get_username())


def _step(step: Any) -> dict[str, Any]:
    return {
        "order": step.order,
        "role": step.role,
        "quorum": step.quorum,
        "state": step.state,
        "due_at": step.due_at,
        "approvals": [
            {
                "by": _name(approval.participant.person),
                "on_behalf_of": None,
                "verdict": approval.verdict,
                "at": approval.at,
                "comment": approval.comment,
                "lapsed": approval.lapsed_at is not None,
            }
            for approval in step.approvals.all()
        ],
    }


def present_items(change: ChangeRequest, items: Sequence[ChangeItem], entities: Entities) -> list[dict[str, Any]]:
    """Documents are only read where something may be hidden, or where a load kept its values in versions."""
    if entities is None and change.kind != "load":
        return [_item(item, item.changes, item.conflicts) for item in items]
    looked = request_items.look(change, items, entities)
    return [_looked(part) for part in looked]


def _looked(part: request_items.Looked) -> dict[str, Any]:
    shown = _item(part.item, [c.as_json() for c in part.changes], _seen(part), part.hidden)
    return {
        **shown,
        "label": part.label,
        "code": part.code or None,
        "conflicts": [] if part.unseen else shown["conflicts"],
    }


def _seen(part: request_items.Looked) -> list[dict[str, Any]]:
    shown = {change.path for change in part.changes}
    return [conflict for conflict in part.item.conflicts if conflict["path"] in shown or not part.hidden]


def _item(
    item: ChangeItem, diff: list[dict[str, Any]], conflicts: list[dict[str, Any]], hidden: int = 0
) -> dict[str, Any]:
    return {
        "type": item.type,
        "uid": item.uid,
        "code": item.detail.get("code"),
        "label": item.label,
        "action": item.action,
        "base_version": item.base_version,
        "result_version": item.result_version,
        "diff": crypto.mask_tree(diff),
        "conflicts": crypto.mask_tree(conflicts),
        "hidden": hidden,
    }


def address(change: ChangeRequest) -> str:
    """Path of the request in the API."""
    return reverse("api:change-request", args=[change.uid])
