"""A receiver that cannot be asked: every page says so, offers no drift, and calls nothing verified or in sync."""

from __future__ import annotations

import pytest
from django.urls import reverse

from sync.connectors.sftp_csv.sandbox import SftpCsvSandbox
from sync.connectors.webhook.sandbox import WebhookSandbox
from sync.models import Delivery, DriftRun, PushJob, Target
from tests.api.callers import caller
from tests.sync import world
from tests.sync.world import Side
from tests.web.test_import_pages import signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def uid(sandbox) -> str:
    """A supplier that a subscriber was told of."""
    started = sandbox("webhook")
    world.allow_everything()
    world.target("webhook", started.url, secret=WebhookSandbox.default_secret)
    made = world.supplier()
    assert world.send_now() == {"posted": 1}
    return made


def test_the_record_says_sent_and_not_in_sync(uid):
    mara = signed_in()
    tab = mara.get(reverse("sync:record", args=["suppliers", uid])).content.decode()
    assert "Sent, not verified" in tab and "cannot be asked what it holds" in tab
    assert "In sync everywhere" not in tab and "In sync where it can be seen" in tab
    assert "Posted, read back" not in tab and "Posted, not read back" not in tab
    assert "so there is no drift to look for" in tab, "the lever is there, and says why it does nothing"


def test_a_version_that_was_not_sent_yet_is_behind(uid):
    Target.objects.update(paused_at="2026-01-01T00:00Z")
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    status = caller("operator").read(f"suppliers/{uid}/deliveries/").json()["results"]
    assert [row["state"] for row in status] == ["behind"]


def test_the_delivery_says_that_nobody_can_verify_it(uid):
    page = signed_in().get(reverse("sync:delivery", args=[Delivery.objects.get().uid])).content.decode()
    assert "Not possible: the receiver cannot be read" in page and "handed over" in page
    assert "Read back, and the same" not in page and "verified by reading it back" not in page


def test_the_board_and_the_api_offer_no_drift(uid):
    mara = signed_in()
    board = mara.get(reverse("sync:targets")).content.decode()
    assert "the receiver takes a key once" in board and "it cannot be read, so no drift is known" in board
    answer = mara.post(reverse("sync:target-drift", args=["webhook"]))
    assert 400 <= answer.status_code < 500 and b"cannot be asked what it holds" in answer.content
    form = mara.get(reverse("sync:target-push", args=["webhook"])).content.decode()
    assert "so nothing can be planned" in form and 'value="plan"' not in form and 'value="queue"' in form
    planned = caller("operator").send("POST", "targets/webhook/plan/", {})
    assert planned.status_code == 400 and "nothing can be planned" in planned.json()["detail"]
    assert not PushJob.objects.exists()
    asked = caller("operator").send("POST", "drift-runs/", {"target": "webhook"})
    assert asked.status_code == 400 and "cannot be asked" in asked.json()["detail"]
    assert not DriftRun.objects.exists()
    (status,) = caller("operator").read(f"suppliers/{uid}/deliveries/").json()["results"]
    assert (status["state"], status["readable"], status["verified"]) == ("told", False, False)


def test_acknowledged_is_what_the_receiver_said(sandbox):
    started = sandbox("sftp_csv")
    world.allow_everything()
    options = Side(started.control)._call("GET", "options")["options"]
    world.target("sftp_csv", SftpCsvSandbox.address(started.url), options=options)
    uid = world.supplier()
    assert world.send_now() == {"posted": 1}
    mara = signed_in()
    tab = mara.get(reverse("sync:record", args=["suppliers", uid])).content.decode()
    assert "Acknowledged" in tab and "cannot be asked what it holds now" in tab
    page = mara.get(reverse("sync:delivery", args=[Delivery.objects.get().uid])).content.decode()
    assert "Acknowledged by the receiver" in page and "Posted, and acknowledged" in page
