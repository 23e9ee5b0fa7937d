"""Technical alerts: one per target and cause, told once to everybody who is to know, over by themselves."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from datetime import timedelta

import pytest
import standardwebhooks
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from mdm.errors import NotAllowed, NotNow
from sync import governors, signing, tasks
from sync.models import AlertRoute, Delivery, Notification, Target, TargetAlert
from sync.services import alerts, exceptions, lanes, notifying, rounds
from tests.fixtures_processes import new_child
from tests.people import actor, person
from tests.sync import world
from tests.sync.postbox import MailServer, Receiver, running
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def target(transactional_db) -> Target:
    world.allow_everything()
    return world.target("coupa", "http://127.0.0.1:9")


@pytest.fixture
def postbox(settings):
    with running(MailServer()) as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_CONFIGURED = "127.0.0.1", server.port, True
        settings.DEFAULT_FROM_EMAIL, settings.PUBLIC_URL = "Hub <hub@nordhaven.example>", "https://hub.example"
        settings.ALERT_EMAILS = ["duty@nordhaven.example"]
        yield server


@pytest.fixture
def receiver():
    with running(Receiver()) as server:
        yield server


def webhook(url: str, **values) -> AlertRoute:
    route = AlertRoute(channel="webhook", url=url, **values)
    route.set_secret(signing.new_secret())
    route.save()
    return route


def due_now() -> None:
    Notification.objects.update(next_at=Now())


def long_ago(seconds: float = 3600) -> None:
    """As if it had all happened earlier."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sync_targetalert SET opened_at = opened_at - make_interval(secs => %s), last_seen_at = last_seen_at "
            "- make_interval(secs => %s), closed_at = closed_at - make_interval(secs => %s)", [seconds] * 3
        )  # fmt: skip


# --- one alert per target and cause -------------------------------------------------------------------------------


def test_a_thousand_records_are_one_alert(target):
    for number in range(50):
        alerts.alert(target, "dead_letters", f"No answer to record {number}.")
    alerts.alert(target, "check_failed", "The secret is wrong.")
    assert sorted(TargetAlert.objects.values_list("code", flat=True)) == ["check_failed", "dead_letters"]
    with pytest.raises(IntegrityError):
        TargetAlert.objects.create(target=target, code="check_failed", message="again", opened_at=Now())


