"""Owns what people decide about drift findings: push ours, adopt theirs as a change request, or ignore with a reason."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from mdm import crypto
from mdm.errors import CorrectInput, NotNow
from mdm.models import ChangeRequest
from mdm.selectors.records import current_document
from mdm.services import audit, changes
from mdm.services.changes import ProposedItem
from mdm.types import Actor, Change, Document, value_at
from sync.errors import SyncError
from sync.models import Delivery, DriftFinding
from sync.models.states import OPEN
from sync.payloads import renderer
from sync.services import lanes, pushing
from sync.services.dispatch import Basis
from sync.services.exceptions import require_operate

DECIDABLE = ("open", "ignored", "pushed")


@transaction.atomic
def push(found: Sequence[DriftFinding], *, by: Actor) -> list[DriftFinding]:
    """Make the target hold what we hold; one delivery per key, whatever the number of its findings."""
    require_operate(by)
    rows = _locked(found)
    for row in rows:
        if row.record is None:
            raise NotNow("Nobody's record: there is nothing of ours to push. Import it, link it, or ignore it.")
        if row.kind == "unmapped":
            raise NotNow("A value has no counterpart at the target: add it to the value map, then push.")
    for (record, key), group in _grouped(rows).items():
        delivery = _repair(group[0], str(record), key, by)
        for row in group:
            row.state, row.delivery = "pushed", delivery
            _decide(row, by)
            row.save()
    _log(rows, "pushed", by)
    return rows


def _repair(row: DriftFinding, record: str, key: str, by: Actor) -> Delivery:
    basis = Basis(reason="drift_repair", requested_by=by.name, priority=lanes.URGENT)
    pushed = pushing.push_records(row.target, row.type, [record], basis, keys={key})
    if pushed.deliveries:
        return pushed.deliveries[0]
    waiting = Delivery.objects.filter(
        target=row.target, record=record, lane__target_key=key, state__in=(*OPEN, "held")
    ).order_by("-pk")
    if waiting:
        return waiting[0]
    raise NotNow("This record is no longer for that target, so nothing can be pushed.")


@transaction.atomic
def adopt(found: Sequence[DriftFinding], *, by: Actor, reason: str = "") -> list[ChangeRequest]:
    """Propose that ours becomes what the target holds; one request per record, decided like any other."""
    require_operate(by)
    rows = _locked(found)
    requests = []
    for row in rows:
        if row.record is None:
            raise NotNow("Nobody's record: import it from its system, so that it is matched against the others first.")
        if row.shape in ("record", "block") or row.kind == "unmapped":
            raise NotNow("Only values can be adopted; this finding is about the whole record.")
    grouped: dict[Any, list[DriftFinding]] = defaultdict(list)
    for row in rows:
        grouped[(row.type, row.record)].append(row)
    for (type, record), group in grouped.items():
        document = current_document(type, record)
        change = changes.propose(
            title=f"Adopt from {group[0].target.title}: {group[0].label}",
            reason=reason or f"Found by a drift check of {group[0].target.title}.",
            items=[
                ProposedItem(
                    type=type,
                    action="update",
                    uid=str(record),
                    changes=_changes(group, document),
                    base_version=document["version"],
                )
            ],
            origin="drift",
            by=by,
        )
        for row in group:
            row.state, row.change = "adopting", change
            _decide(row, by, reason)
            row.save()
        requests.append(change)
    _log(rows, "adopted", by)
    return requests


def _changes(group: list[DriftFinding], document: Document) -> list[Change]:
    render = renderer(group[0].target, group[0].type)
    plain = crypto.open_tree(document)
    proposed: dict[str, Any] = {}
    for row in group:
        secrets = _secrets(row.target_value)
        value = crypto.open_tree(row.target_value)
        try:
            adopted = render.mapping.adopt(row.field, value, plain, render.values)
        except SyncError as error:
            raise NotNow(error.message) from None
        for change in adopted:
            proposed[change["path"]] = _sealed_again(change["value"], secrets)
    if not proposed:
        raise NotNow("There is nothing to adopt: the record says the same already.")
    return [_as_change(path, value, document) for path, value in proposed.items()]


def _as_change(path: str, value: Any, document: Document) -> Change:
    """`bank_accounts/-` adds a child; every other path is one of the document's."""
    name, _, rest = path.partition("/")
    if rest == "-":
        uid = str(uuid.uuid4())
        return Change(f"{name}/{uid}", None, {**value, "uid": uid})
    return Change(path, value_at(document, path), value)


def _secrets(value: Any) -> set[str]:
    if crypto.is_sealed(value):
        return {crypto.open_sealed(value)}
    if isinstance(value, dict):
        return {secret for item in value.values() for secret in _secrets(item)}
    return set()


def _sealed_again(value: Any, secrets: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _sealed_again(item, secrets) for name, item in value.items()}
    if isinstance(value, str) and crypto.normalise_number(value) in secrets:
        return crypto.seal(value)
    return value


@transaction.atomic
def ignore(found: Sequence[DriftFinding], *, reason: str, until: date | None = None, by: Actor) -> list[DriftFinding]:
    """Leave the difference as it is; with a date it comes back after it."""
    require_operate(by)
    if not reason.strip():
        raise CorrectInput("Say why this difference is all right.")
    rows = _locked(found)
    for row in rows:
        row.state, row.ignored_until = "ignored", until
        _decide(row, by, reason)
        row.save()
    _log(rows, "ignored", by, reason=reason, until=until.isoformat() if until else None)
    return rows


def _decide(row: DriftFinding, by: Actor, reason: str = "") -> None:
    row.decided_by, row.decided_at, row.reason = by.name, Now(), reason


def _locked(found: Sequence[DriftFinding]) -> list[DriftFinding]:
    if not found:
        raise CorrectInput("Choose at least one finding.")
    rows = list(
        DriftFinding.objects.select_for_update(of=("self",))
        .select_related("target__system")
        .filter(pk__in=[row.pk for row in found])
        .order_by("pk")
    )
    for row in rows:
        if row.state not in DECIDABLE:
            words = "gone" if row.state == "resolved" else "being adopted"
            raise NotNow(f"This finding is {words} already: {row.label} {row.field}".strip() + ".")
    return rows


def _grouped(rows: Iterable[DriftFinding]) -> dict[tuple[Any, str], list[DriftFinding]]:
    grouped: dict[tuple[Any, str], list[DriftFinding]] = defaultdict(list)
    for row in rows:
        grouped[(row.record, row.target_key)].append(row)
    return grouped


def _log(rows: Iterable[DriftFinding], action: str, by: Actor, **detail: Any) -> None:
    for row in rows:
        audit.record(
            action=f"drift.{action}",
            by=by,
            object_type=row.type,
            object_uid=row.record or "",
            object_label=f"{row.label or row.target_key} at {row.target.title}",
            detail={"finding": str(row.uid), "field": row.field, **detail},
        )
