"""Alerts, freezes and lines that were set aside in the browser: what operators see, and what they do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from sync.models import AlertRoute, Delivery, FreezeWindow, Notification, Target, TargetAlert
from sync.services import alerts, freezing, lanes
from tests.sync import world
from tests.web.test_import_pages import signed_in
from tests.web.test_sync_pages import NOBODY, page, sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def samir() -> Client:
    return signed_in("samir", "operator")


@pytest.fixture
def target() -> Target:
    world.allow_everything()
    return world.target("coupa", NOBODY)


def test_an_alert_says_what_who_and_who_was_told(samir: Client, target: Target) -> None:
    AlertRoute.objects.create(channel="email", address="duty@nordhaven.example")
    alerts.alert(target, "breaker_open", "The platform does not answer.")
    Notification.objects.update(state="pending", attempts=2, error="451 too busy")
    html = page(samir, "alerts")
    for words in (
        "Coupa: breaker open", "The platform does not answer.", "Resume the target to try at once", "1 alert has nobody yet",
        "duty@nordhaven.example", "not told yet, 2 attempts", "451 too busy",
    ):  # fmt: skip
        assert words in html, words
    assert "Coupa: breaker open" in samir.get(reverse("web:dashboard")).content.decode()
    acknowledge = reverse("sync:alert-acknowledge", args=[TargetAlert.objects.get().uid])
    assert signed_in("jonas", "auditor").post(acknowledge).status_code == 403
    assert samir.post(acknowledge, {"note": "Called them"}).status_code == 302
    html = page(samir, "alerts")
    assert "Called them" in html and "Looked after" in html and "has nobody yet" not in html
    assert samir.post(acknowledge).status_code == 409
    alerts.close_alerts(target, "breaker_open")
    assert "Every target works" in page(samir, "alerts")
    assert "Breaker open" in page(samir, "alerts", tab="resolved")


def test_without_a_route_it_says_that_nobody_is_told(samir: Client, target: Target, settings) -> None:
    alerts.alert(target, "breaker_open", "No answer.")
    assert "Nobody is told" in page(samir, "alerts")
    settings.EMAIL_CONFIGURED = False
    assert "MDM_EMAIL_URL" in page(samir, "alerts")


def test_queries_do_not_grow_with_alerts(samir: Client, target: Target) -> None:
    AlertRoute.objects.create(channel="email", address="duty@nordhaven.example")

    def count(**query: str) -> int:
        with CaptureQueriesContext(connection) as caught:
            page(samir, "alerts", **query)
        return len(caught)

    alerts.alert(target, "a", "x")
    page(samir, "alerts")
    few = count()
    for code in "bcdef":
        alerts.alert(target, code, "x")
    assert count() == few <= 16
    TargetAlert.objects.update(closed_at=timezone.now())
    assert count(tab="resolved") <= 16


def test_a_freeze_stands_wherever_somebody_asks(samir: Client, target: Target) -> None:
    now = timezone.now()
    FreezeWindow.objects.create(
        target=target, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=5), reason="Quarter close",
        made_by="Greta", made_at=now,
    )  # fmt: skip
    delivery = sent(target)
    freezing.keep()
    board = page(samir, "targets")
    assert "Frozen" in board and "Everything, until" in board and "1 line waits" in board
    assert "Coupa is frozen" in samir.get(reverse("web:dashboard")).content.decode()
    shown = samir.get(reverse("sync:delivery", args=[delivery.uid])).content.decode()
    assert "Frozen until" in shown and "Quarter close" in shown and "Frozen by Greta" in shown
    record = samir.get(reverse("web:record-sync", args=["suppliers", delivery.record])).content.decode()
    assert "Held" in record and "Frozen until" in record


def test_a_freeze_of_one_company_does_not_call_the_target_frozen(samir: Client, target: Target) -> None:
    now = timezone.now()
    FreezeWindow.objects.create(
        target=target, entities=["NH10"], starts_at=now + timedelta(hours=1), ends_at=now + timedelta(hours=5),
        reason="Company close", made_by="Greta", made_at=now,
    )  # fmt: skip
    board = page(samir, "targets")
    assert "Everything of NH10" in board and "Company close" in board and "Not checked yet" in board


def test_a_line_that_was_set_aside_is_released_on_its_page(samir: Client, target: Target) -> None:
    delivery = sent(target)
    for state in ("in_flight", "poison"):
        Delivery.objects.filter(pk=delivery.pk).update(state=state)
    lanes.hold(delivery.lane, "poison: its delivery ended the process three times")
    url = reverse("sync:delivery", args=[delivery.uid])
    html = samir.get(url).content.decode()
    assert "Release the line" in html and "Its process ended three times" in html
    assert samir.post(reverse("sync:delivery-again", args=[delivery.uid])).status_code == 302
    delivery.lane.refresh_from_db()
    assert delivery.lane.hold_reason == "" and Delivery.objects.latest("pk").state == "pending"
