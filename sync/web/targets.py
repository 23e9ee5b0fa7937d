"""The board of targets: how each platform stands, what waits for it, and the levers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from mdm import registry
from mdm.web import charts, visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Badge, Confirm, Empty, Fact, Page
from mdm.web.values import age
from sync import platforms
from sync.models import Target
from sync.selectors import freeze_views, success, target_health
from sync.selectors.target_health import Health
from sync.services import connections, drift, targets
from sync.web import doors

# What the platform's means allow us to promise; the letters are those of docs/sync.md.
CAPABILITY = {
    "A": "Never twice, never older over newer (conditional writes)",
    "B": "Never twice (the receiver takes a key once), in order",
    "C": "Never twice (read before every retry), in order",
    "D": "Never twice (found before created), in order",
    "E": "At most once; a person decides after doubt",
}


@visitor.page
def board(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    healths = target_health.all_targets()
    hours = success.by_hour(health.target.pk for health in healths)
    waiting = sum(health.queue for health in healths)
    context = {
        "page": Page(title="Targets", note=_note(len(healths), waiting)),
        "cards": [_card(request, health, hours.get(health.target.pk, [])) for health in healths],
        "empty": Empty(
            title="No target yet",
            text="A governance lead adds platforms in the admin: address, credentials, and what each is to get.",
            icon="target",
        ),
    }
    return render(request, "sync/targets.html", context)


def _note(targets: int, waiting: int) -> str:
    return f"{plural(targets, 'platform')}, {plural(waiting, 'delivery waits', 'deliveries wait')}"


def _card(request: HttpRequest, health: Health, hours: list[float]) -> dict[str, Any]:
    target = health.target
    readable = platforms.readable(target.connector)
    answers = health.answers_24h
    good = (answers - health.failures_24h) / answers if answers else None
    return {
        "code": target.code,
        "title": target.title,
        "url": f"{reverse('sync:deliveries')}?target={target.code}",
        "source": doors.source(target.system),
        "state": health.state,
        "state_note": health.note,
        "last_ok": health.last_ok,
        "last_failed": health.last_failed,
        "last_error": health.last_error,
        "queue": health.queue,
        "oldest": age((timezone.now() - health.oldest_at).total_seconds()) if health.oldest_at else "",
        "success_label": "Succeeded, 24 h",
        "success_text": f"{good:.1%}".replace(".0%", "%") if good is not None else "nothing sent",
        "success": charts.spark(hours, "Share that succeeded, hour by hour"),
        "rate_used": health.answers_minute,
        "rate_allowed": int(target.rate_per_s * 60),
        "rate_text": f"{health.answers_minute:,} of {int(target.rate_per_s * 60):,} a minute",
        "queue_url": f"{reverse('sync:deliveries')}?target={target.code}&state=open",
        "breaker": None
        if target.breaker == "closed"
        else Badge(label=f"Breaker {target.breaker.replace('_', ' ')}", tone="red", icon="no"),
        "freeze": _freeze(health),
        "types": [kind.plural for key in health.types if (kind := registry.find(key))],
        "missing": [*target.missing, *(part.replace("_", " ") for part, can in target.pushable.items() if not can)],
        "capability": CAPABILITY.get(health.capability, health.capability),
        "facts": [
            Fact(label="Refused", value=health.exceptions, kind="link", url=_exceptions(target)),
            *_alerts(target, health),
            Fact(label="Differences", value=health.drift, kind="link", url=_drift(target))
            if readable
            else Fact(
                label="Verified by", value="its acknowledgement at most: it cannot be read, so no drift is known"
            ),
            Fact(label="Checked", value=target.checked_at, kind="time")
            if target.checked_at
            else Fact(label="Checked", value="not yet"),
            *_credentials(target),
        ],
        "actions": _levers(request, target),
        "menu": _menu(request, target),
    }


def _freeze(health: Health) -> str:
    """Every window that is open or comes, in words; and how much waits for the end of one."""
    words = "; ".join(freeze_views.words(row) for row in health.freezes)
    if health.frozen:
        words += f". {plural(health.frozen, 'line waits', 'lines wait')}"
    return words


def _alerts(target: Target, health: Health) -> list[Fact]:
    url = f"{reverse('sync:alerts')}?target={target.code}"
    return [Fact(label="Alerts", value=len(health.alerts), kind="link", url=url)] if health.alerts else []


def _credentials(target: Target) -> list[Fact]:
    """Since when they are in use, and what should be done about them."""
    since = target.secret_set_at
    facts = [Fact(label="Credentials", value=since, kind="time", note=f"by {target.secret_set_by}")] if since else []
    badges = [Badge(label=words, tone="amber", icon="alert") for words in connections.warnings(target)]
    return [*facts, *(Fact(label="Credentials", value=badge, kind="badge") for badge in badges)]


def _exceptions(target: Target) -> str:
    return f"{reverse('sync:exceptions')}?target={target.code}"


def _drift(target: Target) -> str:
    return f"{reverse('sync:drift')}?target={target.code}"


def _levers(request: HttpRequest, target: Target) -> list[Action]:
    def url(what: str) -> str:
        return reverse(f"sync:target-{what}", args=[target.code])

    paused = target.paused_at is not None or target.breaker != "closed"
    stop = Confirm(
        title=f"Pause {target.title}?",
        body="Nothing more is sent until somebody resumes it. Deliveries go on queueing, in order.",
        button="Pause",
        reason_label="Why",
    )
    return [
        Action(
            label="Push…",
            name=f"push-{target.code}",
            url=url("push"),
            icon="send",
            allowed=doors.may_act(request),
            why_not=doors.WHY_NOT,
        ),
        doors.action(
            request, label="Look for drift", name=f"drift-{target.code}", url=url("drift"), icon="drift",
            allowed=platforms.readable(target.connector), why_not=doors.UNREADABLE,
        ),
        doors.action(request, label="Resume", name=f"resume-{target.code}", url=url("resume"), icon="play")
        if paused
        else doors.action(
            request, label="Pause", name=f"pause-{target.code}", url=url("pause"), icon="pause", confirm=stop
        ),
    ]  # fmt: skip


def _menu(request: HttpRequest, target: Target) -> list[Action]:
    check = reverse("sync:target-check", args=[target.code])
    return [
        Action(label="Mapping", url=reverse("sync:mapping", args=[target.code]), icon="mapping"),
        doors.action(request, label="Check the connection", name=f"check-{target.code}", url=check, icon="ok"),
    ]


@require_POST
@visitor.page
def check(request: HttpRequest, code: str) -> HttpResponse:
    """Look whether the platform answers. That it does not is an answer too, and no success."""
    found = targets.check(get_object_or_404(Target, code=code), by=visitor.actor(request))
    messages.add_message(request, messages.SUCCESS if found.ok else messages.ERROR, found.message)
    return redirect(visitor.onward(request, reverse("sync:targets")))


@require_POST
@visitor.page
def pause(request: HttpRequest, code: str) -> HttpResponse:
    target = get_object_or_404(Target, code=code)

    def do() -> str:
        targets.pause(target, reason=request.POST.get("reason", ""), by=visitor.actor(request))
        return f"{target.title} is paused"

    return doors.act(request, do, reverse("sync:targets"))


@require_POST
@visitor.page
def resume(request: HttpRequest, code: str) -> HttpResponse:
    target = get_object_or_404(Target, code=code)

    def do() -> str:
        targets.resume(target, by=visitor.actor(request))
        return f"{target.title} is sent to again"

    return doors.act(request, do, reverse("sync:targets"))


@require_POST
@visitor.page
def look(request: HttpRequest, code: str) -> HttpResponse:
    """Start a drift run."""
    target = get_object_or_404(Target, code=code)

    def do() -> str:
        drift.request(target, by=visitor.actor(request))
        return f"Looking at what {target.title} holds"

    return doors.act(request, do, reverse("sync:drift"))
