"""The ledger of deliveries, one delivery beside it or on its own, and sending that one again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from mdm.errors import CorrectInput
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter, plural
from mdm.web.page import Action, Empty, Item, Link, Page
from mdm.web.states import look
from sync.models import Delivery, Target
from sync.models.states import DEAD, OPEN, STATES
from sync.selectors import ledger
from sync.services import exceptions, targets
from sync.web import delivery_page, doors
from sync.web.delivery_page import REASONS

TABS = (("", "All"), ("open", "Under way"), ("dead", "Stopped"), ("posted", "Posted"), ("held", "Held"))


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    filters = _filters()
    held = browsing.values_of(request, filters)
    chosen = request.GET.get("delivery", "")
    delivery = ledger.find(chosen, visitor.entities(request)) if chosen else None
    context: dict[str, Any] = {
        "delivery": delivery_page.build(request, delivery) if delivery else None,
        "close_url": reverse("sync:deliveries") + visitor.changed_query(request, delivery=None, attempt=None),
    }
    if getattr(request, "htmx", False) and request.htmx.target == "detail":  # type: ignore[attr-defined]
        response = render(request, "sync/_delivery.html", context)
    else:
        part = browsing.cut(request, _matching(request, held), size=40)
        context |= {
            "page": Page(title="Deliveries", note="What was sent to whom, and what came of it", menu=[_dead_letters()]),
            "filters": browsing.bar(request, "Deliveries where", filters, placeholder="Name or code", keep=("state",)),
            "tabs": _tabs(request),
            "items": [_item(request, row, chosen) for row in part.rows],
            "pager": browsing.pager(request, part, "deliveries"),
            "empty": _empty(request),
        }
        response = render(request, "sync/deliveries.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _empty(request: HttpRequest) -> Empty:
    if request.GET:
        return Empty(title="No delivery fits", text="Take a filter away, or look at all states.", icon="filter")
    text = "As soon as an approved change concerns a target, what is sent stands here with every answer."
    return Empty(title="Nothing was sent yet", text=text, icon="send")


def _dead_letters() -> Action:
    return Action(label="Send again what stopped…", url=reverse("sync:dead-letters"), icon="refresh")


@require_GET
@visitor.page
def detail(request: HttpRequest, uid: Any) -> HttpResponse:
    doors.require_read(request)
    delivery = ledger.find(uid, visitor.entities(request))
    shown = delivery_page.build(request, delivery)
    page = Page(
        title=f"{shown['title']} to {delivery.target.title}",
        crumbs=[Link("Deliveries", reverse("sync:deliveries")), Link(delivery.target.title, "")],
        badges=[delivery_page.badge(delivery)],
        meta=shown["meta"],
        primary=shown["actions"][0],
    )
    return render(request, "sync/delivery.html", {"page": page, "delivery": shown})


def _filters() -> list[Filter]:
    options = tuple(Target.objects.values_list("code", "title"))
    return [
        Filter(name="target", words="target is", options=options),
        Filter(name="reason", words="reason is", options=tuple(REASONS.items())),
        Filter(name="correlation_id", words="correlation id is", label="Correlation id", kind="text"),
        Filter(name="record", words="record is", label="Record (uid)", kind="text"),
    ]


def _matching(request: HttpRequest, held: Mapping[str, str]) -> Any:
    asked: dict[str, Any] = {name: value for name, value in held.items() if value}
    if "record" in asked and not _is_uid(asked["record"]):
        return Delivery.objects.none()
    if words := request.GET.get("q", "").strip()[:100]:
        asked["q"] = words
    rows = ledger.matching(ledger.deliveries(visitor.entities(request)), asked)
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
        Link(
            label=label,
            url=visitor.changed_query(request, state=key or None, delivery=None, attempt=None),
            current=now == key,
        )
        for key, label in TABS
    ]


def _item(request: HttpRequest, row: Delivery, chosen: str) -> Item:
    shown = look(ledger.shown_state(row), "delivery")
    tries = f" · {plural(row.attempts, 'attempt')}" if row.attempts > 1 else ""
    return Item(
        url=visitor.changed_query(
            request, delivery=str(row.uid), attempt=None, cursor=request.GET.get("cursor") or None
        ),
        title=row.label or str(row.record),
        icon=shown.icon,
        tone=shown.tone,  # type: ignore[arg-type]
        tone_label=shown.label,
        meta=f"{row.target.title} · {shown.label} · version {row.version}{tries}",
        at=row.changed_at,
        current=str(row.uid) == chosen,
    )


@require_POST
@visitor.page
def again(request: HttpRequest, uid: Any) -> HttpResponse:
    delivery = ledger.find(uid, visitor.entities(request))

    def do() -> str:
        by, record = visitor.actor(request), str(delivery.record)
        if delivery.state == "poison":
            pushed = exceptions.retry_poison(delivery, by=by)
        else:
            pushed = targets.push(delivery.target, by=by, type=delivery.type, uids=[record])
        if delivery.state == "poison" and not pushed.counts["already_waiting"]:
            return f"Its line at {delivery.target.title} goes on"
        if pushed.counts["already_waiting"]:
            return f"It waits for {delivery.target.title} already"
        if not pushed.counts["queued"]:
            raise CorrectInput("There is nothing to send: the target is not subscribed to this record.")
        return f"Queued again for {delivery.target.title}"

    return doors.act(request, do, reverse("sync:delivery", args=[uid]))
