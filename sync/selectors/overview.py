"""What sync adds to the hub's own pages: numbers in the rail, charts of the dashboard, search, readiness, metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Count, FilteredRelation, Max, Min, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from mdm import permissions
from mdm.models import Event
from mdm.permissions import entities_of
from mdm.web import charts
from mdm.web.page import Link, Notice, Tile
from sync.models import Delivery, DispatchCursor, DriftFinding, ExceptionItem, Target, TargetAlert
from sync.models.states import OPEN
from sync.selectors import chain, dead_letters, drift_views, freeze_views, jobs, sight
from sync.selectors.record_status import link
from sync.services.dispatch import CURSOR

DAYS = 14
LAG = timedelta(seconds=60)
_SERIES = (
    charts.Series("posted", "Posted", "green"),
    charts.Series("waiting", "Waiting", "blue"),
    charts.Series("refused", "Refused", "red"),
    charts.Series("failed", "Failed", "amber"),
)
_SERIES_OF = {
    "posted": "posted",
    "rejected": "refused",
    "failed": "failed",
    "poison": "failed",
    **dict.fromkeys((*OPEN, "held"), "waiting"),
}


def _may_read(user: Any) -> bool:
    return permissions.allows(permissions.scopes_of(user), "sync:read")


def counts(user: Any) -> Mapping[str, int]:
    """Numbers of the rail."""
    if not _may_read(user):
        return {}
    troubled = (Q(breaker="open") | Q(check_ok=False)) & Q(active=True, paused_at=None)
    unseen = FilteredRelation("alerts", condition=Q(alerts__closed_at=None, alerts__acknowledged_at=None))
    targets = Target.objects.annotate(unseen=unseen).aggregate(
        troubled=Count("pk", troubled, distinct=True), alerts=Count("unseen", distinct=True)
    )
    return {
        "dead": dead_letters.dead().exclude(state="rejected").count(),
        "jobs": jobs.waiting_for(user),
        "exceptions": ExceptionItem.objects.filter(state="open").count(),
        # What differed before anything was ever sent waits for a first push, not for a person.
        "drift": DriftFinding.objects.filter(state="open").exclude(cause="never_pushed").count(),
        "alerts": targets["alerts"],
        "targets": targets["troubled"],
    }


def dashboard(user: Any) -> Mapping[str, Any]:
    """Charts and what is stuck; empty for people who may not see deliveries."""
    if not _may_read(user):
        return {}
    return {
        "tiles": _tiles(),
        "deliveries": _per_day(),
        "deliveries_link": Link("All deliveries", link("sync:deliveries")),
        "drift": drift_views.heat_map(),
        "drift_link": Link("All findings", link("sync:drift")),
        "stuck": _stuck(),
    }


def _tiles() -> list[Tile]:
    day_ago = timezone.now() - timedelta(days=1)
    found = Delivery.objects.filter(Q(state__in=OPEN) | Q(posted_at__gt=day_ago)).aggregate(
        posted=Count("pk", Q(state="posted")), waiting=Count("pk", Q(state__in=OPEN))
    )
    refused = ExceptionItem.objects.filter(state="open").count()
    return [
        Tile(
            label="Posted in 24 hours",
            value=found["posted"],
            note=f"{found['waiting']} waiting",
            url=link("sync:deliveries"),
        ),
        Tile(
            label="Refused by a platform",
            value=refused,
            note="wait for a steward" if refused else "none open",
            tone="red" if refused else "",
            url=link("sync:exceptions"),
        ),
    ]


def _per_day() -> charts.StackedBars | None:
    today = timezone.now().date()
    first = today - timedelta(days=DAYS - 1)
    rows = (
        Delivery.objects.filter(created_at__date__gte=first, state__in=list(_SERIES_OF))
        .annotate(day=TruncDate("created_at"))
        .order_by()
        .values_list("day", "state")
        .annotate(n=Count("pk"))
    )
    days: dict[Any, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for day, state, number in rows:
        days[day][_SERIES_OF[state]] += number
    if not days:
        return None
    listed = [first + timedelta(days=number) for number in range(DAYS)]
    return charts.stacked(
        [(str(day.day), dict(days[day])) for day in listed], _SERIES, title="Deliveries by day and outcome"
    )


def _stuck() -> list[Notice]:
    notices = [
        Notice(
            title=f"{alert.target.title}: {alert.cause.lower()}",
            evidence=alert.message,
            tone="red",
            icon="alert",
            action=Link("Alerts", link("sync:alerts")),
        )
        for alert in TargetAlert.objects.select_related("target").filter(closed_at=None).order_by("-opened_at")[:5]
    ]
    frozen = freeze_views.matching(freeze_views.windows(), {"state": "open"}).order_by("ends_at")
    notices += [
        Notice(
            title=f"{row.target.title} is frozen",
            evidence=freeze_views.words(row),
            tone="purple",
            icon="lock",
            action=Link("Targets", link("sync:targets")),
        )
        for row in frozen[:3]
    ]
    waiting = (
        ExceptionItem.objects.filter(state="open")
        .order_by()
        .values("target__title", "words")
        .annotate(n=Count("pk"), since=Min("opened_at"))
        .order_by("-n")[:3]
    )
    notices += [
        Notice(
            title=f"{row['target__title']} refuses {row['n']} record{'' if row['n'] == 1 else 's'}",
            evidence=row["words"],
            tone="amber",
            icon="no",
            action=Link("Exceptions", link("sync:exceptions")),
        )
        for row in waiting
    ]
    return notices


def search(query: str, user: Any) -> list[dict[str, Any]]:
    """Deliveries by the target's key or the correlation id, and the chain that hangs on a correlation id."""
    if not _may_read(user) or len(query) < 3:
        return []
    groups: list[dict[str, Any]] = []
    if len(query) <= 64 and chain.exists(query):
        hint = "from who asked to what the targets answered"
        found = {"title": f"Follow {query}", "hint": hint, "url": link("sync:chain", query), "icon": "link"}
        groups.append({"title": "Correlation", "results": [found]})
    rows = sight.seen(Delivery.objects.select_related("target"), entities_of(user)).filter(
        Q(target_key=query) | Q(correlation_id=query)
    )
    results = [
        {
            "title": f"{row.label or row.record} to {row.target.title}",
            "hint": f"{row.state} · version {row.version}",
            "url": link("sync:delivery", row.uid),
            "icon": "send",
        }
        for row in rows.order_by("-pk")[:5]
    ]
    return [*groups, {"title": "Deliveries", "results": results}] if results else groups


