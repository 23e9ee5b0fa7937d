"""Pages of a target's mapping: what a field is made of, value maps, gaps, versions, files, and a record as it would be sent."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from mdm.models import RecordVersion
from sync import platforms
from sync.models import FieldRule, MappingVersion, Target, ValueMapRow
from tests.sync import world
from tests.web.visitors import IBAN, MASK, browser, queries, read

pytestmark = pytest.mark.django_db
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def target() -> Target:
    world.allow_everything()
    return world.target("coupa", NOBODY)


@pytest.fixture
def mara() -> Client:
    return browser("mara", "steward")


def page(name: str, target: Target, query: str = "") -> str:
    return reverse(f"sync:mapping{'-' if name else ''}{name}", args=[target.code]) + query


@pytest.mark.parametrize("connector", platforms.names())
def test_every_connectors_mapping_reads_in_words(mara: Client, connector: str) -> None:
    made = world.target(connector, NOBODY)
    for type in platforms.connector_class(connector).types:
        text = read(mara, page("", made, f"?type={type}"))
        derives = type == "supplier" and platforms.readable(connector)  # what cannot be read makes nothing of its own
        assert "made by the platform" in text or not derives
        for raw in ("{&#x27;", "None,", "[&#x27;"):
            assert raw not in text, "words, not Python"
    read(mara, page("values", made))
    read(mara, page("preview", made))


def test_what_cannot_be_written_is_said_with_why(mara: Client, target: Target) -> None:
    Target.objects.update(pushable={"bank_accounts": False}, check_message="Coupa has no element for bank numbers.")
    text = read(mara, page("", target))
    assert "Not pushable here" in text and "no element for bank numbers" in text
    assert "payment terms" in text and "no documented way to write them" in text


@pytest.mark.parametrize("name", ["", "values", "preview", "gaps", "versions"])
def test_pages_are_for_readers_of_sync_in_few_queries(target: Target, name: str) -> None:
    assert queries(browser("jonas", "auditor"), page(name, target)) <= 33
    assert browser("nina").get(page(name, target)).status_code == 403


def test_a_row_is_mapped_changed_and_taken_away_by_stewards_only(mara: Client, target: Target) -> None:
    url = page("values", target)
    row = {"table": "payment_terms", "ours": "NET30", "theirs": "Thirty"}
    assert mara.post(url, row).status_code == 302
    assert "Thirty" in read(mara, url) and ValueMapRow.objects.get().theirs == "Thirty"
    assert mara.post(url, {**row, "theirs": " "}).status_code == 422
    assert mara.post(url, {**row, "table": "colours"}).status_code == 422
    other = browser("samir", "operator")
    assert other.post(url, {**row, "theirs": "x"}).status_code == 403
    assert 'name="theirs"' not in read(other, url)
    mara.post(url, {**row, "drop": "1"})
    assert not ValueMapRow.objects.exists() and MappingVersion.objects.count() == 2
    assert "NET37" in read(mara, url + "?") or "NET30" in read(mara, url)


def test_a_row_for_a_value_nobody_has_is_pointed_at(mara: Client, target: Target) -> None:
    mara.post(page("values", target), {"table": "payment_terms", "ours": "NET3O", "theirs": "Net 30"})
    assert "No record of ours has NET3O" in read(mara, page("values", target))


def test_gaps_are_filled_where_they_stand(mara: Client, target: Target) -> None:
    world.propose("payment_term", {"code": "NET37", "name": "37 days", "net_days": 37})
    world.supplier(payment_terms="NET37")
    url = page("gaps", target)
    assert "NET37" in read(mara, url)
    filled = {"table": "payment_terms", "ours": "NET37", "theirs": "Net 37", "next": url}
    assert mara.post(page("values", target), filled).url == url
    assert "Every value in use has its counterpart" in read(mara, url)


def test_a_record_is_tried_with_its_problems_by_field_and_masked_numbers(mara: Client) -> None:
    world.allow_everything()
    made = world.target("s4hana", NOBODY)
    world.propose("payment_term", {"code": "NET37", "name": "37 days", "net_days": 37})
    world.propose("legal_entity", {"code": "NH10", "name": "NH10", "country": "DE", "currency": "EUR"})
    uid = world.supplier(
        legal_name="Trial Balance GmbH", payment_terms="NET37", bank_accounts=[{"iban": IBAN, "country": "DE"}],
        extensions=[{"legal_entity": "NH10"}],
    )  # fmt: skip
    found = read(mara, page("preview", made, "?q=trial+balance"))
    assert uid in found
    text = read(mara, page("preview", made, f"?record={uid}"))
    assert MASK in text and IBAN not in text and IBAN[4:] not in text
    assert "would be refused before it is sent" in text and text.count("NET37") >= 2 and ">Problem</th>" in text
    # A heading for each row of ours that becomes a row there, by the name people know it by.
    company = RecordVersion.objects.filter(uid=uid).latest("version").document["extensions"][0]["uid"]
    assert company not in text and "<b>A_SupplierCompany</b>" in text and '<span class="muted">NH10</span>' in text
    ValueMapRow.objects.create(target=made, table="payment_terms", ours="NET37", theirs="Z037")
    text = read(mara, page("preview", made, f"?record={uid}"))
    assert "fits" in text and ">Problem</th>" not in text
    assert mara.get(page("preview", made, "?record=nonsense")).status_code == 404


def test_other_companies_numbers_stay_hidden(target: Target) -> None:
    for code in ("NH10", "NH20"):
        world.propose("legal_entity", {"code": code, "name": code, "country": "DE", "currency": "EUR"})
    uid = world.supplier(
        bank_accounts=[{"iban": IBAN}], extensions=[{"legal_entity": "NH10"}, {"legal_entity": "NH20"}]
    )
    text = read(browser("nils", "steward", entities=("NH10",)), page("preview", target, f"?record={uid}"))
    assert "not yours" in text and MASK not in text


def test_versions_show_what_changed_and_go_back(mara: Client, target: Target) -> None:
    for theirs in ("Thirty", "Thirty days"):
        mara.post(page("values", target), {"table": "payment_terms", "ours": "NET30", "theirs": theirs})
    url = page("versions", target)
    text = read(mara, url)
    assert "From version 1 to 2" in text and "Thirty days" in text and "mara" in text.lower()
    assert "no row of ours" in read(mara, url + "?from=0&to=1")
    for odd in ("?from=7&to=9", "?from=x", "?from=-1&to=1"):
        read(mara, url + odd)
    back = reverse("sync:mapping-revert", args=[target.code])
    assert mara.post(back, {"number": "1", "base": "1"}).status_code == 409
    assert mara.post(back, {"number": "1", "base": "2"}).status_code == 302
    assert ValueMapRow.objects.get().theirs == "Thirty"
    assert browser("samir", "operator").post(back, {"number": "0", "base": "3"}).status_code == 403


def test_a_file_is_shown_before_it_is_taken(mara: Client, target: Target) -> None:
    mara.post(page("values", target), {"table": "payment_terms", "ours": "NET30", "theirs": "Thirty"})
    exported = mara.get(page("file", target))
    assert "attachment" in exported["Content-Disposition"] and b"Thirty" in exported.content
    url = page("import", target)
    changed = exported.content.replace(b"Thirty", b"Forty")
    shown = mara.post(url, {"file": SimpleUploadedFile("mapping.yaml", changed)})
    assert shown.status_code == 200 and "1 row would change" in shown.content.decode()
    assert ValueMapRow.objects.get().theirs == "Thirty", "a look changes nothing"
    taken = {"go": "1", "base": str(shown.context["base"]), "content": shown.context["content"]}
    assert mara.post(url, taken).status_code == 302
    assert ValueMapRow.objects.get().theirs == "Forty"
    for bad in (b"\xff\xfe\x00", b"values: [", b"connector: s4hana"):
        assert mara.post(url, {"file": SimpleUploadedFile("x.yaml", bad)}).status_code == 422
    assert browser("samir", "operator").get(url).status_code == 403


def test_a_field_gets_a_rule_of_the_target(mara: Client, target: Target) -> None:
    url = page("field", target)
    where = {"type": "supplier", "field": "website"}
    assert "from: website" in read(mara, url + "?type=supplier&field=website")
    mara.post(url, {**where, "rule": "length: 80", "note": "as agreed"})
    assert FieldRule.objects.get().rule == {"length": 80}
    assert "This target&#x27;s own" in read(mara, page("", target))
    mara.post(url, {**where, "leave_out": "1"})
    assert FieldRule.objects.get().rule is None and "Left out by this target" in read(mara, page("", target))
    mara.post(url, {**where, "rule": ""})
    assert not FieldRule.objects.exists() and MappingVersion.objects.count() == 3
    for bad in ("colour: red", "- a", ": : :"):
        assert mara.post(url, {**where, "rule": bad}).status_code == 422
    assert not FieldRule.objects.exists()
    assert mara.get(url + "?type=supplier&field=nose").status_code == 404
