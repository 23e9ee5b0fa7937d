"""Technical alerts for operators: what is open, who looks after it, who was told, and what was."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mdm.web import browsing, visitor
from mdm.web.browsing import Filter, plural
from mdm.web.page import Action, Confirm, Empty, Link, Meta, Page, Part, Rich
from mdm.web.tables import Cell, Column, Row, Table
from sync.models import Notification, Target, TargetAlert
from sync.selectors import alert_views
from sync.services import alerts
from sync.web import doors

COLUMNS = (
    Column(label="Alert"),
    Column(label="What was said", priority=1),
    Column(label="Looked after by", priority=2),
    Column(label="Since"),
    Column(label="Over", priority=1),
)
TABS = (("", "Open"), ("resolved", "Over"))
# cause → what an operator does about it; where the hub knows no better, the words of a rule or nothing
HINTS = {
    "breaker_open": "Nothing is sent while it fails; one request at a time tries again. Resume the target to try at once.",
    "check_failed": "Look at the address and the credentials in the admin, then check the target again.",
    "dead_letters": "Given up after every attempt. Put the cause right, then send again what stopped.",
    "poison": "A delivery ended its process three times; its line is held. Open it and release the line.",
    "drift_failed": "A look at what the target holds broke off. Start another one.",
}


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    filters = [Filter(name="target", words="target is", options=tuple(Target.objects.values_list("code", "title")))]
    rows = alert_views.matching(alert_views.alerts(), browsing.values_of(request, filters))
    over = request.GET.get("tab") == "resolved"
    part = browsing.cut(request, rows.filter(closed_at__isnull=not over), size=25)
    shown = [_alert(request, row) for row in part.rows]
    context = {
        "page": Page(title="Alerts", note=_note(over, part.rows)),
        "tabs": [
            Link(label, visitor.changed_query(request, tab=key or None), current=over == (key == "resolved"))
            for key, label in TABS
        ],
        "filters": browsing.bar(request, "Alerts where", filters, keep=("tab",)),
        "alerts": [] if over else shown,
        "history": _history(part.rows) if over and part.rows else None,
        "pager": browsing.pager(request, part, "alerts"),
        "empty": None if part.rows else _nothing(request, over),
    }
    return render(request, "sync/alerts.html", context)


def _note(over: bool, rows: list[TargetAlert]) -> str:
    if over:
        return "What was, and who was told"
    alone = sum(row.acknowledged_at is None for row in rows)
    said = [f"{plural(alone, 'alert has', 'alerts have')} nobody yet"] if alone else []
    if not settings.EMAIL_CONFIGURED:
        said.append("No mail server is set (MDM_EMAIL_URL), so nobody is told by e-mail")
    return ". ".join(said)


def _nothing(request: HttpRequest, over: bool) -> Empty:
    if request.GET.get("target"):
        return Empty(title="No alert fits", text="Take a filter away.", icon="filter")
    if over:
        return Empty(title="There was none yet", icon="history")
    text = "When one stops answering, its alert stands here once, whatever the number of records."
    return Empty(title="Every target works", text=text, icon="ok")


def _alert(request: HttpRequest, row: TargetAlert) -> dict[str, Any]:
    state = alert_views.state_of(row)
    return {
        "uid": str(row.uid),
        "title": f"{row.target.title}: {row.cause.lower()}",
        "source": doors.source(row.target.system),
        "state": state,
        "words": row.message,
        "hint": row.detail.get("hint") or HINTS.get(row.code, ""),
        "meta": _meta(row),
        "told": [_told(one) for one in row.notifications.all()],
        "actions": [*_ways(row), _acknowledge(request, row, state)],
    }


def _meta(row: TargetAlert) -> list[Meta]:
    found = [
        Meta(kind="time", at=row.opened_at, prefix="since"),
        Meta(kind="time", at=row.last_seen_at, prefix="last seen"),
    ]
    if row.returns:
        found.append(Meta(text=f"came back {plural(row.returns, 'time')}"))
    if row.acknowledged_at:
        found.append(Meta(kind="person", text=row.acknowledged_by, prefix="looked after by"))
    return found + ([Meta(text=row.note)] if row.note else [])


def _told(one: Notification) -> dict[str, Any]:
    words = {"opened": "told", "resolved": "told that it is over"}[one.event]
    tone = {"sent": "green", "failed": "red"}.get(one.state, "grey")
    state = {"sent": words, "failed": "could not be told", "pending": "will be told"}.get(one.state, "not told")
    if one.state == "pending" and one.attempts:
        state = f"not told yet, {plural(one.attempts, 'attempt')}"
    note = one.error if one.state != "sent" else ""
    return {"who": one.recipient, "channel": one.get_channel_display(), "state": state, "tone": tone, "error": note,
            "at": one.sent_at}  # fmt: skip


def _ways(row: TargetAlert) -> list[Action]:
    """Where the cause is put right."""
    found = [Action(label="The target", url=f"{reverse('sync:targets')}#target-{row.target.code}", icon="target")]
    delivery = row.detail.get("delivery")
    if delivery:
        found.insert(0, Action(label="A delivery", url=reverse("sync:delivery", args=[delivery]), icon="send"))
    if row.code in ("dead_letters", "poison"):
        url = f"{reverse('sync:deliveries')}?target={row.target.code}&state=dead"
        found.insert(0, Action(label="What stopped", url=url, icon="filter"))
    return found


def _acknowledge(request: HttpRequest, row: TargetAlert, state: str) -> Action:
    ask = Confirm(
        title=f"Look after “{row.cause.lower()}” at {row.target.title}?",
        body="Others see that you do. It stays open until the target works again; then it closes by itself.",
        button="I look after it",
        cancel="Not now",
        reason_label="What you do about it",
        reason_name="note",
        reason_required=False,
    )
    return doors.action(
        request, label="Look after it", name=f"ack-{row.pk}", url=reverse("sync:alert-acknowledge", args=[row.uid]),
        icon="user", confirm=ask, allowed=state == "open", why_not=f"{row.acknowledged_by} does already.",
    )  # fmt: skip


def _history(rows: list[TargetAlert]) -> Table:
    def cells(row: TargetAlert) -> list[Cell]:
        sent = sum(one.state == "sent" and one.event == "opened" for one in row.notifications.all())
        told: Rich = [Part(text=f"{plural(sent, 'recipient')} told")] if sent else "nobody was told"
        return [
            Cell(value=row.cause, kind="title", sub=row.target.title),
            Cell(value=row.message[:160], muted=True, sub=told),
            Cell(value=row.acknowledged_by, kind="person") if row.acknowledged_by else Cell(value="", note="nobody"),
            Cell(value=row.opened_at, kind="time"),
            Cell(value=row.closed_at, kind="time"),
        ]

    shown = [Row(title=f"{row.cause} at {row.target.title}", cells=cells(row)) for row in rows]
    return Table(caption="Alerts that are over", columns=COLUMNS, rows=shown)


@require_POST
@visitor.page
def acknowledge(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = alert_views.find(uid)

    def do() -> str:
        alerts.acknowledge(row, note=request.POST.get("note", ""), by=visitor.actor(request))
        return f"You look after {row.target.title}: {row.cause.lower()}"

    return doors.act(request, do, reverse("sync:alerts"))
