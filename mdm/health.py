"""Signs of life for machines: /healthz (this process answers), /readyz (the hub works, or the reasons why not), /metrics."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from mdm import ports
from mdm.models import AuditEntry, ChangeRequest, DuplicatePair, Event, Heartbeat, ImportJob, QuarantinedRow

FRESH = timedelta(seconds=15)  # a process that was silent for longer is taken for dead
LAG = timedelta(seconds=30)  # an event that waits for longer means nobody seals
PROCESSES = ("worker", "dispatcher")

Sample = tuple[str, str, dict[str, str], float]


def live(request: HttpRequest) -> HttpResponse:
    """This process answers. It asks nobody else, so a database that is down restarts no web process."""
    return JsonResponse({"status": "live"})


def ready(request: HttpRequest) -> HttpResponse:
    """200 when everything is up; 503 with every reason otherwise."""
    reasons = _database()
    down = bool(reasons)
    reasons += _broker()
    if not down:
        try:
            reasons += [*_processes(), *_lag(), *(reason for part in ports.readiness for reason in part())]
        except (DatabaseError, InterfaceError):
            reasons.append("The database stopped answering.")
    body = {"status": "not ready" if reasons else "ready", "reasons": reasons}
    return JsonResponse(body, status=503 if reasons else 200, headers={"Cache-Control": "no-store"})


def _database() -> list[str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        return ["The database does not answer."]
    return []


def _broker() -> list[str]:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except (redis.RedisError, OSError):
        return ["The broker (Redis) does not answer. Work goes on more slowly."]
    return []


def _processes() -> list[str]:
    seen = _last_seen()
    reasons = []
    for kind in PROCESSES:
        at = seen.get(kind)
        if at is None:
            reasons.append(f"No {kind} has reported yet.")
        elif timezone.now() - at > FRESH:
            reasons.append(f"The last sign of life of a {kind} is {int((timezone.now() - at).total_seconds())} s old.")
    return reasons


def _last_seen() -> dict[str, datetime]:
    return dict(Heartbeat.objects.values_list("kind").annotate(at=Max("seen_at")))


def _lag() -> list[str]:
    oldest = Event.objects.filter(seq=None).aggregate(at=Min("at"))["at"]
    if oldest and timezone.now() - oldest > LAG:
        return [f"Events wait for their number since {int((timezone.now() - oldest).total_seconds())} s."]
    return []


# --- metrics ------------------------------------------------------------------------------------------------------


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text format 0.0.4."""
    try:
        samples = [*_counts(), *_ages(), *(sample for part in ports.metrics for sample in part())]
    except (DatabaseError, InterfaceError):
        samples = [("mdm_up", "1 when the database answers.", {}, 0)]
    return HttpResponse(exposition(samples), content_type="text/plain; version=0.0.4; charset=utf-8")


def _counts() -> Iterable[Sample]:
    yield "mdm_up", "1 when the database answers.", {}, 1
    for state, count in _by("state", ChangeRequest):
        yield "mdm_change_requests", "Change requests by state.", {"state": state}, count
    for state, count in _by("state", ImportJob):
        yield "mdm_imports", "Imports by state.", {"state": state}, count
    for state, count in _by("state", DuplicatePair):
        yield "mdm_duplicate_pairs", "Pairs that may be one record, by state.", {"state": state}, count
    quarantined = QuarantinedRow.objects.filter(state="open").count()
    yield "mdm_quarantined_rows", "Rows of imports that wait for correction.", {}, quarantined


def _by(column: str, model: Any) -> list[tuple[str, int]]:
    return list(model.objects.order_by(column).values_list(column).annotate(count=Count("pk")))


def _ages() -> Iterable[Sample]:
    now = timezone.now()
    unsealed = Event.objects.filter(seq=None).aggregate(count=Count("pk"), at=Min("at"))
    yield "mdm_events_unsealed", "Events that wait for their number.", {}, unsealed["count"]
    age = (now - unsealed["at"]).total_seconds() if unsealed["at"] else 0
    yield "mdm_event_lag_seconds", "Age of the oldest event that waits for its number.", {}, age
    last = Event.objects.aggregate(seq=Max("seq"))["seq"]
    yield "mdm_event_sequence", "Number of the last sealed event.", {}, last or 0
    waiting = AuditEntry.objects.filter(seq=None).count()
    yield "mdm_audit_unsealed", "Audit entries that wait to be chained.", {}, waiting
    for kind, at in _last_seen().items():
        yield (
            "mdm_heartbeat_age_seconds",
            "Age of the last sign of life.",
            {"kind": kind},
            (now - at).total_seconds(),
        )


def exposition(samples: Iterable[Sample]) -> str:
    """Samples of one name stand together under one HELP and TYPE line."""
    grouped: dict[str, list[Sample]] = {}
    for sample in samples:
        grouped.setdefault(sample[0], []).append(sample)
    lines = []
    for name, found in grouped.items():
        lines += [f"# HELP {name} {found[0][1]}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {value:g}" for _, _, labels, value in found]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    escaped = {k: v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for k, v in labels.items()}
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"
