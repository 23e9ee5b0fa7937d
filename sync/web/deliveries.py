"""The ledger of deliveries, one delivery beside it or on its own, and sending again: one, or many after a look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mdm.errors import CorrectInput
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter, plural
from mdm.web.page import Action, Empty, Item, Link, Page, Tile
from mdm.web.states import look
from sync.models import Delivery, Target
from sync.models.states import DEAD, OPEN, STATES
from sync.selectors import ledger
from sync.services import exceptions, replay, targets
from sync.web import delivery_page, doors
from sync.web.delivery_page import REASONS

TABS = (("", "All"), ("open", "Under way"), ("dead", "Stopped"), ("posted", "Posted"), ("held", "Held"))
REPLAYED = ("target", "record", "correlation_id")  # filters of the list that a replay understands


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    filters = _filters()
    held = browsing.values_of(request, filters)
    chosen = request.GET.get("delivery", "")
    delivery = ledger.find(chosen) if chosen else None
    context: dict[str, Any] = {
        "delivery": delivery_page.build(request, delivery) if delivery else None,
        "close_url": reverse("sync:deliveries") + visitor.changed_query(request, delivery=None, attempt=None),
    }
    if getattr(request, "htmx", False) and request.htmx.target == "detail":  # type: ignore[attr-defined]
        response = render(request, "sync/_delivery.html", context)
    else:
        part = browsing.cut(request, _matching(request, held), size=40)
        context |= {
            "page": Page(
                title="Deliveries", note="What was sent to whom, and what came of it", menu=[_replay_all(request)]
            ),
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


@require_GET
@visitor.page
def detail(request: HttpRequest, uid: Any) -> HttpResponse:
    doors.require_read(request)
    delivery = ledger.find(uid)
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
    delivery = ledger.find(uid)

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


# --- many at once, after a look ---------------------------------------------------------------------------------------


def _replay_all(request: HttpRequest) -> Action:
    """Leads to the look; carries the filters of the list along."""
    kept = {name: request.GET[name] for name in REPLAYED if request.GET.get(name)}
    query = "&".join(f"{name}={value}" for name, value in kept.items())
    url = reverse("sync:replay")
    return Action(
        label="Send everything that stopped again…",
        url=f"{url}?{query}" if query else url,
        icon="refresh",
        allowed=doors.may_act(request),
        why_not=doors.WHY_NOT,
    )


@require_http_methods(["GET", "POST"])
@visitor.page
def replay_stopped(request: HttpRequest) -> HttpResponse:
    """Dead letters that nobody followed up: counted first, queued by the button."""
    asked = {name: value for name in REPLAYED if (value := request.GET.get(name, "").strip()[:200])}
    wanted: dict[str, Any] = asked or {"target": [*Target.objects.values_list("code", flat=True), "-"]}  # never empty
    if request.method == "POST":

        def do() -> str:
            job = replay.replay(filter=wanted, dry_run=False, by=visitor.actor(request))
            return f"{plural(job.counts.get('queued', 0), 'line')} queued again"

        return doors.act(request, do, reverse("sync:deliveries"))
    counts = replay.replay(filter=wanted, dry_run=True, by=visitor.actor(request)).counts
    queued = counts.get("queued", 0)
    send = doors.action(
        request, label=f"Queue {plural(queued, 'line')}", name="replay", url=request.get_full_path(), icon="refresh",
        style="primary", fields={"next": f"{reverse('sync:deliveries')}?state=open"}, allowed=queued > 0,
        why_not="There is nothing that stopped and was not followed up.",
    )  # fmt: skip
    context = {
        "page": Page(
            title="Send again what stopped",
            crumbs=[Link("Deliveries", reverse("sync:deliveries")), Link("Send again", "")],
            note=" · ".join(f"{name.replace('_', ' ')} {value}" for name, value in asked.items()),
        ),
        "tiles": [
            Tile(label="Stopped deliveries", value=counts.get("found", 0), note="refused, failed or set aside"),
            Tile(label="Records", value=counts.get("records", 0)),
            Tile(label="Would be queued", value=queued, note="the current version of each"),
            Tile(label="On their way already", value=counts.get("already_waiting", 0), note="left as they are"),
        ],
        "text": "What was refused for its content is refused again unless the record, the mapping or the platform changed.",
        "send": send,
        "cancel_url": reverse("sync:deliveries"),
    }
    return render(request, "sync/push.html", context)
