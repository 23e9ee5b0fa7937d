"""The list of a record type: words, filters, order, pages, columns, views, exports, and what is done to many."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client
from openpyxl import load_workbook

from mdm import registry
from mdm.models import AuditEntry, ChangeRequest
from tests.people import actor, make, make_together, propose, supplier
from tests.web.visitors import IBAN, MASK, browser, queries, read

pytestmark = pytest.mark.django_db

LIST = "/records/suppliers/"


@pytest.fixture
def nora() -> Client:
    return browser("nora", "requester")


def names(client: Client, url: str = LIST) -> list[str]:
    answer = client.get(url)
    assert answer.status_code == 200
    return [str(row.cells[0].value) for row in answer.context["table"].rows]


def three() -> None:
    make("payment_term", code="NET30", name="30 days net", net_days=30)
    supplier(legal_name="Alpha Präzision GmbH", country="DE", payment_terms="NET30", code="S-A")
    supplier(legal_name="Beta SARL", country="FR", code="S-B", tax_registrations=[{"scheme": "VAT", "number": "X1"}])
    supplier(legal_name="Gamma AG", country="DE", code="S-C")


@pytest.mark.parametrize("kind", ["suppliers", "legal-entities", "payment-terms"])
def test_every_type_has_a_list_even_an_empty_one(nora: Client, kind: str) -> None:
    assert "There are no" in read(nora, f"/records/{kind}/")
    assert "Nothing fits" in read(nora, f"/records/{kind}/?q=nothing+like+this")


def test_an_unknown_type_is_not_there(nora: Client) -> None:
    read(nora, "/records/supplier/", 404)
    read(nora, "/records/cars/", 404)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=prazision", ["Alpha Präzision GmbH"]),
        ("q=präz+gmb", ["Alpha Präzision GmbH"]),
        ("q=...", []),
        ("country=DE", ["Alpha Präzision GmbH", "Gamma AG"]),
        ("country=DE&payment_terms=NET30", ["Alpha Präzision GmbH"]),
        ("missing=tax_registrations", ["Alpha Präzision GmbH", "Gamma AG"]),
        ("missing=payment_terms", ["Beta SARL", "Gamma AG"]),
        ("sort=-legal_name", ["Gamma AG", "Beta SARL", "Alpha Präzision GmbH"]),
        ("sort=code", ["Alpha Präzision GmbH", "Beta SARL", "Gamma AG"]),
        ("sort=website", ["Alpha Präzision GmbH", "Beta SARL", "Gamma AG"]),
        ("country=nonsense", ["Alpha Präzision GmbH", "Beta SARL", "Gamma AG"]),
        ("cursor=nonsense", ["Alpha Präzision GmbH", "Beta SARL", "Gamma AG"]),
        ("parent=S-A", []),
        ("has=request", []),
        ("has=pair", []),
        ("has=pin", []),
    ],
)
def test_what_is_asked_for(nora: Client, query: str, found: list[str]) -> None:
    three()
    assert names(nora, f"{LIST}?{query}") == found


def test_filters_read_as_a_sentence(nora: Client) -> None:
    three()
    bar = nora.get(f"{LIST}?country=DE&missing=website").context["filters"]
    assert [(chip.words, chip.value) for chip in bar.chips] == [("country is", "DE"), ("without", "Website")]


def test_open_requests_are_marked_and_found(nora: Client) -> None:
    three()
    record = supplier(legal_name="Delta AG")
    change = propose(record, actor("nora"), website="https://delta.example")
    assert names(nora, f"{LIST}?has=request") == ["Delta AG"]
    assert f"/requests/{10_000 + change.pk}/" in read(nora, f"{LIST}?has=request")


def test_pages_hold_every_record_once(nora: Client) -> None:
    patches = [{"legal_name": f"Number {n:03} AG", "country": "DE"} for n in range(107)]
    made = [document["legal_name"] for document in make_together("supplier", patches)]
    seen: list[str] = []
    url = LIST
    while True:
        answer = nora.get(url)
        seen += [str(row.cells[0].value) for row in answer.context["table"].rows]
        if not answer.context["pager"].next:
            break
        url = LIST + answer.context["pager"].next
    assert seen == made
    back = nora.get(LIST + answer.context["pager"].previous)
    assert [str(row.cells[0].value) for row in back.context["table"].rows] == made[50:100]


def test_the_number_of_queries_does_not_grow(nora: Client) -> None:
    three()
    few = queries(nora, LIST)
    for _ in range(30):
        supplier()
    assert queries(nora, LIST) == few <= 17


# --- what a person keeps --------------------------------------------------------------------------------------


def test_columns_are_kept_per_person(nora: Client) -> None:
    three()
    nora.post(f"{LIST}columns/", {"columns": ["currency", "nonsense"], "next": LIST})
    assert [column.key for column in nora.get(LIST).context["table"].columns] == ["legal_name", "currency"]
    other = browser("rita", "requester").get(LIST).context["table"].columns
    assert "country" in [column.key for column in other]


def test_views_are_saved_shown_and_forgotten(nora: Client) -> None:
    three()
    answer = nora.post(f"{LIST}views/", {"name": "German ones", "query": "country=DE&cursor=abc"})
    assert answer["Location"] == f"{LIST}?country=DE"
    tabs = nora.get(f"{LIST}?country=DE").context["views"]
    assert [(tab.label, tab.current) for tab in tabs] == [("All", False), ("German ones", True)]
    nora.post(f"{LIST}views/", {"drop": "German ones"})
    assert nora.get(LIST).context["views"] == []
    assert nora.post(f"{LIST}views/", {"name": " ", "query": ""}).status_code == 422


# --- files ----------------------------------------------------------------------------------------------------


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_exports_hold_what_is_shown(nora: Client) -> None:
    three()
    supplier(legal_name="=1+1", code="S-D", bank_accounts=[{"iban": IBAN}])
    answer = nora.get(f"{LIST}export/?format=csv&sort=code")
    rows = list(csv.reader(io.StringIO(body(answer).decode("utf-8-sig"))))
    assert rows[0][0] == "Legal name"
    assert [row[0] for row in rows[1:]] == ["Alpha Präzision GmbH", "Beta SARL", "Gamma AG", "'=1+1"]
    lines = body(nora.get(f"{LIST}export/?format=ndjson&country=FR")).decode().splitlines()
    assert [json.loads(line)["legal_name"] for line in lines] == ["Beta SARL"]
    sheet = load_workbook(io.BytesIO(body(nora.get(f"{LIST}export/?format=xlsx&country=DE")))).active
    assert sheet is not None and sheet.max_row == 4
    assert AuditEntry.objects.filter(action="records.exported", actor__username="nora").count() == 3


def test_no_export_holds_a_bank_number(nora: Client) -> None:
    supplier(bank_accounts=[{"iban": IBAN}])
    for name in ("csv", "xlsx", "ndjson"):
        data = body(nora.get(f"{LIST}export/?format={name}"))
        assert IBAN.encode() not in data
        assert MASK.encode() not in data


def test_an_unknown_format_is_refused(nora: Client) -> None:
    assert nora.get(f"{LIST}export/?format=pdf").status_code == 422


# --- many at once ---------------------------------------------------------------------------------------------


def test_one_request_blocks_all_that_are_selected(nora: Client) -> None:
    uids = [supplier()["uid"] for _ in range(3)]
    answer = nora.post(f"{LIST}bulk/", {"do": "block", "uid": uids, "reason": "Not used for three years."})
    change = ChangeRequest.objects.get(kind="block")
    assert answer["Location"] == f"/requests/{10_000 + change.pk}/"
    assert change.items.count() == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"do": "block", "reason": "x"}, "Select at least one record"),
        ({"do": "block", "uid": ["nonsense"], "reason": "x"}, "Select at least one record"),
        ({"do": "delete"}, "Select at least one record"),
    ],
)
def test_what_cannot_be_done_is_said_on_the_list(nora: Client, data: dict[str, Any], words: str) -> None:
    supplier()
    answer = nora.post(f"{LIST}bulk/", data)
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_a_selection_without_a_reason_is_not_sent(nora: Client) -> None:
    uid = supplier()["uid"]
    answer = nora.post(f"{LIST}bulk/", {"do": "block", "uid": [uid]})
    assert answer.status_code == 422
    assert not ChangeRequest.objects.filter(kind="block").exists()


def test_readers_change_nothing() -> None:
    uid = supplier()["uid"]
    jonas = browser("jonas", "auditor")
    assert "Your role may read these records only" in read(jonas, LIST)
    assert jonas.post(f"{LIST}bulk/", {"do": "block", "uid": [uid], "reason": "x"}).status_code == 403
    read(jonas, f"{LIST}new/", 403)


def test_selected_records_are_exported(nora: Client) -> None:
    three()
    uid = registry.get("supplier").model._default_manager.get(code="S-B").uid  # type: ignore[attr-defined]
    rows = body(nora.post(f"{LIST}bulk/", {"do": "csv", "uid": [str(uid)]})).decode("utf-8-sig").splitlines()
    assert len(rows) == 2
    assert rows[1].startswith("Beta SARL")


def test_people_of_some_companies_see_only_those() -> None:
    for code in ("NH10", "NH20"):
        make("legal_entity", code=code, name=f"Company {code}", country="DE", currency="EUR")
    bound = browser("mara", "steward", entities=("NH10",))
    assert names(bound, "/records/legal-entities/") == ["Company NH10"]
    assert b"NH20" not in body(bound.get("/records/legal-entities/export/?format=csv"))
