"""/healthz, /readyz and /metrics: what they say when all is well, and every reason when it is not."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import redis
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from mdm import health, ports
from mdm.models import ChangeRequest, Event, Heartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def only_the_kernel(monkeypatch):
    """Other parts have their own reasons, and their own tests for them."""
    monkeypatch.setattr(ports, "readiness", [])
    monkeypatch.setattr(ports, "metrics", [])


def beat(kind: str, seconds: int = 0) -> None:
    Heartbeat.objects.create(kind=kind, process=uuid.uuid4(), seen_at=timezone.now() - timedelta(seconds=seconds))


def reasons() -> list[str]:
    answer = Client().get("/readyz")
    body = answer.json()
    assert (answer.status_code == 503) == bool(body["reasons"])
    return body["reasons"]


def test_live_asks_nobody(monkeypatch):
    monkeypatch.setattr(health, "connection", None)
    assert Client().get("/healthz").json() == {"status": "live"}


def test_ready_when_everything_is_up():
    beat("worker"), beat("dispatcher")
    assert reasons() == []


def test_not_ready_without_workers():
    assert reasons() == ["No worker has reported yet.", "No dispatcher has reported yet."]
    beat("worker", seconds=60), beat("dispatcher")
    [reason] = reasons()
    assert "worker is 60 s old" in reason or "worker is 61 s old" in reason
    beat("worker")
    assert reasons() == []


def test_not_ready_without_redis(monkeypatch):
    beat("worker"), beat("dispatcher")

    def down(*args, **kwargs):
        raise redis.ConnectionError

    monkeypatch.setattr(redis.Redis, "ping", down)
    [reason] = reasons()
    assert "Redis" in reason


def test_not_ready_without_a_database(monkeypatch):
    class Down:
        def cursor(self):
            raise OperationalError

    monkeypatch.setattr(health, "connection", Down())
    assert reasons() == ["The database does not answer."]


def test_not_ready_while_events_wait_for_their_number():
    beat("worker"), beat("dispatcher")
    values = {"type": "supplier", "subject": uuid.uuid4(), "verb": "created", "version": 1, "correlation_id": "c"}
    Event.objects.create(at=timezone.now() - timedelta(seconds=5), **values)
    assert reasons() == []
    Event.objects.create(at=timezone.now() - timedelta(minutes=5), **values)
    [reason] = reasons()
    assert "Events wait" in reason


def test_other_parts_say_their_reasons(monkeypatch):
    beat("worker"), beat("dispatcher")
    monkeypatch.setattr(ports, "readiness", [lambda: ["Deliveries stand still."]])
    assert reasons() == ["Deliveries stand still."]


def test_metrics_are_prometheus_text(monkeypatch):
    beat("worker")
    ChangeRequest.objects.create(
        title="One", kind="create", origin="api", state="in_review", correlation_id="c", requester_name="A"
    )
    monkeypatch.setattr(ports, "metrics", [lambda: [("mdm_queue", "Waiting.", {"target": 'a"b\nc'}, 3)]])
    answer = Client().get("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.content.decode().splitlines()
    assert 'mdm_change_requests{state="in_review"} 1' in lines
    assert 'mdm_queue{target="a\\"b\\nc"} 3' in lines
    assert "# TYPE mdm_events_unsealed gauge" in lines and "mdm_up 1" in lines
    assert any(line.startswith('mdm_heartbeat_age_seconds{kind="worker"}') for line in lines)