def test_many_at_the_same_moment_are_one_alert_told_once(target, postbox):
    def hit() -> None:
        alerts.alert(target, "breaker_open", "No answer.")
        connection.close()

    threads = [threading.Thread(target=hit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert TargetAlert.objects.count() == Notification.objects.count() == 1


def test_what_comes_back_at_once_was_never_over(target, postbox):
    alerts.alert(target, "breaker_open", "No answer.")
    notifying.send_due()
    for _ in range(3):
        alerts.close_alerts(target, "breaker_open")
        alerts.alert(target, "breaker_open", "No answer again.")
        notifying.send_due()
    row = TargetAlert.objects.get()
    assert (row.returns, row.closed_at) == (3, None) and len(postbox.messages) == 1
    alerts.close_alerts(target, "breaker_open")
    assert notifying.send_due() == {}, "its end is told when it stays away"
    due_now()
    notifying.send_due()
    assert [told["subject"].split(":")[0] for _, told in postbox.messages] == ["Alert", "Over"]
    long_ago()
    alerts.alert(target, "breaker_open", "No answer.")
    assert TargetAlert.objects.count() == 2


def test_somebody_looks_after_it(target):
    alerts.alert(target, "dead_letters", "No answer.")
    row = TargetAlert.objects.get()
    with pytest.raises(NotAllowed):
        alerts.acknowledge(row, by=actor("jonas", "auditor"))
    alerts.acknowledge(row, note="Called them", by=actor("samir", "operator"))
    with pytest.raises(NotNow, match="Samir looks after"):
        alerts.acknowledge(row, by=actor("mara", "steward"))
    alerts.alert(target, "dead_letters", "No answer.")
    row.refresh_from_db()
    assert (row.acknowledged_by, row.closed_at) == ("Samir", None)
    alerts.close_alerts(target, "dead_letters")
    with pytest.raises(NotNow, match="over already"):
        alerts.acknowledge(row, by=ROBOT)


# --- over by themselves -------------------------------------------------------------------------------------------


def test_dead_letters_raise_one_alert_which_ends_when_they_were_followed_up(sandbox):
    started = sandbox("coupa")
    world.allow_everything()
    world.target("coupa", started.url, max_attempts=1)
    side = Side(started.control)
    side.fault("500", "GET /api/suppliers", 3)
    for number in range(3):
        world.supplier(legal_name=f"Still {number} GmbH", tax_registrations=[])
    assert world.send_now() == {"failed": 3}
    row = TargetAlert.objects.get()
    assert row.code == "dead_letters" and row.detail["delivery"]
    alerts.look_around()
    assert TargetAlert.objects.get().closed_at is None
    for delivery in Delivery.objects.filter(state="failed"):
        world.propose("supplier", {"website": "https://neu.example"}, uid=str(delivery.record))
    assert world.send_now() == {"posted": 3}
    alerts.look_around()
    assert TargetAlert.objects.get().closed_at is not None


def test_a_process_that_died_three_times_raises_an_alert_though_nobody_told(target):
    """The one who would have told it is the one who died: the dispatcher reads it off the ledger."""
    world.supplier()
    world.dispatch_now()
    delivery = Delivery.objects.get()
    for state in ("in_flight", "poison"):
        Delivery.objects.update(state=state)
    lanes.hold(delivery.lane, "poison: its delivery ended the process three times")
    alerts.look_around()
    assert TargetAlert.objects.get(closed_at=None).code == "poison"
    delivery.refresh_from_db()
    exceptions.retry_poison(delivery, by=ROBOT)
    alerts.look_around()
    assert not TargetAlert.objects.filter(closed_at=None).exists()


def test_a_lane_is_released_also_when_its_record_is_no_longer_for_the_target(target):
    world.supplier()
    world.dispatch_now()
    delivery = Delivery.objects.get()
    for state in ("in_flight", "poison"):
        Delivery.objects.update(state=state)
    lanes.hold(delivery.lane, "poison: its delivery ended the process three times")
    target.subscriptions.update(active=False)
    delivery.refresh_from_db()
    exceptions.retry_poison(delivery, by=ROBOT)
    delivery.lane.refresh_from_db()
    assert delivery.lane.hold_reason == "" and Delivery.objects.get().state == "cancelled"


def test_a_target_that_works_again_needs_no_person(target):
    Target.objects.update(check_ok=False, check_message="The secret is wrong.")
    alerts.alert(target, "check_failed", "The secret is wrong.")
    alerts.alert(target, "right-missing-there", "You are not authorized.")
    alerts.look_around()
    assert TargetAlert.objects.filter(closed_at=None).count() == 2
    world.supplier()
    world.dispatch_now()
    for state in ("in_flight", "posted"):
        Delivery.objects.update(state=state, posted_at=Now())
    alerts.look_around()
    assert TargetAlert.objects.filter(closed_at=None).count() == 2, "it was seen a moment ago"
    long_ago(90)
    alerts.look_around()
    target.refresh_from_db()
    assert not TargetAlert.objects.filter(closed_at=None).exists() and target.check_ok is None


# --- told by mail -------------------------------------------------------------------------------------------------


def test_mail_goes_to_the_role_the_address_and_the_setting_once_each(target, postbox):
    for name, email in (("samir", "samir@nordhaven.example"), ("olga", "olga@nordhaven.example"), ("otto", "")):
        user = person(name, "operator")
        user.email, user.is_active = email, name != "olga"
        user.save()
    AlertRoute.objects.create(channel="email", role="operator")
    AlertRoute.objects.create(channel="email", address="Duty@nordhaven.example")
    AlertRoute.objects.create(channel="email", address="off@nordhaven.example", active=False)
    other = world.target("s4hana", "http://127.0.0.1:9")
    AlertRoute.objects.create(channel="email", address="sap@nordhaven.example", target=other)
    governors.trip(target, "The platform does not answer.")
    assert notifying.send_due() == {"sent": 2} and notifying.send_due() == {}
    assert sorted(to for (to,), _ in postbox.messages) == ["duty@nordhaven.example", "samir@nordhaven.example"]
    _, said = postbox.messages[0]
    assert said["Subject"] == "Alert: Coupa: breaker open" and said["From"] == "Hub <hub@nordhaven.example>"
    assert said["Message-ID"].endswith("@nordhaven.example>") and said["Auto-Submitted"] == "auto-generated"
    body = said.get_payload()
    assert "The platform does not answer." in body and "https://hub.example/alerts/" in body


def test_a_mail_server_that_is_busy_or_away_is_asked_again_and_then_given_up(target, postbox):
    postbox.refusals = 2
    alerts.alert(target, "breaker_open", "No answer.")
    for _ in range(2):
        assert notifying.send_due() == {"pending": 1}
        row = Notification.objects.get()
        assert "451" in row.error and notifying.send_due() == {}, "not before its time"
        due_now()
    assert notifying.send_due() == {"sent": 1} and len(postbox.messages) == 1
    alerts.alert(target, "check_failed", "Wrong.")
    postbox.refusals = 100
    for _ in notifying.WAITS_S:
        assert notifying.send_due() == {"pending": 1}
        due_now()
    assert notifying.send_due() == {"failed": 1} and notifying.send_due() == {}
    assert len(postbox.messages) == 1


def test_without_a_mail_server_nobody_is_promised_a_mail(target, settings):
    settings.EMAIL_CONFIGURED, settings.ALERT_EMAILS = False, ["duty@nordhaven.example"]
    alerts.alert(target, "breaker_open", "No answer.")
    assert TargetAlert.objects.count() == 1 and not Notification.objects.exists()


def test_words_of_a_platform_cannot_add_headers(target, postbox):
    Target.objects.update(title="Coupa\nBcc: thief@example.com")
    target.refresh_from_db()
    alerts.alert(target, "breaker_open", "No\r\nBcc: thief@example.com")
    assert notifying.send_due() == {"sent": 1}
    assert [to for to, _ in postbox.messages] == [["duty@nordhaven.example"]] and postbox.messages[0][1]["Bcc"] is None


# --- told by webhook ----------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_as_the_reference_library_checks_it(target, receiver):
    route = webhook(receiver.url)
    alerts.alert(target, "breaker_open", "No answer.")
    receiver.answers = [503]
    assert notifying.send_due() == {"pending": 1}
    due_now()
    assert notifying.send_due() == {"sent": 1}
    (first, _), (headers, body) = receiver.calls
    assert first["webhook-id"] == headers["webhook-id"], "a repeat is known by its id"
    said = standardwebhooks.Webhook(route.secret).verify(body, headers)
    assert (said["type"], said["data"]["target"], said["data"]["cause"]) == ("alert.opened", "coupa", "breaker_open")
    stranger = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(stranger).verify(body, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(route.secret).verify(body.replace(b"coupa", b"other"), headers)
    alerts.close_alerts(target, "breaker_open")
    due_now()
    notifying.send_due()
    assert json.loads(receiver.calls[-1][1])["type"] == "alert.resolved"


def test_a_webhook_that_is_switched_off_or_leads_elsewhere_is_not_called(target, receiver):
    receiver.answers = [302] * 3
    route = webhook(receiver.url)
    alerts.alert(target, "breaker_open", "No answer.")
    assert notifying.send_due() == {"pending": 1} and len(receiver.calls) == 1
    AlertRoute.objects.filter(pk=route.pk).update(active=False)
    due_now()
    assert notifying.send_due() == {"pending": 1} and len(receiver.calls) == 1


def test_a_webhook_leads_to_no_private_address_but_those_an_operator_named(target, receiver, settings):
    settings.PRIVATE_TARGETS = ()
    webhook(receiver.url)
    alerts.alert(target, "breaker_open", "No answer.")
    assert notifying.send_due() == {"pending": 1} and receiver.calls == []
    assert "no public address" in Notification.objects.get().error


def test_the_answer_of_a_webhook_is_read_no_further_than_any_other(target, receiver):
    receiver.answers, receiver.says = [200], lambda sent: b"x" * (2 * 1024 * 1024)
    webhook(receiver.url)
    alerts.alert(target, "breaker_open", "No answer.")
    assert notifying.send_due() == {"pending": 1} and "larger than 1024 KiB" in Notification.objects.get().error


# --- the outbox ---------------------------------------------------------------------------------------------------


def test_nothing_is_told_inside_a_transaction_and_nothing_of_one_that_was_rolled_back(target, postbox):
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        notifying.send_due()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        alerts.alert(target, "breaker_open", "No answer.")
        raise ZeroDivisionError
    assert notifying.send_due() == {} and not postbox.messages


def test_a_notification_whose_sender_died_is_taken_over_when_its_lease_ends(target, postbox):
    alerts.alert(target, "breaker_open", "No answer.")
    assert notifying._claim() is not None
    assert notifying._claim() is None and not notifying.due()
    Notification.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert notifying.due() and notifying.send_due() == {"sent": 1}


def test_a_worker_tells_it_and_the_dispatcher_when_there_is_none(target, postbox, celery_worker_process, monkeypatch):
    """By the file backend of the worker's own settings: a process of its own, rung after the commit."""
    alerts.alert(target, "breaker_open", "No answer.")
    for _ in range(200):
        if Notification.objects.filter(state="sent").exists():
            break
        threading.Event().wait(0.05)
    assert Notification.objects.get().state == "sent"
    celery_worker_process.end(grace=5)
    monkeypatch.setattr(tasks, "ring_notify", lambda: True)  # it is rung for, and nobody comes
    alerts.alert(target, "check_failed", "Wrong.")
    assert rounds.own_round(tasks.process_id()) == {}
    Notification.objects.filter(state="pending").update(next_at=Now() - timedelta(seconds=10))
    assert rounds.own_round(tasks.process_id()) == {"notification sent": 1}


def test_the_settings_read_a_mail_url(tmp_path):
    """A process with the hub's plain settings writes mail where MDM_EMAIL_URL says."""
    program = "import django; django.setup(); from django.core.mail import send_mail; send_mail('s', 'b', None, ['a@b.example'])"
    child = new_child("mail", [sys.executable, "-c", program], MDM_EMAIL_URL=f"filemail:///{tmp_path}")
    child.start()
    for _ in range(200):
        if child.exit_code() is not None:
            break
        threading.Event().wait(0.05)
    written = [path.read_text() for path in tmp_path.iterdir()]
    assert len(written) == 1 and "a@b.example" in written[0] and "From: hub@localhost" in written[0]
    assert not mail.outbox
