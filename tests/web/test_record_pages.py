"""The pages of one record: what holds and why, sources, time, use, requests, log; pins, reveals and status changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from mdm import registry
from mdm.models import AuditEntry, ChangeRequest, Pin, Provenance, SourceRecord
from mdm.services import changes, crosswalks, merging
from mdm.types import Document
from tests.people import actor, make, propose, supplier, system
from tests.web.visitors import IBAN, MASK, browser, queries, read

pytestmark = pytest.mark.django_db

PARTS = ("", "sources/", "timeline/", "sync/", "where-used/", "requests/", "audit/")


@pytest.fixture
def mara() -> Client:
    return browser("mara", "steward")


def url(document: Document, part: str = "") -> str:
    return f"/records/suppliers/{document['uid']}/{part}"


def with_sources() -> Document:
    """A supplier two platforms know, with different payment terms."""
    for code in ("NET30", "NET45"):
        make("payment_term", code=code, name=code.lower(), net_days=int(code[3:]))
    record = supplier(legal_name="Bergbau Nord GmbH", payment_terms="NET30", bank_accounts=[{"iban": IBAN}])
    ours, theirs = system("s4hana", rank=10, title="SAP S/4HANA"), system("coupa", rank=20, title="Coupa")
    now = timezone.now()
    for where, key, terms in ((ours, "0001", "NET30"), (theirs, "C-1", "NET45")):
        document = {"legal_name": "Bergbau Nord GmbH", "payment_terms": terms}
        SourceRecord.objects.create(
            system=where,
            type="supplier",
            key=key,
            digest=key,
            document=document,
            golden_uid=record["uid"],
            received_at=now,
        )
        crosswalks.link(system=where, type="supplier", key=key, uid=record["uid"])
    won = {"system": "s4hana", "key": "0001", "rule": "source_rank", "since": now.isoformat()}
    Provenance.objects.filter(uid=record["uid"]).update(
        fields={"payment_terms": won, "legal_name": won | {"rule": "agreed"}}
    )
    return record


def apply(change: ChangeRequest) -> None:
    changes.approve(change=change, by=actor("sue", "steward"), content_hash=change.content_hash)


@pytest.mark.parametrize("part", PARTS)
def test_every_tab_answers_for_a_bare_record(mara: Client, part: str) -> None:
    read(mara, url(supplier(), part))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("payment_term", {"name": "30 days", "net_days": 30}),
        ("legal_entity", {"name": "Nordhaven AG", "country": "DE", "currency": "EUR"}),
    ],
)
def test_every_tab_answers_for_every_type(mara: Client, kind: str, patch: dict[str, Any], part: str) -> None:
    document = make(kind, code="X1", **patch)
    read(mara, f"/records/{registry.get(kind).path}/{document['uid']}/{part}")


def test_what_is_not_there(mara: Client) -> None:
    document = supplier()
    read(mara, "/records/suppliers/00000000-0000-0000-0000-000000000000/", 404)
    read(mara, f"/records/payment-terms/{document['uid']}/", 404)


def test_numbers_are_masked_on_every_tab(mara: Client) -> None:
    record = with_sources()
    assert MASK in read(mara, url(record))
    for part in PARTS:
        assert IBAN not in read(mara, url(record, part))


# --- why a value holds ----------------------------------------------------------------------------------------


def test_the_panel_says_who_offers_what_and_why(mara: Client) -> None:
    record = with_sources()
    html = read(mara, f"{url(record)}?why=payment_terms")
    for words in ("Why payment terms is NET30", "NET45", "SAP S/4HANA before Coupa", "Pin this value"):
        assert words in html
    part = mara.get(f"{url(record)}?why=payment_terms", headers={"HX-Request": "true", "HX-Target": "provenance"})
    assert "<html" not in part.content.decode()
    assert "NET45" in part.content.decode()


@pytest.mark.parametrize("path", ["nonsense", "bank_accounts/nonsense", "legal_name/x", "../x", "uid"])
def test_a_path_that_is_not_there_breaks_nothing(mara: Client, path: str) -> None:
    read(mara, f"{url(with_sources())}?why={path}")


def test_the_grid_marks_what_holds(mara: Client) -> None:
    rows = mara.get(url(with_sources(), "sources/")).context["rows"]
    terms = next(row for row in rows if row["label"] == "Payment terms")
    assert [cell["state"] for cell in terms["cells"]] == ["winner", "lost"]


def test_pinning_and_taking_it_away(mara: Client) -> None:
    record = with_sources()
    assert mara.post(url(record, "pin/"), {"path": "payment_terms", "reason": " "}).status_code == 422
    until = (timezone.localdate() + timedelta(days=30)).isoformat()
    mara.post(url(record, "pin/"), {"path": "payment_terms", "reason": "Frame contract", "until": until})
    pin = Pin.objects.get()
    assert (pin.path, pin.reason, pin.until.isoformat()) == ("payment_terms", "Frame contract", until)  # type: ignore[union-attr]
    html = read(mara, f"{url(record)}?why=payment_terms")
    assert "Frame contract" in html
    assert "Without the pin, SAP S/4HANA would decide" in html
    mara.post(url(record, "pin/"), {"path": "payment_terms", "reason": "It ended", "unpin": "1"})
    assert not Pin.objects.exists()
    actions = AuditEntry.objects.filter(object_uid=record["uid"], action__startswith="value.").values_list(
        "action", flat=True
    )
    assert sorted(actions) == ["value.pinned", "value.unpinned"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"path": "nonsense", "reason": "x"}, 422),
        ({"path": "bank_accounts", "reason": "x"}, 422),
        ({"path": "payment_terms", "reason": "x", "until": "2001-01-01"}, 422),
        ({"path": "payment_terms", "reason": "x", "until": "soon"}, 422),
        ({"path": "payment_terms", "reason": "x", "unpin": "1"}, 404),
    ],
)
def test_pins_that_make_no_sense(mara: Client, data: dict[str, str], status: int) -> None:
    assert mara.post(url(with_sources(), "pin/"), data).status_code == status
    assert not Pin.objects.exists()


def test_only_stewards_pin() -> None:
    record = with_sources()
    nora = browser("nora", "requester")
    assert "Pin this value" not in read(nora, f"{url(record)}?why=payment_terms")
    assert nora.post(url(record, "pin/"), {"path": "payment_terms", "reason": "x"}).status_code == 403


# --- sealed numbers -------------------------------------------------------------------------------------------


def test_revealing_is_a_right_needs_a_reason_and_is_logged() -> None:
    record = with_sources()
    tom = browser("tom", "treasury")
    assert "Reveal numbers" in read(tom, url(record))
    assert IBAN not in tom.post(url(record, "reveal/"), {"reason": " "}).content.decode()
    assert not AuditEntry.objects.filter(action="bank.revealed").exists()
    answer = tom.post(url(record, "reveal/"), {"reason": "Call-back"})
    assert IBAN in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    entry = AuditEntry.objects.get(action="bank.revealed")
    assert entry.actor is not None and entry.actor.username == "tom"
    assert IBAN not in str(entry.detail)
    assert IBAN not in read(tom, url(record))


def test_others_see_no_number_and_leave_no_trace(mara: Client) -> None:
    record = with_sources()
    assert "Reveal numbers" not in read(mara, url(record))
    answer = mara.post(url(record, "reveal/"), {"reason": "Curious"})
    assert answer.status_code == 403
    assert IBAN not in answer.content.decode()
    assert not AuditEntry.objects.filter(action="bank.revealed").exists()


# --- time -----------------------------------------------------------------------------------------------------


def test_as_it_stood_on_a_day(mara: Client) -> None:
    record = supplier(website="https://old.example")
    yesterday = timezone.localdate() - timedelta(days=1)
    assert "did not know this record yet" in read(mara, f"{url(record)}?as_of={yesterday}")
    moment = timezone.now().isoformat()
    apply(propose(record, actor("nora", "requester"), website="https://new.example"))
    assert "https://new.example" in read(mara, url(record))
    then = mara.get(url(record), {"known_at": moment}).content.decode()
    assert "https://old.example" in then
    assert "https://new.example" not in then
    assert "This is how it stood" in then


@pytest.mark.parametrize("text", ["2026-13-40", "tomorrow", "9999-12-31", "0001-01-01", "'"])
def test_dates_that_make_no_sense(mara: Client, text: str) -> None:
    record = supplier()
    for part in ("", "timeline/"):
        for name in ("as_of", "known_at", "version"):
            read(mara, f"{url(record, part)}?{name}={text}")


def test_versions_and_what_each_changed(mara: Client) -> None:
    record = supplier(website="https://old.example")
    apply(propose(record, actor("nora", "requester"), website="https://new.example"))
    html = read(mara, url(record, "timeline/"))
    assert "What version 2 changed" in html
    assert "As it was created" in read(mara, f"{url(record, 'timeline/')}?version=1")
    assert mara.get(url(record, "timeline/")).context["versions"][0]["summary"] == "Website"


# --- use, requests, log ---------------------------------------------------------------------------------------


def test_where_it_is_used(mara: Client) -> None:
    parent = supplier(legal_name="Parent AG")
    child = supplier(legal_name="Child GmbH", parent=parent["uid"])
    html = read(mara, url(parent, "where-used/"))
    assert "Child GmbH" in html
    assert "Suppliers by parent company" in html
    assert "Nothing refers to it" in read(mara, url(child, "where-used/"))
    assert "Parent AG" in read(mara, url(child))


def test_open_requests_are_announced(mara: Client) -> None:
    record = supplier()
    change = propose(record, actor("nora", "requester"), website="https://new.example")
    html = read(mara, url(record))
    assert f"Review {change.number}" in html
    assert "change proposed" in html
    assert change.title in read(mara, url(record, "requests/"))


def test_a_merged_record_leads_to_the_survivor(mara: Client) -> None:
    left, right = supplier(legal_name="Left AG"), supplier(legal_name="Right AG")
    kind = registry.get("supplier")
    apply(merging.propose(kind=kind, survivor=left["uid"], losers=[right["uid"]], by=actor("nora", "requester")))
    html = read(mara, url(right))
    assert "Merged into Left AG" in html
    assert url(left) in html
    for part in PARTS:
        read(mara, url(right, part))


# --- status ---------------------------------------------------------------------------------------------------


def test_blocking_is_a_request(mara: Client) -> None:
    record = supplier()
    assert mara.post(url(record, "status/block/"), {}).status_code == 422
    mara.post(url(record, "status/block/"), {"reason": "Sanctions list"})
    change = ChangeRequest.objects.get(kind="block")
    assert (change.state, change.reason) == ("in_review", "Sanctions list")
    apply(change)
    assert "Unblock" in read(mara, url(record))
    again = mara.post(url(record, "status/block/"), {"reason": "Twice"})
    assert again.status_code == 409
    assert "cannot be blocked now" in again.content.decode()


def test_other_changes_of_status_do_not_exist(mara: Client) -> None:
    assert mara.post(url(supplier(), "status/merge/"), {"reason": "x"}).status_code == 404


def test_readers_do_not_ask() -> None:
    record = supplier()
    assert browser("jonas", "auditor").post(url(record, "status/block/"), {"reason": "x"}).status_code == 403


# --- other companies ------------------------------------------------------------------------------------------


def test_rows_of_other_companies_and_their_bank_data_are_hidden() -> None:
    for code in ("NH10", "NH20"):
        make("legal_entity", code=code, name=code, country="DE", currency="EUR")
    record = supplier(
        extensions=[{"legal_entity": "NH20", "reconciliation_account": "0000161999"}], bank_accounts=[{"iban": IBAN}]
    )
    bound = browser("sue", "steward", entities=("NH10",))
    for part in PARTS:
        html = read(bound, url(record, part))
        assert "0000161999" not in html
        assert MASK not in html
    entity = make("legal_entity", code="NH30", name="Hidden AG", country="DE", currency="EUR")
    read(bound, f"/records/legal-entities/{entity['uid']}/", 404)


# --- cost -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "most"), [("", 36), ("sources/", 32), ("timeline/", 28), ("audit/", 27), ("requests/", 28)]
)
def test_the_number_of_queries_is_fixed(mara: Client, part: str, most: int) -> None:
    record = with_sources()
    few = queries(mara, url(record, part))
    for number in range(4):
        apply(propose(record, actor("nora", "requester"), website=f"https://{number}.example"))
    assert queries(mara, url(record, part)) <= few + 1 <= most
