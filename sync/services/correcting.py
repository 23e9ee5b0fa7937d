"""Owns how an exception begins and ends by itself: opened by a refusal, closed when what followed it arrived."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Now

from sync import errors
from sync.models import Delivery, ExceptionItem, ExceptionOwner, Lane, OutcomeRule
from sync.models.states import OPEN
from sync.payloads import conceal
from sync.services.outcomes import Verdict

UNDER_WAY = (*OPEN, "held")
_ENDED = ("failed", "poison", "cancelled")


def open_exception(
    delivery: Delivery,
    verdict: Verdict,
    rule: OutcomeRule | None,
    problems: list[dict[str, str]],
    hidden: tuple[str, ...],
) -> ExceptionItem:
    """One item per rejected delivery: what a steward works on. `problems` name the document's paths already."""
    refusal = verdict.refusal
    assert refusal is not None
    unmapped = refusal if isinstance(refusal, errors.Unmapped) else None
    first = problems[0] if problems else {"field": "", "path": "", "code": "", "message": ""}
    kind = "unmapped" if unmapped else verdict.error_code if verdict.error_code == "linked_elsewhere" else "refused"
    return ExceptionItem.objects.create(
        delivery=delivery,
        target=delivery.target,
        type=delivery.type,
        record=delivery.record,
        label=delivery.label,
        kind=kind,
        code=(first["code"] or verdict.error_code)[:100],
        field=first["field"][:200],
        path=first["path"][:200],
        words=conceal(verdict.message, hidden),
        problems=problems,
        table=unmapped.table if unmapped else "",
        value=unmapped.value[:200] if unmapped else "",
        rule=rule,
        opened_at=Now(),
        **(_taken_over(delivery) or _owned(delivery, rule)),
    )


def _taken_over(delivery: Delivery) -> dict[str, Any]:
    """What was sent to put an earlier exception right was refused too: the clock of that one goes on."""
    earlier = _followed_by(delivery).order_by("pk").first()
    if earlier is None:
        return {}
    return {
        "follows": earlier,
        "assignee_id": earlier.assignee_id,
        "owner_role": earlier.owner_role,
        "due_at": earlier.due_at,
    }


def _owned(delivery: Delivery, rule: OutcomeRule | None) -> dict[str, Any]:
    owner = owner_of(rule, delivery.type, Lane.objects.values_list("entities", flat=True).get(pk=delivery.lane_id))
    if owner is None:
        return {}
    due = Now() + timedelta(hours=owner.sla_hours) if owner.sla_hours else None
    return {"owner_role": owner.role, "assignee_id": owner.person_id, "due_at": due}


def owner_of(rule: OutcomeRule | None, type: str, entities: list[str]) -> ExceptionOwner | None:
    """The most particular row that fits: one of the rule, then one of a company, then one of the record type."""
    weight = sum(
        (Case(When(without, then=Value(0)), default=Value(points), output_field=IntegerField()))
        for without, points in ((Q(rule=None), 4), (Q(legal_entity=""), 2), (Q(type=""), 1))
    )
    return (
        ExceptionOwner.objects.filter(
            Q(rule=None) | Q(rule=rule), type__in=("", type), legal_entity__in=("", *entities)
        )
        .annotate(weight=weight)
        .order_by("-weight", "pk")
        .first()
    )


def _follows_any(delivery: Delivery) -> bool:
    """Most follow none, and every delivery ends here: asked in the shortest way."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM sync_exceptionitem WHERE target_id = %s AND record = %s AND state = 'retrying' LIMIT 1",
            [delivery.target_id, delivery.record],
        )
        return cursor.fetchone() is not None


def _followed_by(delivery: Delivery) -> QuerySet[ExceptionItem]:
    """Exceptions whose correction this delivery is, or carries along: of its lane, or followed up in its lane."""
    here = Q(delivery__lane=delivery.lane_id) | Q(delivery__corrected_by__lane=delivery.lane_id)
    rows = ExceptionItem.objects.filter(here, target=delivery.target_id, record=delivery.record, state="retrying")
    return rows.exclude(delivery=delivery)


def settle(delivery: Delivery, state: str) -> None:
    """What the end of a delivery means for earlier exceptions; call it in the transaction of the outcome."""
    if state not in ("posted", "rejected", *_ENDED) or not _follows_any(delivery):
        return
    followed = _followed_by(delivery)
    if state == "posted":
        corrected = list(followed.values_list("pk", "delivery_id"))
        Delivery.objects.filter(pk__in=[pk for _, pk in corrected]).update(corrected_by=delivery.pk)
        _close([pk for pk, _ in corrected], "corrected")
    elif state == "rejected":
        _close(list(followed.values_list("pk", flat=True)), "repeated")
    else:
        followed.update(state="open")


def _close(pks: list[int], state: str) -> None:
    ExceptionItem.objects.filter(pk__in=pks).update(state=state, closed_at=Now())


def reconcile() -> int:
    """Exceptions whose correction ended without a word, such as a merged record's: open again, unless it arrived."""
    under_way = Delivery.objects.filter(target=OuterRef("target"), record=OuterRef("record"), state__in=UNDER_WAY)
    left = ExceptionItem.objects.filter(~Exists(under_way), state="retrying")
    arrived = list(left.filter(delivery__corrected_by__state="posted").values_list("pk", flat=True))
    _close(arrived, "corrected")
    return left.exclude(pk__in=arrived).update(state="open")
