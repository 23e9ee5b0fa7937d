"""Dated records in the browser: what holds on a day, two days compared, a change from a day on, planned and ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mdm.models import ChangeRequest
from mdm.selectors import records
from mdm.types import Document
from tests.people import auto_approve, make
from tests.web.test_import_pages import signed_in

pytestmark = pytest.mark.django_db
NEXT = (timezone.localdate() + timedelta(days=40)).isoformat()


@pytest.fixture
def mara() -> Client:
    return signed_in()


@pytest.fixture
def center() -> Document:
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")
    made = make(
        "cost_center", code="CC1", legal_entity="NH10", category="logistics",
        slices=[
            {"name": "Warehouse", "legal_entity": "NH10", "category": "logistics", "valid_to": "2023-01-01"},
            {"name": "Logistics", "legal_entity": "NH10", "category": "logistics", "valid_from": "2023-01-01",
             "valid_to": NEXT},
            {"name": "Logistics", "legal_entity": "NH10", "category": "logistics", "responsible": "Sofia Lund",
             "valid_from": NEXT},
        ],
    )  # fmt: skip
    return made


def page(client: Client, document: Document, tab: str = "", **query: str) -> str:
    url = reverse("web:record", args=["cost-centers", document["uid"]]) + (f"{tab}/" if tab else "")
    answer = client.get(url, query)
    assert answer.status_code == 200, answer.content[:500]
    return str(answer.content.decode())


def test_the_overview_shows_any_day(mara: Client, center: Document) -> None:
    assert "Sofia Lund" in page(mara, center), "among its periods"
    then = page(mara, center, as_of=NEXT)
    assert "This is how it holds on" in then and "Back to today" in then
    long_ago = page(mara, center, as_of="2020-05-05")
    assert "until 1 Jan 2023" in long_ago and "Warehouse" in long_ago
    assert page(mara, center, as_of="nonsense")


def test_the_timeline_draws_periods_and_compares_two_days(mara: Client, center: Document) -> None:
    drawn = page(mara, center, "timeline")
    assert "What held when" in drawn and "Warehouse" in drawn and 'data-tone="purple"' in drawn
    compared = page(mara, center, "timeline", as_of="2022-06-01", against=NEXT)
    assert "From 1 Jun 2022 to" in compared
    assert "Warehouse" in compared and "Sofia Lund" in compared


def test_planned_and_ended_records_say_so(mara: Client, center: Document) -> None:
    values = {"name": "X", "legal_entity": "NH10", "category": "sales"}
    planned = make("cost_center", code="CC2", valid_from=NEXT, **values)
    ended = make("cost_center", code="CC3", valid_to="2024-02-01", **values)
    assert "Begins " in page(mara, planned) and "Ended 1 Feb 2024" in page(mara, ended)
    listed = mara.get(reverse("web:records", args=["cost-centers"]), {"validity": "planned"}).content.decode()
    assert "CC2" in listed and "CC3" not in listed and "CC1" not in listed


def form_of(document: Document, **typed: Any) -> dict[str, Any]:
    """What the form would send: every field as it is shown, and what somebody typed."""
    fields: dict[str, Any] = {
        "name": document["name"], "legal_entity": document["legal_entity"], "category": document["category"],
        "valid_from": timezone.localdate().isoformat(), "valid_to": document["valid_to"] or "",
        "version": str(document["version"]),
    }  # fmt: skip
    for place, row in enumerate(document["slices"]):
        shown = {name: value for name, value in row.items() if isinstance(value, str)}
        fields |= {f"slices-{place}-{name}": value for name, value in shown.items()}
    return {**fields, **typed}


def test_a_change_is_made_from_a_day_on_and_reads_as_its_period(mara: Client, center: Document) -> None:
    url = reverse("web:record-edit", args=["cost-centers", center["uid"]])
    shown = mara.get(url).content.decode()
    assert "What you change above holds from this day on." in shown and "Change the periods themselves" in shown
    assert 'name="effective_on"' not in shown
    day = (timezone.localdate() + timedelta(days=9)).isoformat()
    typed = form_of(center, name="Distribution", valid_from=day)
    preview = mara.post(url, {**typed, "action": "preview"}).content.decode()
    assert "Distribution" in preview and not ChangeRequest.objects.filter(origin="web").exists()
    auto_approve("web")
    token = preview.split('name="previewed" value="')[1].split('"')[0]
    assert mara.post(url, {**typed, "action": "submit", "previewed": token}).status_code == 302
    now = records.current_document("cost_center", center["uid"])
    assert [(row["name"], row["valid_from"]) for row in now["slices"]] == [
        ("Warehouse", None), ("Logistics", "2023-01-01"), ("Distribution", day), ("Distribution", NEXT),
    ]  # fmt: skip
    assert now["name"] == "Logistics"


def test_what_is_wrong_is_said_at_its_field_and_changes_nothing(mara: Client, center: Document) -> None:
    url = reverse("web:record-edit", args=["cost-centers", center["uid"]])
    for typed, words in (
        ({"name": ""}, "This field is needed."),
        ({"name": "X", "valid_from": "2026-09-01", "valid_to": "2026-08-01"}, "It would end before it begins."),
        ({"slices-2-valid_from": "2022-01-01"}, "Another period holds until"),
    ):
        answer = mara.post(url, {**form_of(center, **typed), "action": "preview"})
        assert answer.status_code == 422 and words in answer.content.decode(), typed
    assert "<details" not in answer.content.decode().split("Periods</legend>")[1].split("</fieldset>")[0]
    assert records.current_document("cost_center", center["uid"]) == center


def test_queries_do_not_grow_with_the_periods(mara: Client, center: Document) -> None:
    def queries(document: Document, tab: str) -> int:
        page(mara, document, tab)
        with CaptureQueriesContext(connection) as caught:
            page(mara, document, tab)
        return len(caught)

    many = make("cost_center", code="CC9", slices=[
        {"name": f"N{year}", "legal_entity": "NH10", "category": "sales", "valid_from": f"{year}-01-01",
         "valid_to": f"{year + 1}-01-01"} for year in range(2000, 2020)
    ])  # fmt: skip
    for tab in ("", "timeline"):
        assert queries(many, tab) <= queries(center, tab)
