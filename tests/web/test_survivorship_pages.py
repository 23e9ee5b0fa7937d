"""Pages of survivorship: the grid of sources with pins and detaching, the rules, and a change of them with its rehearsal."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client

from mdm.models import ChangeRequest, Pin, RuleChange, SourceRecord
from mdm.services import rule_changes
from tests.mdm.test_rule_changes import propose as propose_rules
from tests.mdm.test_rule_changes import rehearsed
from tests.mdm.test_survivorship import document, two_sources
from tests.people import make
from tests.web.visitors import MASK, browser, page_of, queries, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def mara() -> Client:
    return browser("mara", "steward")


def url(part: str = "sources/") -> str:
    return f"/records/suppliers/{document()['uid']}/{part}"


def rows(client: Client, query: str = "") -> dict[str, dict[str, Any]]:
    return {row["label"]: row for row in client.get(url() + query).context["rows"]}


def test_the_grid_says_who_gives_what_when_and_the_rule_in_words(mara: Client) -> None:
    two_sources()
    terms = rows(mara)["Payment terms"]
    assert [(cell["head"], cell["value"], cell["state"]) for cell in terms["cells"]] == [
        ("Erp 1", "NET30", "winner"), ("Buy X9", "NET45", "lost")
    ]  # fmt: skip
    assert terms["rule"] == "most trusted of 2" and all(cell["at"] for cell in terms["cells"])
    assert rows(mara)["Country"]["rule"] == "all 2 agree"
    html = read(mara, url())
    assert MASK in html and "DE89370400440532013000" not in html


def test_only_where_the_sources_differ(mara: Client) -> None:
    two_sources()
    differing = rows(mara, "?show=differing")
    assert "Payment terms" in differing and "Country" not in differing
    assert "Only where sources differ" in read(mara, url())


def test_a_source_that_is_gone_is_marked_where_it_speaks(mara: Client) -> None:
    two_sources(second="")
    from mdm.services import background, leaving
    from tests.mdm.test_survivorship import kind
    from tests.people import system

    leaving.leave(kind=kind(), system=system("erp"), keys=["1"], why="deleted")
    background.tick()
    terms = rows(mara)["Payment terms"]
    assert terms["rule"] == "last known: Erp no longer gives it"
    assert [cell["words"] for cell in terms["cells"] if cell["value"]] == ["no longer there"]
    assert "marked as deleted there since" in read(mara, url())


def test_the_grid_as_a_file_is_masked_and_whole(mara: Client) -> None:
    two_sources()
    answer: Any = mara.get(url("sources.csv"))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    terms = [(line["Source"], line["Value"], line["State"]) for line in lines if line["Field"] == "Payment terms"]
    assert terms == [("Erp", "NET30", "holds"), ("Buy", "NET45", "lost")]
    assert MASK in text and "DE89370400440532013000" not in text
    assert answer["Cache-Control"] == "no-store"


def test_a_pin_is_set_and_lifted_in_the_grid(mara: Client) -> None:
    two_sources()
    assert "Which value stays?" in read(mara, f"{url()}?why=payment_terms")
    answer = mara.post(url("pin/"), {"path": "payment_terms", "reason": "Contract", "back": "sources"})
    assert answer["Location"] == f"{url()}?why=payment_terms"
    assert rows(mara)["Payment terms"]["pinned"] and rows(mara)["Payment terms"]["rule"].startswith("pinned by Mara")
    answer = mara.post(
        url("pin/"), {"path": "payment_terms", "reason": "Over", "unpin": "1", "back": "sources"}, follow=True
    )
    assert "The value stays the same" in answer.content.decode() and not Pin.objects.exists()


def test_pinning_another_value_leads_to_its_request(mara: Client) -> None:
    two_sources()
    answer = mara.post(url("pin/"), {"path": "payment_terms", "reason": "Contract", "source": "buy X9"})
    change = ChangeRequest.objects.get(kind="change", origin="web")
    assert answer["Location"] == page_of(change)
    assert (document()["payment_terms"], Pin.objects.count()) == ("NET30", 0)
    assert "NET45" in read(mara, page_of(change))


def test_detaching_is_proposed_with_a_reason(mara: Client) -> None:
    two_sources()
    data = {"system": "buy", "key": "X9", "reason": ""}
    assert mara.post(url("detach/"), data).status_code == 422
    assert mara.post(url("detach/"), data | {"reason": "x", "to": "S-1"}).status_code == 422
    assert not ChangeRequest.objects.filter(kind="detach").exists()
    other = make("supplier", legal_name="Right One", country="DE")
    answer = mara.post(url("detach/"), data | {"reason": "Another company", "to": other["code"]})
    change = ChangeRequest.objects.get(kind="detach")
    assert answer["Location"] == page_of(change)
    html = read(mara, page_of(change))
    assert "Take Buy X9 off" in html and "Right One" in html
    assert SourceRecord.objects.get(key="X9").golden_uid is not None


def test_readers_see_the_grid_and_change_nothing() -> None:
    two_sources()
    jonas = browser("jonas", "auditor")
    assert "Pin this value" not in read(jonas, f"{url()}?why=payment_terms")
    assert jonas.post(url("detach/"), {"system": "buy", "key": "X9", "reason": "x"}).status_code == 403
    assert jonas.post(url("pin/"), {"path": "payment_terms", "reason": "x"}).status_code == 403
    assert not Pin.objects.exists() and not ChangeRequest.objects.filter(kind="detach").exists()


def test_the_number_of_queries_does_not_grow_with_the_sources(mara: Client) -> None:
    two_sources()
    before = queries(mara, url())
    row = SourceRecord.objects.get(key="X9")
    for number in range(5):
        SourceRecord.objects.create(
            system=row.system, type=row.type, key=f"Y{number}", digest="", document=row.document,
            golden_uid=row.golden_uid, received_at=row.received_at, job=row.job,
        )  # fmt: skip
    assert queries(mara, url()) == before <= 31


# --- rules --------------------------------------------------------------------------------------------------------


def test_the_rules_read_as_sentences(mara: Client) -> None:
    assert "the most trusted source, then the newest value" in read(mara, "/survivorship/")


def test_a_change_shows_rules_progress_and_values_before_it_is_signed(mara: Client) -> None:
    two_sources()
    change = propose_rules()
    page = f"/survivorship/changes/{change.uid}/"
    assert "0 of 1 records rehearsed" in read(mara, page)
    rule_changes.run(change.pk)
    answer: Any = mara.get(f"{page}progress/")
    assert answer["HX-Refresh"] == "true"
    html = read(mara, page)
    for words in ("no rule of its own", "NET30", "NET45", "waits for a second person", "trust here: Buy 1, Erp 5"):
        assert words in html
    change.refresh_from_db()
    assert change.change is not None
    assert "See the rehearsal" in read(mara, page_of(change.change))
    answer = mara.get(f"{page}effects.csv")
    assert "NET30,NET45" in b"".join(answer.streaming_content).decode()
    mara.post(f"{page_of(change.change)}decide/", {"decision": "approve", "content_hash": change.change.content_hash})
    change.refresh_from_db()
    assert change.state == "applying"
    rule_changes.run(change.pk)
    assert document()["payment_terms"] == "NET45"
    assert "Applied" in read(mara, page)
    assert "Applied" in read(mara, "/survivorship/")


def test_withdrawing_is_for_its_proposer_and_governance(mara: Client) -> None:
    two_sources()
    change = rehearsed()
    page = f"/survivorship/changes/{change.uid}/"
    mara.post(f"{page}withdraw/", {"reason": "x"})
    assert RuleChange.objects.get().state == "ready"
    browser("aiko").post(f"{page}withdraw/", {"reason": "x"})
    assert RuleChange.objects.get().state == "closed"


def test_what_is_not_there(mara: Client) -> None:
    read(mara, "/survivorship/changes/00000000-0000-0000-0000-000000000000/", 404)
