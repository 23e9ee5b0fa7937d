"""Imports in the browser: from the file to the last corrected row, nothing lost, nothing shown that must not be."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mdm.models import ChangeRequest, ImportJob, QuarantinedRow, SourceRecord
from mdm.services import importing, indexing, loading
from suppliers.models import Supplier
from tests.people import actor, auto_approve, person, system

pytestmark = pytest.mark.django_db

IBAN = "DE89370400440532013000"
MAPPING = {
    "key": "id",
    "columns": {"name": "legal_name", "country": "country", "iban": "bank_accounts[0].iban", "terms": "payment_terms"},
}
HEAD = "id;name;country;iban;terms"
GOOD = f"1;Acme Werkzeuge GmbH;DE;{IBAN};"
BAD = f"2;Beta SARL;Frankreich;{IBAN};"
WORSE = "3;;DE;;NET99"
LIST_QUERIES = 16


def signed_in(name: str = "mara", *roles: str) -> Client:
    client = Client()
    client.force_login(person(name, *(roles or ("steward",))))
    return client


@pytest.fixture
def mara() -> Client:
    return signed_in()


def file(*rows: str, name: str = "suppliers.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, "\n".join([HEAD, *rows]).encode())


def received(*rows: str, start: bool = False) -> ImportJob:
    stream = io.BytesIO("\n".join([HEAD, *rows]).encode())
    return importing.receive(
        system=system("erp"), type="supplier", file_name="suppliers.csv", stream=stream, by=actor("mara", "steward"),
        mapping=MAPPING, start=start,
    )  # fmt: skip


def loaded(*rows: str) -> ImportJob:
    auto_approve("import")
    job = received(*rows, start=True)
    loading.run(job.pk)
    job.refresh_from_db()
    return job


def choices(html: str) -> dict[str, str]:
    """What the mapping page would post as it stands."""
    found = dict(re.findall(r'<select[^>]* name="(map-\d+)".*?<option value="([^"]*)" selected', html, re.DOTALL))
    return found | {"const-path": "", "const-value": ""}


def grid(html: str) -> dict[str, str]:
    """Every cell of the quarantine grid as it stands."""
    import html as entities

    cells = re.findall(r'<input class="input is-\w+" name="(cell-[^"]+)" value="([^"]*)"', html)
    return {entities.unescape(name): entities.unescape(value) for name, value in cells}


# --- who may ----------------------------------------------------------------------------------------------------------


def test_empty_hub_says_what_to_do(mara: Client) -> None:
    html = mara.get(reverse("web:imports")).content.decode()
    assert "No file was imported yet" in html and "Import a file" in html


def test_people_who_may_not_load_see_no_button_and_no_form() -> None:
    job = loaded(GOOD, BAD)
    jonas = signed_in("jonas", "auditor")
    assert "Import a file" not in jonas.get(reverse("web:imports")).content.decode()
    assert jonas.get(reverse("web:import-new")).status_code == 403
    assert jonas.post(reverse("web:import-problems", args=[job.uid])).status_code == 403
    html = jonas.get(reverse("web:import", args=[job.uid])).content.decode()
    assert "readonly" in html and "Resubmit" not in html
    assert signed_in("nobody", "nothing").get(reverse("web:imports")).status_code == 403


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "binary"),
        (b"id;name\n", "no rows"),
        (b"a;a\n1;2\n", "twice"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(mara: Client, content: bytes, words: str) -> None:
    system("erp")
    upload = SimpleUploadedFile("x.csv", content)
    answer = mara.post(reverse("web:import-new"), {"file": upload, "system": "erp", "type": "supplier"})
    html = answer.content.decode()
    assert answer.status_code == 422 and words in html
    assert 'value="erp" selected' in html  # what was chosen is still chosen
    assert ImportJob.objects.count() == 0


def test_a_form_without_file_or_system_says_both(mara: Client) -> None:
    answer = mara.post(reverse("web:import-new"), {"type": "supplier"})
    html = answer.content.decode()
    assert answer.status_code == 422 and "Choose a file." in html and "Choose the system" in html


def test_upload_map_preview_run(mara: Client) -> None:
    auto_approve("import")
    system("erp")
    answer = mara.post(reverse("web:import-new"), {"file": file(GOOD, BAD), "system": "erp", "type": "supplier"})
    url = answer.headers["Location"]
    html = mara.get(url).content.decode()
    assert "Acme Werkzeuge GmbH" in html and IBAN not in html and "DE89…" in html
    posted = choices(html)
    assert posted["map-1"] == "legal_name"  # recognised by its heading
    preview = mara.post(url, posted | {"map-0": "key", "action": "preview"})
    assert preview.status_code == 200 and "All 2 rows, rehearsed" in preview.content.decode()
    assert (SourceRecord.objects.count(), Supplier.objects.count(), ChangeRequest.objects.count()) == (0, 0, 0)
    run = mara.post(url, choices(preview.content.decode()) | {"action": "run"})
    job = ImportJob.objects.get()
    assert run.status_code == 302 and job.state == "queued"
    loading.run(job.pk)
    page = mara.get(reverse("web:import", args=[job.uid])).content.decode()
    assert "2 rows in, 2 outcomes" in page and "Country unknown" in page


def test_a_mapping_without_key_keeps_what_was_chosen(mara: Client) -> None:
    job = received(GOOD)
    url = reverse("web:import-map", args=[job.uid])
    posted = choices(mara.get(url).content.decode()) | {"map-0": "", "map-4": "currency", "action": "run"}
    answer = mara.post(url, posted)
    html = answer.content.decode()
    assert answer.status_code == 422 and "hold the key" in html
    assert re.search(r'name="map-4".*?value="currency" selected', html, re.DOTALL)
    job.refresh_from_db()
    assert job.state == "uploaded"


def test_values_and_constants_of_the_form_become_the_mapping(mara: Client) -> None:
    job = received(GOOD)
    url = reverse("web:import-map", args=[job.uid])
    posted = choices(mara.get(url).content.decode()) | {
        "values-payment_terms": "30 days = NET30\n* = =", "const-path": "currency", "const-value": "EUR", "action": "save",
    }  # fmt: skip
    assert mara.post(url, posted).status_code == 302
    job.refresh_from_db()
    assert job.mapping["values"] == {"payment_terms": {"30 days": "NET30", "*": "="}}
    assert job.mapping["const"] == {"currency": "EUR"}


def test_a_started_import_is_not_mapped_again(mara: Client) -> None:
    job = loaded(GOOD)
    answer = mara.post(reverse("web:import-map", args=[job.uid]), {"action": "run"})
    assert answer.status_code == 302 and answer.headers["Location"] == reverse("web:import", args=[job.uid])


# --- the run ----------------------------------------------------------------------------------------------------------


def test_a_load_that_waits_leads_to_its_request(mara: Client) -> None:
    job = received(GOOD, start=True)
    loading.run(job.pk)
    job.refresh_from_db()
    html = mara.get(reverse("web:import", args=[job.uid])).content.decode()
    assert "wait for approval" in html and reverse("web:request", args=[10_000 + job.change.pk]) in html


def test_progress_goes_on_until_the_run_ends(mara: Client) -> None:
    auto_approve("import")
    job = received(GOOD, start=True)
    url = reverse("web:import-progress", args=[job.uid])
    waiting = mara.get(url, headers={"HX-Request": "true"})
    assert "HX-Refresh" not in waiting.headers and "every 2s" in waiting.content.decode()
    loading.run(job.pk)
    assert mara.get(url, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"


def test_stopping_twice_says_so(mara: Client) -> None:
    job = received(GOOD, start=True)
    url = reverse("web:import-cancel", args=[job.uid])
    assert mara.post(url).status_code == 302
    again = mara.post(url)
    assert again.status_code == 409 and "cancelled already" in again.content.decode()


def test_the_outcome_can_be_fetched_without_bank_numbers(mara: Client) -> None:
    job = loaded(GOOD, BAD, "4;=1+1;DE;;")
    answer = mara.get(reverse("web:import-outcome", args=[job.uid]))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    head, *rows = csv.reader(io.StringIO(text))
    assert head[:6] == ["Row", "What became of it", "Record", "Why", "id", "name"]
    said = {row[4]: row[1] for row in rows}
    assert said == {"1": "New, a record of its own", "2": "In quarantine", "4": "New, a record of its own"}
    assert IBAN not in text and "DE89…3000" in text and ",'=1+1" in text


def test_rows_behind_a_number(mara: Client) -> None:
    job = loaded(GOOD)
    html = mara.get(reverse("web:import", args=[job.uid]), {"outcome": "new"}).content.decode()
    code = Supplier.objects.get().code
    assert code in html and "Acme Werkzeuge GmbH" in html


# --- quarantine -------------------------------------------------------------------------------------------------------


def test_several_rows_are_corrected_at_once_under_one_request(mara: Client) -> None:
    job = loaded(GOOD, BAD, WORSE)
    url = reverse("web:import", args=[job.uid])
    cells = grid(mara.get(url).content.decode())
    assert IBAN not in str(cells)
    beta, third = (str(row.uid) for row in QuarantinedRow.objects.order_by("row"))
    cells |= {f"cell-{beta}-country": "FR", f"cell-{third}-name": "Gamma AG", f"cell-{third}-terms": ""}
    before = ChangeRequest.objects.count()
    answer = mara.post(reverse("web:import-problems", args=[job.uid]), cells | {"action": "resubmit"})
    assert answer.status_code == 302
    assert ChangeRequest.objects.count() == before + 1
    loading.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.quarantined, job.rows_in) == ("done", 0, 3)
    assert Supplier.objects.filter(legal_name__in=["Beta SARL", "Gamma AG"]).count() == 2


def test_what_is_still_wrong_stays_with_everything_typed(mara: Client) -> None:
    job = loaded(BAD, WORSE)
    cells = grid(mara.get(reverse("web:import", args=[job.uid])).content.decode())
    beta, third = (str(row.uid) for row in QuarantinedRow.objects.order_by("row"))
    cells |= {f"cell-{beta}-country": "FR", f"cell-{third}-name": "Gamma AG"}  # its terms are still unknown
    answer = mara.post(reverse("web:import-problems", args=[job.uid]), cells | {"action": "resubmit"})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Gamma AG" in html and "NET99" in html and "1 row accepted" in html
    assert QuarantinedRow.objects.get(uid=beta).state == "resolved"
    assert QuarantinedRow.objects.get(uid=third).state == "open"


def test_nothing_edited_and_nothing_selected_is_no_resubmission(mara: Client) -> None:
    job = loaded(BAD)
    cells = grid(mara.get(reverse("web:import", args=[job.uid])).content.decode())
    answer = mara.post(reverse("web:import-problems", args=[job.uid]), cells | {"action": "resubmit"})
    assert answer.status_code == 422 and "Correct a row" in answer.content.decode()


def test_leaving_out_needs_a_reason(mara: Client) -> None:
    job = loaded(BAD)
    row = QuarantinedRow.objects.get()
    url = reverse("web:import-problems", args=[job.uid])
    asked = {"action": "discard", "uid": str(row.uid)}
    assert mara.post(url, asked).status_code == 422
    assert mara.post(url, asked | {"reason": "A test row"}).status_code == 302
    row.refresh_from_db()
    assert row.state == "dismissed"


def test_a_row_on_its_own_page(mara: Client) -> None:
    job = loaded(BAD)
    row = QuarantinedRow.objects.get()
    url = reverse("web:import-row", args=[job.uid, row.uid])
    html = mara.get(url).content.decode()
    assert IBAN not in html and "DE89…3000" in html and "ISO country" in html
    still = mara.post(url, {f"cell-{row.uid}-country": "Bayern", "action": "resubmit"})
    assert still.status_code == 422 and "Bayern" in still.content.decode()
    fixed = mara.post(url, {f"cell-{row.uid}-country": "FR", f"cell-{row.uid}-iban": "DE89…3000", "action": "resubmit"})
    assert fixed.status_code == 302
    assert SourceRecord.objects.get(key="2").document["bank_accounts"][0]["iban"]["last4"] == "3000"


# --- speed ------------------------------------------------------------------------------------------------------------


def test_the_list_asks_the_same_whatever_its_length(mara: Client) -> None:
    def look() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert mara.get(reverse("web:imports")).status_code == 200
        return len(caught)

    loaded(GOOD)
    look()
    few = look()
    for number in range(8):
        received(f"{number + 10};X{number};DE;;")
    assert look() == few <= LIST_QUERIES


def test_an_import_tells_how_often_it_counted_anew_and_what_that_flipped(mara: Client) -> None:
    job = loaded(GOOD, "9;Nordlicht Papier GmbH;DE;;")
    page = reverse("web:import", args=[job.uid])
    assert "What is rare was counted anew" not in mara.get(page).content.decode()
    example = {"uid": str(job.uid), "left": str(job.uid), "right": str(job.uid), "before": 0.5, "after": 0.0}
    report = {"pairs": 5, "flips": 3, "bands": {"review>none": 3}, "examples": [
        {**example, "before_band": "review", "after_band": "none"}
    ]}  # fmt: skip
    indexing.keep_snapshot("supplier", indexing.count("supplier"), cause="grown", report=report, job=job)
    assert "Once, last over 2 suppliers. 3 known pairs judged otherwise by it." in mara.get(page).content.decode()
    counts = mara.get(reverse("web:matching")).content.decode()
    assert "Pairs the counts in force judge otherwise" in counts and "shown → not shown" in counts