def readiness() -> list[str]:
    """Reasons why events do not become deliveries."""
    done = DispatchCursor.objects.filter(name=CURSOR).values_list("seq", flat=True).first() or 0
    oldest = Event.objects.filter(seq__gt=done).order_by("seq").values_list("at", flat=True).first()
    if oldest is not None and timezone.now() - oldest > LAG:
        return [f"Events wait to be dispatched since {int((timezone.now() - oldest).total_seconds())} s."]
    return []


def metrics() -> list[tuple[str, str, dict[str, str], float]]:
    """Samples for monitoring."""
    samples: list[tuple[str, str, dict[str, str], float]] = []
    rows = Delivery.objects.filter(state__in=(*OPEN, "held", "rejected", "failed", "poison"), corrected_by=None)
    for code, state, number in rows.order_by().values_list("target__code", "state").annotate(n=Count("pk")):
        labels = {"target": code, "state": state}
        samples.append(("mdm_deliveries", "Deliveries that are not at an end, by state.", labels, number))
    now = timezone.now()
    waiting = (
        Delivery.objects.filter(state__in=OPEN).order_by().values_list("target__code").annotate(at=Min("created_at"))
    )
    for code, at in waiting:
        age = (now - at).total_seconds()
        samples.append(("mdm_delivery_oldest_seconds", "Age of the oldest open delivery.", {"target": code}, age))
    for code, breaker in Target.objects.filter(active=True).values_list("code", "breaker"):
        state = {"closed": 0, "half_open": 1, "open": 2}[breaker]
        samples.append(("mdm_target_breaker", "0 closed, 1 half open, 2 open.", {"target": code}, state))
    for code, cause in TargetAlert.objects.filter(closed_at=None).values_list("target__code", "code"):
        samples.append(("mdm_alert", "Open technical alerts.", {"target": code, "cause": cause}, 1))
    found = DriftFinding.objects.filter(state="open").order_by().values_list("target__code", "kind")
    for code, kind, number in found.annotate(n=Count("pk")):
        samples.append(("mdm_drift_findings", "Open drift findings.", {"target": code, "kind": kind}, number))
    done = DispatchCursor.objects.filter(name=CURSOR).aggregate(seq=Max("seq"))["seq"] or 0
    behind = (Event.objects.aggregate(seq=Max("seq"))["seq"] or 0) - done
    samples.append(("mdm_dispatch_behind", "Sealed events not dispatched yet.", {}, behind))
    return samples
