"""The ledger of deliveries, and one delivery with its story, attempts and what was said on the wire (redacted)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from mdm.errors import CorrectInput
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Callout, Confirm, Empty, Event, Fact, Item, Link, Meta, Page
from mdm.web.states import look
from sync.models import Attempt, Delivery, Target
from sync.models.states import DEAD, OPEN, STATES
from sync.selectors import ledger
from sync.services import exceptions, targets
from sync.web import doors

TABS = (("", "All"), ("open", "Under way"), ("dead", "Stopped"), ("posted", "Posted"))
REASONS = {
    "event": "The record changed",
    "mapping_changed": "The mapping changed",
    "effective_date": "Its date came",
    "drift_repair": "Repair of drift",
    "replay": "Sent again",
    "manual": "Pushed by hand",
}


@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    filters = _filters()
    held = browsing.values_of(request, filters)
    rows = _matching(request, held)
    part = browsing.cut(request, rows, size=40)
    chosen = request.GET.get("delivery", "")
    delivery = ledger.find(chosen) if chosen else None
    context: dict[str, Any] = {
        "delivery": _detail(request, delivery) if delivery else None,
        "close_url": reverse("sync:deliveries") + visitor.changed_query(request, delivery=None),
    }
    if getattr(request, "htmx", False) and request.htmx.target == "detail":  # type: ignore[attr-defined]
        return render(request, "sync/_delivery.html", context)
    context |= {
        "page": Page(title="Deliveries", note="What was sent to whom, and what came of it"),
        "filters": browsing.bar(request, "Deliveries where", filters, placeholder="Name, code or key", keep=("state",)),
        "tabs": _tabs(request),
        "items": [_item(request, row, chosen) for row in part.rows],
        "pager": browsing.pager(request, part, "deliveries"),
        "empty": Empty(title="No delivery fits", text="Take a filter away, or look at all states.", icon="send"),
    }
    return render(request, "sync/deliveries.html", context)


@visitor.page
def detail(request: HttpRequest, uid: Any) -> HttpResponse:
    doors.require_read(request)
    delivery = ledger.find(uid)
    title = f"{delivery.label} to {delivery.target.title}"
    crumbs = [Link(label="Deliveries", url=reverse("sync:deliveries"))]
    context = {"page": Page(title=title, crumbs=crumbs), "delivery": _detail(request, delivery)}
    return render(request, "sync/delivery.html", context)


def _filters() -> list[Filter]:
    options = tuple(Target.objects.values_list("code", "title"))
    return [
        Filter(name="target", words="target is", options=options),
        Filter(name="reason", words="reason is", options=tuple(REASONS.items())),
        Filter(name="correlation_id", words="correlation id is", kind="text"),
        Filter(name="record", words="record is", kind="text"),
    ]


def _matching(request: HttpRequest, held: Mapping[str, str]) -> Any:
    asked: dict[str, Any] = {name: value for name, value in held.items() if value}
    if "record" in asked and not _is_uid(asked["record"]):
        return Delivery.objects.none()
    if words := request.GET.get("q", "").strip():
        asked["q"] = words
    rows = ledger.matching(ledger.deliveries(), asked)
    state = request.GET.get("state", "")
    if state == "open":
        return rows.filter(state__in=OPEN)
    if state == "dead":
        return rows.filter(state__in=DEAD, corrected_by=None)
    return rows.filter(state=state) if state in STATES else rows


def _is_uid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def _tabs(request: HttpRequest) -> list[Link]:
    now = request.GET.get("state", "")
    return [
        Link(label=label, url=visitor.changed_query(request, state=key or None, delivery=None), current=now == key)
        for key, label in TABS
    ]


def _item(request: HttpRequest, row: Delivery, chosen: str) -> Item:
    state = ledger.shown_state(row)
    shown = look(state, "delivery")
    return Item(
        url=visitor.changed_query(request, delivery=str(row.uid), cursor=request.GET.get("cursor") or None),
        title=row.label or str(row.record),
        icon=shown.icon,
        tone=shown.tone,
        tone_label=shown.label,
        meta=f"{row.target.title} · {REASONS[row.reason].lower()} · version {row.version}",
        end=shown.label,
        at=row.changed_at,
        current=str(row.uid) == chosen,
    )


def _detail(request: HttpRequest, row: Delivery) -> dict[str, Any]:
    attempts = list(row.attempt_rows.all())
    wanted = request.GET.get("attempt", "")
    shown = next((a for a in attempts if str(a.pk) == wanted), attempts[-1] if attempts else None)
    state = ledger.shown_state(row)
    return {
        "title": row.label or str(row.record),
        "state": state,
        "state_label": look(state, "delivery").label,
        "meta": [
            Meta(kind="link", text=row.target.title, url=f"{reverse('sync:targets')}"),
            Meta(kind="id", text=row.target_key) if row.target_key else Meta(text="no key there yet"),
            Meta(text=f"version {row.version}"),
            Meta(kind="time", at=row.created_at, prefix="queued"),
        ],
        "callouts": _callouts(row),
        "actions": [_again(request, row)],
        "facts": _facts(row),
        "story": _story(row, attempts),
        "attempts": [
            Link(
                label=str(number),
                url=visitor.changed_query(request, attempt=str(attempt.pk), delivery=request.GET.get("delivery")),
                current=attempt is shown,
            )
            for number, attempt in enumerate(attempts, 1)
        ],
        "attempt": _attempt(shown) if shown else None,
        "mapping": None,
        "payload_hash": row.payload_hash,
    }


def _callouts(row: Delivery) -> list[Callout]:
    if row.corrected_by_id:
        return [Callout(title="Put right since", body="A later delivery brought the record in order.", tone="green")]
    if row.state not in DEAD or not row.error_text:
        return []
    return [Callout(title=row.error_text, body=f"The platform's code: {row.error_code}", tone="red", icon="no")]


def _again(request: HttpRequest, row: Delivery) -> Any:
    confirm = Confirm(
        title=f"Send {row.label} to {row.target.title} again?",
        body="The current version is sent, not the one of this delivery. If the platform holds it already, nothing is written.",
        button="Send again",
    )
    return doors.action(
        request,
        label="Send again",
        name="again",
        url=reverse("sync:delivery-again", args=[row.uid]),
        icon="send",
        confirm=confirm,
    )


def _facts(row: Delivery) -> list[Fact]:
    facts = [
        Fact(label="Record", value=row.label, kind="link", url=doors.record_link(row.type, row.record)),
        Fact(label="Reason", value=REASONS[row.reason]),
        Fact(
            label="Asked to",
            value={"upsert": "hold these values", "block": "block this key"}.get(row.action, row.action),
        ),
        Fact(label="Effect there", value=row.effect or None),
        Fact(label="Verified", value="Read back, and the same" if row.verified else "Not yet"),
        Fact(label="Line", value=f"number {row.seq}, generation {row.generation}"),
        Fact(label="Correlation", value=row.correlation_id, kind="id"),
        Fact(label="Payload", value=row.payload_hash[:16] or None, kind="mono"),
    ]
    if row.requested_by:
        facts.insert(2, Fact(label="Asked for by", value=row.requested_by, kind="person"))
    return facts


def _story(row: Delivery, attempts: list[Attempt]) -> list[Event]:
    story = [Event(at=row.created_at, text=f"Queued: {REASONS[row.reason].lower()}, version {row.version}")]
    for attempt in attempts:
        result = getattr(attempt, "result", None)
        doing = "Read back" if attempt.kind == "read_back" else "Sent"
        if result is None:
            story.append(
                Event(at=attempt.started_at, text=f"{doing}: no answer was recorded, the process died or waits")
            )
        else:
            words = f"{doing}: {result.outcome.replace('_', ' ')}"
            story.append(Event(at=result.finished_at, text=f"{words}. {result.message}".strip()))
    if row.posted_at:
        story.append(
            Event(at=row.posted_at, text="Posted" + (", and verified by reading it back" if row.verified else ""))
        )
    return story


def _attempt(attempt: Attempt) -> dict[str, Any]:
    result = getattr(attempt, "result", None)
    exchanges = result.exchanges if result else []
    return {
        "title": "Read back" if attempt.kind == "read_back" else f"Attempt {attempt.number}",
        "state": result.outcome.replace("_", " ") if result else "no answer recorded",
        "at": attempt.started_at,
        "note": result.message if result else "",
        "exchanges": [
            {**exchange, "duration": f"{exchange.get('duration_ms', 0)} ms", "hit": ""} for exchange in exchanges
        ],
    }


@require_POST
@visitor.page
def again(request: HttpRequest, uid: Any) -> HttpResponse:
    delivery = ledger.find(uid)

    def do() -> str:
        by, record = visitor.actor(request), str(delivery.record)
        if delivery.state == "poison":
            pushed = exceptions.retry_poison(delivery, by=by)
        else:
            pushed = targets.push(delivery.target, by=by, type=delivery.type, uids=[record])
        if pushed.counts["already_waiting"]:
            return f"It waits for {delivery.target.title} already"
        if not pushed.counts["queued"]:
            raise CorrectInput("There is nothing to send: the target is not subscribed to this record.")
        return f"Queued again for {delivery.target.title}"

    return doors.act(request, do, reverse("sync:delivery", args=[uid]))
