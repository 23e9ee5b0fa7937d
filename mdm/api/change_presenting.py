"""Change requests as the API shows them: masked, cut to what the caller may see, with what they may do next and why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, Prefetch, QuerySet, prefetch_related_objects
from django.urls import reverse

from mdm import crypto, permissions, registry
from mdm.models import ChangeItem, ChangeRequest
from mdm.registry import RecordType
from mdm.selectors import records, visibility
from mdm.selectors.visibility import Entities
from mdm.services import changes
from mdm.types import Actor, Change, Document, apply_changes

ITEMS_SHOWN = 50  # items in one answer; a load can have a million
_RELATED = ("participants", "steps__approvals__participant__person", "approvals__participant", "comments__author")


def visible(scopes: frozenset[str]) -> QuerySet[ChangeRequest]:
    """Requests all of whose items are of types the caller may read."""
    unreadable = [k.key for k in registry.all_types() if not permissions.allows(scopes, f"read:{k.path}")]
    rows = ChangeRequest.objects.all()
    if unreadable:
        hidden = ChangeItem.objects.filter(type__in=unreadable).values("request")
        rows = rows.exclude(pk__in=hidden)
    return rows


def full(rows: QuerySet[ChangeRequest]) -> QuerySet[ChangeRequest]:
    """With everything `present` needs, in a fixed number of queries."""
    return rows.annotate(items_count=Count("items", distinct=True)).select_related("requester", "reverts", "import_job").prefetch_related(
        *_RELATED, _first_items()
    )


def _first_items() -> Prefetch:
    return Prefetch("items", queryset=ChangeItem.objects.filter(position__lt=ITEMS_SHOWN), to_attr="first_items")


def present(change: ChangeRequest, *, by: Actor, entities: Entities) -> dict[str, Any]:
    if not hasattr(change, "first_items"):
        prefetch_related_objects([change], *_RELATED, _first_items())
    return present_all([change], by=by, entities=entities)[0]


def present_all(found: Sequence[ChangeRequest], *, by: Actor, entities: Entities) -> list[dict[str, Any]]:
    hidden = _hidden([item for change in found for item in change.first_items], entities)  # type: ignore[attr-defined]
    return [_present(change, by, hidden) for change in found]


def _present(change: ChangeRequest, by: Actor, hidden: dict[int, frozenset[str]]) -> dict[str, Any]:
    items = change.first_items  # type: ignore[attr-defined]
    count = getattr(change, "items_count", None)
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
        "items": [present_item(item, hidden.get(item.pk, frozenset())) for item in items],
        "items_count": count if count is not None else change.items.count(),
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


def present_item(item: ChangeItem, hidden: frozenset[str]) -> dict[str, Any]:
    shown = [change for change in item.changes if change["path"] not in hidden]
    conflicts = [conflict for conflict in item.conflicts if conflict["path"] not in hidden]
    return {
        "type": item.type,
        "uid": item.uid,
        "code": item.detail.get("code"),
        "label": item.label,
        "action": item.action,
        "base_version": item.base_version,
        "result_version": item.result_version,
        "diff": crypto.mask_tree(shown),
        "conflicts": crypto.mask_tree(conflicts),
        "hidden": len(item.changes) - len(shown),
    }


def present_items(items: Iterable[ChangeItem], entities: Entities) -> list[dict[str, Any]]:
    listed = list(items)
    hidden = _hidden(listed, entities)
    return [present_item(item, hidden.get(item.pk, frozenset())) for item in listed]


def _hidden(items: Sequence[ChangeItem], entities: Entities) -> dict[int, frozenset[str]]:
    """{item pk: paths the caller may not see}; asks for documents only when the caller is bound to legal entities."""
    if entities is None:
        return {}
    documents: dict[tuple[str, str], Document] = {}
    for key in {item.type for item in items}:
        uids: list[str | UUID] = [item.uid for item in items if item.type == key]
        documents |= {(key, uid): document for uid, document in records.current_documents(key, uids).items()}
    return {item.pk: _hidden_paths(item, documents.get((item.type, str(item.uid))), entities) for item in items}


def _hidden_paths(item: ChangeItem, current: Document | None, entities: Entities) -> frozenset[str]:
    kind: RecordType = registry.get(item.type)
    after = apply_changes(current or {}, [Change(**change) for change in item.changes])
    return visibility.hidden_paths(kind, item.changes, (current, after), entities)


def sees_all(change: ChangeRequest, entities: Entities) -> bool:
    """Whether the caller may see every path the request changes: nobody approves what they cannot see."""
    if entities is None:
        return True
    return not any(_hidden(list(change.items.all()), entities).values())


def address(change: ChangeRequest) -> str:
    """Path of the request in the API."""
    return reverse("api:change-request", args=[change.uid])
