"""Owns what stewards do with refused deliveries: assign, try again, cancel, close, and map a missing value for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from mdm.errors import CorrectInput, NotAllowed, NotFound, NotNow
from mdm.permissions import may
from mdm.services import audit
from mdm.types import Actor
from sync import value_maps
from sync.models import Delivery, ExceptionItem, Target, ValueMapRow
from sync.services import lanes, mappings, pushing
from sync.services.dispatch import Basis
from sync.services.pushing import Pushed


def require_operate(by: Actor) -> None:
    if not may(by, "sync:operate"):
        raise NotAllowed("You may not operate deliveries.")


@transaction.atomic
def assign(item: ExceptionItem, *, user: Any, by: Actor) -> ExceptionItem:
    require_operate(by)
    item = _open(item)
    item.assignee = user
    item.save(update_fields=["assignee"])
    _log(item, "assigned", by, to=str(user) if user else "")
    return item


@transaction.atomic
def retry(item: ExceptionItem, *, by: Actor) -> Pushed:
    """Send the version that is current now; this item is closed when that arrives."""
    require_operate(by)
    item = _open(item)
    pushed = _again(item.target, item.type, [item.record], by, "manual")
    if not pushed.counts["queued"] and not pushed.counts["already_waiting"]:
        raise NotNow("This record is no longer for that target: cancel the exception.")
    ExceptionItem.objects.filter(pk=item.pk, state="open").update(state="retrying")
    _log(item, "retried", by)
    return pushed


@transaction.atomic
def cancel(item: ExceptionItem, *, reason: str, by: Actor) -> ExceptionItem:
    """This version is never sent there."""
    require_operate(by)
    item = _open(item)
    if not reason.strip():
        raise CorrectInput("Say why it is not sent.")
    Delivery.objects.filter(pk=item.delivery_id, state="rejected").update(
        state="cancelled", error_text=f"Cancelled by {by.name}: {reason}"[:2000], changed_at=Now()
    )
    return _close(item, "cancelled", reason, by)


@transaction.atomic
def resolve(item: ExceptionItem, *, note: str, by: Actor) -> ExceptionItem:
    """Put right outside the hub; the delivery stays rejected in the ledger."""
    require_operate(by)
    item = _open(item)
    if not note.strip():
        raise CorrectInput("Say how it was put right.")
    return _close(item, "resolved", note, by)


ACTIONS = ("retry", "assign", "cancel", "resolve")


@dataclass
class Decided:
    """What became of many: how many it was done to, and why not to the others."""

    done: int = 0
    left: list[tuple[ExceptionItem, str]] = field(default_factory=list)


def decide(found: Iterable[ExceptionItem], what: str, *, by: Actor, reason: str = "", user: Any = None) -> Decided:
    """The same for many, each by itself: one that is closed already does not keep the others."""
    require_operate(by)
    acts: dict[str, Callable[[ExceptionItem], Any]] = {
        "retry": lambda item: retry(item, by=by),
        "assign": lambda item: assign(item, user=user, by=by),
        "cancel": lambda item: cancel(item, reason=reason, by=by),
        "resolve": lambda item: resolve(item, note=reason, by=by),
    }
    if what not in acts:
        raise CorrectInput(f"Choose one of: {', '.join(ACTIONS)}.")
    decided = Decided()
    for item in found:
        try:
            acts[what](item)
        except (NotNow, NotFound) as error:
            decided.left.append((item, error.message))
        else:
            decided.done += 1
    return decided


@transaction.atomic
def map_value(
    target: Target, *, table: str, ours: str, theirs: str, by: Actor, retry_waiting: bool = True
) -> tuple[ValueMapRow, int]:
    """Give a value its counterpart and send again everything that waited for it; (row, deliveries queued).

    `ours`: the one value, whatever characters it has.
    """
    name = value_maps.row_for(ours.strip())
    mappings.change(target, {(table, name): theirs}, by=by)
    row = ValueMapRow.objects.get(target=target, table=table.strip(), ours=name)
    if not retry_waiting:
        return row, 0
    waiting = ExceptionItem.objects.filter(target=target, table=table, value=ours, state="open")
    records: dict[str, list[Any]] = {}
    for type, record in waiting.values_list("type", "record"):
        records.setdefault(type, []).append(record)
    queued = sum(_again(target, type, uids, by, "mapping_changed").counts["queued"] for type, uids in records.items())
    return row, queued


def _again(target: Target, type: str, uids: list[Any], by: Actor, reason: str) -> Pushed:
    basis = Basis(reason=reason, requested_by=by.name)
    return pushing.push_records(target, type, list(dict.fromkeys(uids)), basis)


def _open(item: ExceptionItem) -> ExceptionItem:
    locked = ExceptionItem.objects.select_for_update(of=("self",)).select_related("target", "assignee").get(pk=item.pk)
    if locked.state != "open":
        raise NotNow(f"This exception is {locked.state} already.")
    return locked


def _close(item: ExceptionItem, state: str, note: str, by: Actor) -> ExceptionItem:
    item.state, item.note, item.closed_by = state, note, by.name
    item.closed_at = Now()
    item.save(update_fields=["state", "note", "closed_by", "closed_at"])
    item.refresh_from_db()
    _log(item, state, by, note=note)
    return item


def _log(item: ExceptionItem, action: str, by: Actor, **detail: Any) -> None:
    audit.record(
        action=f"exception.{action}",
        by=by,
        object_type=item.type,
        object_uid=item.record,
        object_label=f"{item.label} at {item.target.title}",
        detail={"exception": str(item.uid), "words": item.words, **detail},
    )


@transaction.atomic
def retry_poison(delivery: Delivery, *, by: Actor) -> Pushed:
    """Let a lane go on that was held because its delivery ended the process again and again.

    The current version is sent, unless the record is no longer for that target; what waited behind goes on either way.
    """
    require_operate(by)
    locked = Delivery.objects.select_for_update(of=("self",)).get(pk=delivery.pk)
    if locked.state != "poison":
        raise NotNow("Only a delivery that was set aside holds its lane.")
    Delivery.objects.filter(pk=delivery.pk).update(state="cancelled", changed_at=Now())
    try:
        pushed = _again(delivery.target, delivery.type, [delivery.record], by, "manual")
    except (NotFound, NotNow):
        pushed = Pushed()
    lanes.release(delivery.lane)
    audit.record(
        action="delivery.poison_released", by=by, object_type=delivery.type, object_uid=delivery.record,
        object_label=f"{delivery.label} at {delivery.target.title}", detail={"delivery": str(delivery.uid)},
    )  # fmt: skip
    return pushed
