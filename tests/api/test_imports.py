"""Files and bulk bodies over REST: jobs, counts, refused rows, and what is wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from mdm.models import ApprovalPolicy, ImportJob, System
from mdm.services import indexing, loading
from tests.api import contract
from tests.api.callers import IBAN, Caller, make_record

pytestmark = pytest.mark.django_db
BROKEN = Path(__file__).parents[2] / "suppliers/demo/extracts/broken"
CSV = f"Key;Name;Land;Konto\nA1;Alpha GmbH;DE;{IBAN}\nA2;;DE;\nA3;Gamma SARL;FR;\n".encode()
MAPPING = {
    "key": "Key",
    "columns": {"Name": "legal_name", "Land": "country", "Konto": "bank_accounts[0].iban"},
}


@pytest.fixture(autouse=True)
def systems(db):
    System.objects.create(code="coupa", title="Coupa", mark="CP")
    ApprovalPolicy.objects.create(name="Loads", origins=["import"], auto_approve=True)


def upload(by: Caller, content: bytes, name: str = "file.csv", key: str = "", **fields):
    data = {"system": "coupa", "type": "suppliers", "mapping": json.dumps(MAPPING), **fields}
    data = {k: v for k, v in data.items() if v is not None}
    headers = {"Idempotency-Key": key} if key else {}
    answer = by.post("/api/v1/imports/", {**data, "file": SimpleUploadedFile(name, content)}, headers=headers)
    contract.check("POST", "/api/v1/imports/", answer)
    return answer


def run(uid: str) -> None:
    loading.run(ImportJob.objects.get(uid=uid).pk)


def test_a_file_becomes_a_job_whose_counts_add_up(steward):
    answer = upload(steward, CSV)
    assert answer.status_code == 202, answer.content
    uid = answer.json()["uid"]
    assert answer["Location"].endswith(f"/imports/{uid}/") and answer.json()["state"] == "queued"
    run(uid)
    body = steward.read(f"imports/{uid}/").json()
    counts = body["counts"]
    assert body["state"] == "done" and body["progress"] == 1.0
    assert counts["in"] == 3 == sum(n for name, n in counts.items() if name != "in")
    assert counts["new"] == 2 and counts["quarantined"] == 1
    [row] = steward.read("crosswalks/?system=coupa&key=A1").json()["results"]
    assert steward.read(f"suppliers/{row['uid']}/").json()["legal_name"] == "Alpha GmbH"
    assert steward.read("imports/?system=coupa&state=done").json()["results"][0]["uid"] == uid


def test_an_import_reports_what_counting_anew_flipped(steward):
    uid = upload(steward, CSV).json()["uid"]
    run(uid)
    assert steward.read(f"imports/{uid}/").json()["recounts"] == []
    report = {"pairs": 5, "flips": 3, "bands": {"review>none": 3}}
    job = ImportJob.objects.get(uid=uid)
    indexing.keep_snapshot("supplier", indexing.count("supplier"), cause="grown", report=report, job=job)
    [told] = steward.read(f"imports/{uid}/").json()["recounts"]
    assert {name: told[name] for name in report} == report and told["records"] == 2


def test_a_refused_row_is_corrected_or_dismissed(steward):
    content = CSV.replace(b"A3;Gamma SARL;FR;", b"A3;;FR;" + IBAN.encode())
    uid = upload(steward, content).json()["uid"]
    run(uid)
    page = steward.read(f"imports/{uid}/problems/")
    [one, two] = page.json()["results"]
    assert one["row"] == 2 and one["errors"][0]["code"] and one["raw"]["Key"] == "A2"
    assert IBAN not in page.content.decode() and two["raw"]["Konto"].startswith("DE89")
    root = f"imports/{uid}/problems"
    again = steward.post_json(f"{root}/{one['uid']}/resubmit/", {"values": {"Land": "FR"}})
    assert again.status_code == 400
    done = steward.post_json(f"{root}/{one['uid']}/resubmit/", {"values": {"Name": "Beta GmbH"}})
    assert done.status_code == 200 and done.json()["state"] == "resolved", done.content
    run(uid)
    left = steward.post_json(f"{root}/{two['uid']}/dismiss/", {"reason": "A test row."})
    assert left.json()["state"] == "dismissed"
    assert steward.read(f"{root}/?state=open").json()["results"] == []
    assert steward.post_json(f"{root}/{two['uid']}/dismiss/", {"reason": "Again."}).status_code == 409


def test_the_same_upload_under_its_key_is_one_job(steward):
    first, again = upload(steward, CSV, key="u1"), upload(steward, CSV, key="u1")
    assert again["Idempotent-Replayed"] == "true" and first.json()["uid"] == again.json()["uid"]
    assert upload(steward, CSV + b"A4;Delta;DE;\n", key="u1").status_code == 422
    assert ImportJob.objects.count() == 1


@pytest.mark.parametrize("name", sorted(p.name for p in BROKEN.iterdir() if p.is_file()))
def test_a_file_that_cannot_be_read_leaves_nothing(steward, name):
    answer = upload(steward, (BROKEN / name).read_bytes(), name)
    assert answer.status_code in (400, 413), answer.content
    assert answer.json()["detail"] and not ImportJob.objects.exists()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"system": "unknown"}, "system"),
        ({"type": None}, "type"),
        ({"mapping": "{"}, "mapping"),
        ({"mapping": "[]"}, "mapping"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_form_that_is_wrong(steward, fields, path):
    answer = upload(steward, CSV, **fields)
    assert answer.status_code == 400 and path in [e["path"] for e in answer.json()["errors"]], answer.content


def test_a_form_without_its_file(steward):
    answer = steward.post("/api/v1/imports/", {"system": "coupa", "type": "suppliers"})
    assert answer.status_code == 400 and answer.json()["errors"][0]["path"] == "file"


@pytest.mark.parametrize(
    "media", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize("body", [b"", b"nonsense", b"--x"])
def test_a_form_that_is_broken(steward, media, body):
    answer = steward.generic("POST", "/api/v1/imports/", body, content_type=media)
    assert answer.status_code in (400, 415) and answer["Content-Type"] == "application/problem+json"


def test_an_upload_that_is_too_large_is_refused_before_it_is_read(steward):
    answer = steward.generic(
        "POST", "/api/v1/imports/", b"x", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH=str(2**40)
    )
    assert answer.status_code == 413


def bulk(by: Caller, lines: list | bytes, query: str = "", media: str = "application/x-ndjson", **headers):
    content = lines if isinstance(lines, bytes) else b"\n".join(json.dumps(line).encode() for line in lines)
    path = f"/api/v1/suppliers/bulk/{query}"
    answer = by.generic("POST", path, content, content_type=media, headers=headers)
    contract.check("POST", path, answer)
    return answer


def test_documents_in_bulk(steward):
    make_record("payment_term", code="NET30")
    lines = [
        {
            "system": "coupa",
            "key": "B1",
            "legal_name": "Alpha GmbH",
            "country": "DE",
            "payment_terms": "NET30",
            "trade_names": ["Al", "Pha"],
            "addresses": [
                {"kind": "registered", "lines": ["Weg 1", "Hof"], "city": "Ulm"},
                {"kind": "remit_to", "city": "Bonn"},
            ],
            "bank_accounts": [{"iban": IBAN}],
        },
        {"system": "coupa", "key": "B2", "country": "FR"},
        {"system": "coupa", "key": "B3", "legal_name": "Gamma", "country": "FR"},
    ]
    answer = bulk(steward, lines)
    assert answer.status_code == 202, answer.content
    run(answer.json()["uid"])
    body = steward.read(f"imports/{answer.json()['uid']}/").json()
    assert body["counts"]["new"] == 2 and body["counts"]["quarantined"] == 1, body
    [row] = steward.read("crosswalks/?system=coupa&key=B1").json()["results"]
    document = steward.read(f"suppliers/{row['uid']}/").json()
    assert document["trade_names"] == ["Al", "Pha"] and document["payment_terms"] == "NET30"
    assert {a["kind"]: a["lines"] for a in document["addresses"]}["registered"] == ["Weg 1", "Hof"]
    assert document["bank_accounts"][0]["iban"] == "DE89…3000"


def test_a_field_that_only_later_lines_have(steward):
    """Readers guess the columns of a file from its beginning; documents may differ line by line."""
    lines = [{"system": "coupa", "key": f"B{n}", "legal_name": f"Firma {n}"} for n in range(300)]
    lines[280]["website"] = "example.org"
    answer = bulk(steward, lines)
    assert answer.status_code == 202, answer.content
    run(answer.json()["uid"])
    [row] = steward.read("crosswalks/?system=coupa&key=B280").json()["results"]
    assert steward.read(f"suppliers/{row['uid']}/").json()["website"] == "example.org"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([{"key": "B1", "legal_name": "A"}], "missing"),
        ([{"system": "coupa", "key": "1"}, {"system": "other", "key": "2"}], "several_systems"),
        ([{"system": "coupa", "key": "1", "legal_name": "A", "colour": "red"}], "extra_forbidden"),
        ([{"system": "nobody", "key": "1", "legal_name": "A"}], "unknown_system"),
    ],
)
def test_a_bulk_body_that_is_wrong(steward, lines, code):
    answer = bulk(steward, lines)
    assert answer.status_code == 400 and answer.json()["errors"][0]["code"] == code, answer.content
    assert not ImportJob.objects.exists()


@pytest.mark.parametrize("content", [b"\n\n", b"not json", b"\x00\x01", b"[]"])
def test_a_bulk_body_that_cannot_be_read(steward, content):
    assert bulk(steward, content, "?system=coupa").status_code in (202, 400)


def test_rows_in_bulk_by_the_mapping_kept_for_the_system(steward):
    upload(steward, CSV)
    answer = bulk(steward, CSV.replace(b"A1", b"C1"), "?system=coupa", "text/csv")
    assert answer.status_code == 202, answer.content
    assert bulk(steward, CSV, "?system=coupa", "application/json").status_code == 415


def test_documents_in_bulk_leave_the_mapping_of_files_alone(steward):
    upload(steward, CSV)
    bulk(steward, [{"system": "coupa", "key": "B1", "legal_name": "Alpha"}])
    assert upload(steward, CSV.replace(b"A1", b"D1"), mapping=None).status_code == 202


def test_who_may_not_propose_may_not_import():
    from tests.api.callers import caller

    assert upload(caller("auditor"), CSV).status_code == 403
    assert upload(caller("requester", scopes=["propose:payment-terms", "read:*"]), CSV).status_code == 403
