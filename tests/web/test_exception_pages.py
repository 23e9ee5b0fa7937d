"""The exceptions of a steward: what a row and a page say, filters, the selected ones, a file, the way to a correction."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from mdm.models import ApprovalPolicy, AuditEntry, ChangeRequest
from sync.models import Delivery, ExceptionItem, OutcomeRule, Target
from tests.fixtures_story import until
from tests.people import person
from tests.sync import world
from tests.web.test_import_pages import signed_in
from tests.web.test_sync_pages import NOBODY, page, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def mara() -> Client:
    return signed_in()


@pytest.fixture
def target() -> Target:
    world.allow_everything()
    return world.target("coupa", NOBODY)


def shown(client: Client, item: ExceptionItem) -> str:
    answer = client.get(reverse("sync:exception", args=[item.uid]))
    assert answer.status_code == 200
    return answer.content.decode()


def late(item: ExceptionItem, hours: float = 3) -> None:
    ExceptionItem.objects.filter(pk=item.pk).update(due_at=timezone.now() - timedelta(hours=hours))


# --- what is shown ------------------------------------------------------------------------------------------------


def test_a_page_says_everything_of_one_exception(mara: Client, target: Target) -> None:
    rule = OutcomeRule.objects.get(name="Required there")
    said = [{"field": "city", "path": "addresses[registered|0].city", "code": "blank", "message": "City is required."}]
    item = refused(
        target, "City is required.", field="city", path="addresses[registered|0].city", code="blank", rule=rule,
        owner_role="lead_steward", problems=said,
    )  # fmt: skip
    late(item)
    html = shown(mara, item)
    for words in (
        "City is required.", "The platform needs a value here", "Address · city", "blank", "Lead steward", "Required there",
        "Overdue", "3 h late", "Correct the record", "Stop sending", "What was said, word by word",
    ):  # fmt: skip
        assert words in html, words
    assert "Nobody" in html and reverse("sync:delivery", args=[item.delivery.uid]) in html
    assert reverse("sync:exception", args=[item.uid]) in page(mara, "exceptions")


def test_an_unknown_exception_is_not_there(mara: Client) -> None:
    assert mara.get("/exceptions/00000000-0000-4000-8000-000000000000/").status_code == 404


def test_filters_read_as_a_sentence_and_find_what_is_late(mara: Client, target: Target) -> None:
    one = refused(target, code="invalid", owner_role="steward")
    other = refused(target, "Something else", code="blank", owner_role="lead_steward")
    late(one)
    ExceptionItem.objects.filter(pk=other.pk).update(assignee=person("samir", "operator"))
    for query, found, hidden in (
        ({"overdue": "yes"}, one, other), ({"overdue": "no"}, other, one), ({"owner": "lead_steward"}, other, one),
        ({"code": "invalid"}, one, other), ({"assignee": "samir"}, other, one), ({"assignee": "-"}, one, other),
    ):  # fmt: skip
        html = page(mara, "exceptions", **query)
        assert found.label in html and hidden.label not in html, query
    assert "Overdue, 3 h late" in page(mara, "exceptions")
    assert "No exception fits" in page(mara, "exceptions", code="blank", overdue="yes")


def test_who_may_only_look_sees_no_boxes(target: Target) -> None:
    item = refused(target)
    jonas = signed_in("jonas", "auditor")
    html = page(jonas, "exceptions")
    assert item.label in html and "table-check" not in html
    decide = reverse("sync:exceptions-decide") + "?do=take"
    assert jonas.post(decide, {"uid": str(item.uid)}).status_code == 403
    assert jonas.get(reverse("sync:exceptions-export")).status_code == 200


# --- many at once -------------------------------------------------------------------------------------------------


def test_the_selected_ones_are_decided_together(mara: Client, target: Target) -> None:
    items = [refused(target, f"Words {number}") for number in range(4)]
    person("samir", "operator")

    def decide(what: str, *chosen: ExceptionItem, **more: str) -> Any:
        uids = [str(item.uid) for item in chosen]
        return mara.post(f"{reverse('sync:exceptions-decide')}?do={what}", {"uid": uids, **more}, follow=True)

    assert decide("take").status_code == 422
    assert decide("frighten", items[0]).status_code == 422
    assert decide("cancel", items[0], close_reason="of another dialog").status_code == 422
    assert "2 exceptions yours" in decide("take", *items[:2]).content.decode()
    assert "1 exception assigned to Samir" in decide("assign", items[2], user="samir").content.decode()
    assert "1 exception closed" in decide("close", items[0], close_reason="By hand there").content.decode()
    assert (
        "1 exception not sent until they change" in decide("cancel", items[1], cancel_reason="Never").content.decode()
    )
    html = decide("retry", *items).content.decode()
    assert "2 exceptions queued again; 2 not: This exception is" in html
    assert list(ExceptionItem.objects.order_by("pk").values_list("state", flat=True)) == [
        "resolved", "cancelled", "retrying", "retrying",
    ]  # fmt: skip
    assert items[2].label in page(mara, "exceptions", tab="retrying")


def test_a_file_holds_what_the_list_shows_and_is_on_record(mara: Client, target: Target) -> None:
    item, closed = refused(target, "=1+1 is no name", owner_role="steward"), refused(target)
    late(item)
    ExceptionItem.objects.filter(pk=closed.pk).update(state="resolved", closed_at=Now())
    answer = mara.get(reverse("sync:exceptions-export"), {"overdue": "yes"})
    (row,) = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig")))
    assert (row["record"], row["words"], row["overdue"], row["owner"]) == (
        item.label, "'=1+1 is no name", "true", "steward",
    )  # fmt: skip
    excel = mara.get(reverse("sync:exceptions-export"), {"tab": "closed", "format": "xlsx"})
    assert b"".join(excel.streaming_content)[:2] == b"PK"
    assert mara.get(reverse("sync:exceptions-export"), {"format": "pdf"}).status_code == 422
    assert AuditEntry.objects.filter(action="exceptions.exported").count() == 2


# --- corrected ----------------------------------------------------------------------------------------------------


def test_from_the_refusal_to_the_correction_and_back(mara: Client, target: Target) -> None:
    item = refused(target, "Name is taken", field="name", path="legal_name")
    html = shown(mara, item)
    edit = reverse("web:record-edit", args=["suppliers", item.record])
    assert f'href="{edit}?reason=Coupa+refuses+name%3A+Name+is+taken#legal_name"' in html
    form = mara.get(edit, {"reason": "Coupa refuses name: Name is taken"}).content.decode()
    assert "Coupa refuses name: Name is taken" in form and 'id="legal_name"' in form

    ApprovalPolicy.objects.all().delete()
    world.changes.propose(
        items=[world.ProposedItem(type="supplier", action="update", uid=str(item.record), patch={"legal_name": "Frei GmbH"})],
        by=world.ROBOT, reason="Coupa refuses it",
    )  # fmt: skip
    change = ChangeRequest.objects.latest("pk")
    assert f"{change.number} under way" in page(mara, "exceptions")
    assert "A change of this record is under way" in shown(mara, item)

    ApprovalPolicy.objects.create(name="test: everything", auto_approve=True)
    world.propose("supplier", {"legal_name": "Doch Frei GmbH"}, uid=str(item.record))
    world.dispatch_now()
    assert "A later delivery is on its way" in shown(mara, item)
    first = mara.get(reverse("sync:delivery", args=[item.delivery.uid])).content.decode()
    assert "Followed by a later delivery" in first
    later = Delivery.objects.latest("pk")
    for state in ("in_flight", "posted"):
        Delivery.objects.filter(pk=later.pk).update(state=state, posted_at=Now())
    ExceptionItem.objects.filter(pk=item.pk).update(state="corrected", closed_at=Now())
    html = shown(mara, item)
    assert reverse("sync:delivery", args=[later.uid]) in html and "version 2, delivered" in html
    assert ChangeRequest.objects.latest("pk").number in html
    assert "Corrected since" in mara.get(reverse("sync:delivery", args=[item.delivery.uid])).content.decode()
    back = mara.get(reverse("sync:delivery", args=[later.uid])).content.decode()
    assert "It corrected what was refused" in back and reverse("sync:delivery", args=[item.delivery.uid]) in back


def test_who_may_not_propose_is_told_so(target: Target) -> None:
    item = refused(target)
    html = shown(signed_in("samir", "operator"), item)
    assert "Your role may not propose changes to these records." in html


# --- speed --------------------------------------------------------------------------------------------------------


def test_queries_grow_neither_with_causes_nor_with_records(mara: Client, target: Target) -> None:
    def count(**query: str) -> int:
        with CaptureQueriesContext(connection) as caught:
            page(mara, "exceptions", **query)
        return len(caught)

    refused(target, "First words")
    page(mara, "exceptions")
    few = count()
    for number in range(6):
        refused(target, f"Other words {number % 3}", code=f"c{number}", owner_role="steward")
    assert count() == few <= 20
    assert count(owner="steward", code="c1", overdue="no") <= 20
    ExceptionItem.objects.update(state="retrying")
    assert count(tab="retrying") <= 18
    ExceptionItem.objects.update(state="resolved", closed_at=Now())
    assert count(tab="closed") <= 17


# --- by keyboard --------------------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_queue_by_keyboard(live_server: Any, page: Page, settings: Any) -> None:
    world.allow_everything()
    target = world.target("coupa", NOBODY)
    items = [refused(target, words) for words in ("One cause", "One cause", "Another cause")]
    mara = signed_in()
    cookie = mara.cookies[settings.SESSION_COOKIE_NAME].value
    host = urlsplit(live_server.url).hostname
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "domain": host, "path": "/"}])
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{live_server.url}/exceptions/")
    bar = page.get_by_role("group", name="With the selected exceptions")
    expect(bar).to_be_hidden()
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Exceptions", level=1)).to_be_visible()
    assert ExceptionItem.objects.filter(state="open").count() == 3, "nothing is selected, so nothing is sent"

    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(bar).to_contain_text("2 selected")
    page.keyboard.press("t")
    until(lambda: ExceptionItem.objects.exclude(assignee=None).count() == 2, "the selected ones are taken")
    expect(page.get_by_text("2 exceptions yours")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("e")
    page.get_by_role("dialog").get_by_label("Why").fill("Never sold there")
    page.get_by_role("dialog").get_by_role("button", name="Stop sending").click()
    until(lambda: ExceptionItem.objects.filter(state="cancelled").exists(), "it is stopped")
    expect(page.get_by_text("1 exception not sent until they change")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Coupa refuses")
    assert not complaints and len(items) == 3
