"""Files become records: every row is accounted for, twice is once, bad rows wait in quarantine, nothing is lost."""

from __future__ import annotations

import io
import json

import pytest

from mdm.errors import CorrectInput, NotAllowed
from mdm.models import (
    ChangeRequest,
    Crosswalk,
    DuplicatePair,
    ImportJob,
    KeySnapshot,
    QuarantinedRow,
    SourceRecord,
    UploadChunk,
)
from mdm.selectors import records
from mdm.services import changes, importing, indexing, loading, quarantine, snapshots
from suppliers.models import Supplier
from tests.people import actor, auto_approve, make, supplier, system

pytestmark = pytest.mark.django_db

MAPPING = {
    "key": "id",
    "columns": {
        "name": "legal_name",
        "country": "country",
        "street": "addresses[registered].lines[0]",
        "city": "addresses[registered].city",
        "zip": "addresses[registered].postal_code",
        "vat": "tax_registrations[VAT].number",
        "iban": "bank_accounts[0].iban",
        "terms": "payment_terms",
    },
}
HEAD = "id;name;country;street;city;zip;vat;iban;terms"


def receive(*rows: str, code: str = "erp", start: bool = True, by=None) -> ImportJob:
    data = "\n".join([HEAD, *rows]).encode()
    return importing.receive(
        system=system(code),
        type="supplier",
        file_name="suppliers.csv",
        stream=io.BytesIO(data),
        by=by or actor("mara", "steward"),
        mapping=MAPPING,
        start=start,
    )


def load(*rows: str, code: str = "erp") -> ImportJob:
    auto_approve("import")
    job = receive(*rows, code=code)
    loading.run(job.pk)
    job.refresh_from_db()
    assert sum(job.counts[name] for name in ImportJob.OUTCOMES) == job.counts["in"]
    return job


def counts(job: ImportJob) -> dict[str, int]:
    return {name: number for name, number in job.counts.items() if number}


ACME = "1;Acme Werkzeuge GmbH;DE;Hauptstr. 5;Berlin;10115;DE136695976;DE89370400440532013000;"


def test_a_row_becomes_a_golden_record_with_its_key_source_and_provenance():
    job = load(ACME)
    assert (job.state, counts(job)) == ("done", {"in": 1, "new": 1})
    row = Crosswalk.objects.get(system__code="erp", key="1")
    document = records.current_document("supplier", row.uid)
    assert (document["legal_name"], document["addresses"][0]["city"]) == ("Acme Werkzeuge GmbH", "Berlin")
    assert document["tax_registrations"][0]["country"] == "DE"  # taken from the record, the file names it once
    assert (document["bank_accounts"][0]["iban"]["last4"], row.primary) == ("3000", True)
    from mdm.models import Provenance

    assert Provenance.objects.get(uid=row.uid).fields["legal_name"]["system"] == "erp"
    assert SourceRecord.objects.get(key="1").golden_uid == row.uid
    assert UploadChunk.objects.count() == 0


def test_the_same_file_twice_changes_nothing():
    load(ACME, "2;Beta SARL;FR;1 rue X;Lyon;69001;;;")
    job = load(ACME, "2;Beta SARL;FR;1 rue X;Lyon;69001;;;")
    assert counts(job) == {"in": 2, "unchanged": 2}
    assert Supplier.objects.count() == 2
    assert set(Supplier.objects.values_list("version", flat=True)) == {1}


def test_a_changed_row_updates_its_record():
    load(ACME)
    job = load(ACME.replace("Hauptstr. 5", "Neue Str. 9"))
    assert counts(job) == {"in": 1, "updated": 1}
    document = records.current_document("supplier", Supplier.objects.get().uid)
    assert (document["addresses"][0]["lines"], document["version"]) == (["Neue Str. 9"], 2)


def test_the_same_supplier_from_another_system_is_linked_not_doubled():
    load(ACME)
    job = load(
        "X9;ACME WERKZEUGE GMBH;DE;Hauptstrasse 5;BERLIN;10115;DE136695976;DE89370400440532013000;",
        code="buy",
    )
    assert counts(job) == {"in": 1, "linked": 1}
    assert set(Crosswalk.objects.values_list("system__code", "key")) == {("erp", "1"), ("buy", "X9")}
    assert Supplier.objects.count() == 1


def test_what_may_be_a_duplicate_becomes_a_record_and_a_pair_for_people():
    load("1;Acme Werkzeuge GmbH;DE;Hauptstr. 5;Berlin;10115;;;")
    job = load("9;Acme Werkzeug;DE;;Berlin;;;;", code="buy")
    assert counts(job) == {"in": 1, "candidate": 1}
    assert (Supplier.objects.count(), DuplicatePair.objects.get().state) == (2, "open")


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (";No Key GmbH;DE;;;;;;", "missing_key"),
        ("1;;DE;;;;;;", "missing"),
        ("1;Acme;Germany;;;;;;", "invalid_country"),
        ("1;Acme;DE;;;;;DE88370400440532013000;", "invalid_iban"),
        ("1;Acme;DE;;;;;;NET77", "unknown_reference"),
        ("1;Acme;DE", "too_few_columns"),
        (f"1;{'x' * 300};DE;;;;;;", "too_long"),
    ],
)
def test_a_bad_row_waits_in_quarantine_with_its_cause_and_the_others_go_on(row, cause):
    job = load(row, "2;Beta SARL;FR;;;;;;")
    assert counts(job) == {"in": 2, "new": 1, "quarantined": 1}
    kept = job.quarantine.get()
    assert (kept.cause, kept.row, kept.state) == (cause, 1, "open")
    assert Supplier.objects.get().legal_name == "Beta SARL"


def test_two_rows_with_one_key_and_different_content_are_not_guessed_about():
    job = load("1;Acme;DE;;;;;;", "1;Beta;DE;;;;;;", "1;Acme;DE;;;;;;")
    assert counts(job) == {"in": 3, "new": 1, "unchanged": 1, "quarantined": 1}
    assert job.quarantine.get().cause == "duplicate_key"


def test_a_quarantined_row_is_corrected_and_taken_in():
    job = load("1;Acme;Germany;;;;;DE89370400440532013000;")
    row = job.quarantine.get()
    assert quarantine.shown(row)["iban"] == "DE89…3000"
    stan = actor("stan", "steward")
    with pytest.raises(CorrectInput) as refused:
        quarantine.resubmit(row=row, values={"country": "Deutschland"}, by=stan)
    assert refused.value.problems[0].path == "country"
    quarantine.resubmit(row=row, values={"country": "DE", "iban": "DE89…3000"}, by=stan)
    loading.run(job.pk)
    job.refresh_from_db()
    assert (job.state, counts(job)) == ("done", {"in": 1, "new": 1})
    assert (
        records.current_document("supplier", Supplier.objects.get().uid)["bank_accounts"][0]["iban"]["last4"] == "3000"
    )
    row.refresh_from_db()
    assert (row.state, row.resolved_by) == ("resolved", "Stan")


def test_without_a_policy_a_load_waits_for_a_steward_and_then_goes_on():
    job = receive(ACME)
    loading.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.change.state, Supplier.objects.count()) == ("queued", "in_review", 0)
    changes.approve(change=job.change, by=actor("stan", "steward"), content_hash=job.change.content_hash)
    loading.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.change.state, counts(job)) == ("done", "applied", {"in": 1, "new": 1})


def test_a_rejected_load_writes_no_record():
    job = receive(ACME)
    loading.run(job.pk)
    changes.reject(
        change=job.change,
        by=actor("stan", "steward"),
        content_hash=job.change.content_hash,
        comment="Wrong file.",
    )
    loading.run(job.pk)
    job.refresh_from_db()
    assert (job.state, Supplier.objects.count()) == ("failed", 0)
    assert "rejected" in job.error


def test_a_worker_killed_between_chunks_loses_and_doubles_nothing(settings, monkeypatch):
    settings.IMPORT_CHUNK = 2
    auto_approve("import")
    job = receive(*(f"{n};Firm number {n} of {n * 7} Street;DE;;;;;;" for n in range(1, 8)))
    from mdm.services.resolving import Resolver

    real, calls = Resolver.resolve, []

    def dies_in_the_second(self, rows):
        result = real(self, rows)
        calls.append(len(rows))
        if len(calls) == 2:
            raise KeyboardInterrupt  # as a kill would: nothing after the write runs, the transaction is gone
        return result

    monkeypatch.setattr(Resolver, "resolve", dies_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        loading.run(job.pk)
    job.refresh_from_db()
    assert (job.rows_in, job.state) == (2, "running")
    monkeypatch.setattr(Resolver, "resolve", real)
    assert loading.run(job.pk) is None  # somebody may still be at it: its last sign of life is fresh
    ImportJob.objects.filter(pk=job.pk).update(beat_at=None)
    loading.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.rows_in, Supplier.objects.count(), Crosswalk.objects.count()) == ("done", 7, 7, 7)


def test_a_bank_change_that_policy_leaves_to_people_is_asked_for_not_applied():
    from mdm.models import ApprovalPolicy

    ApprovalPolicy.objects.create(name="bank", paths=["bank_accounts"], actions=["update"])
    load("1;Acme Werkzeuge GmbH;DE;Hauptstr. 5;Berlin;10115;;;")
    job = load(ACME.replace("DE136695976", ""))
    assert counts(job) == {"in": 1, "updated": 1}
    document = records.current_document("supplier", Supplier.objects.get().uid)
    assert (document["bank_accounts"], document["version"]) == ([], 1)
    request = ChangeRequest.objects.get(origin="survivorship")
    assert (request.state, request.kind) == ("in_review", "bank")


def test_people_beat_sources_and_the_better_source_beats_the_other():
    system("erp", rank=10)
    system("buy", rank=20)
    load("1;Acme Werkzeuge GmbH;DE;Hauptstr. 5;Berlin;10115;DE136695976;;")
    load("7;ACME Werkzeuge GmbH;DE;Hauptstr. 5;Berlin;10115;DE136695976;;", code="buy")
    uid = str(Supplier.objects.get().uid)
    assert records.current_document("supplier", uid)["legal_name"] == "Acme Werkzeuge GmbH"
    from tests.people import propose

    change = propose(records.current_document("supplier", uid), actor("rita", "requester"), legal_name="Acme SE")
    changes.approve(change=change, by=actor("stan", "steward"), content_hash=change.content_hash)
    load("1;Acme Werkzeuge KG;DE;Hauptstr. 5;Berlin;10115;DE136695976;;")
    assert records.current_document("supplier", uid)["legal_name"] == "Acme SE"


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02\x03" * 100, b"PK\x03\x04 not really a zip"])
def test_a_file_nobody_can_read_is_refused_whole_and_nothing_is_kept(data):
    with pytest.raises(CorrectInput):
        importing.receive(
            system=system("erp"),
            type="supplier",
            file_name="a.csv",
            stream=io.BytesIO(data),
            by=actor("mara", "steward"),
        )
    assert ImportJob.objects.count() == 0


def test_loading_needs_the_right_to_propose():
    with pytest.raises(NotAllowed):
        receive(ACME, by=actor("jonas", "auditor"))


def test_a_known_reference_is_taken_and_a_merged_key_leads_to_the_survivor():
    make("payment_term", code="NET30", name="30 days", net_days=30)
    job = load(ACME + "NET30")
    assert counts(job) == {"in": 1, "new": 1}
    assert Supplier.objects.get().payment_terms == "NET30"


def test_the_row_as_received_is_sealed():
    job = load("1;Acme;Germany;;;;;DE89370400440532013000;")
    raw = bytes(QuarantinedRow.objects.get(job=job).raw)
    assert b"DE89370400440532013000" not in raw
    assert json.dumps(quarantine.values_of(job.quarantine.get())).count("DE89370400440532013000") == 1


def test_records_entered_by_hand_are_found_by_the_next_load():
    supplier(
        legal_name="Acme Werkzeuge GmbH",
        tax_registrations=[{"country": "DE", "scheme": "VAT", "number": "DE136695976"}],
        addresses=[
            {
                "kind": "registered",
                "lines": ["Hauptstr. 5"],
                "city": "Berlin",
                "postal_code": "10115",
                "country": "DE",
            }
        ],
    )
    assert counts(load(ACME)) == {"in": 1, "linked": 1}


def test_a_filling_hub_counts_anew_between_chunks_and_tells_what_that_flips_first(settings, monkeypatch):
    settings.IMPORT_CHUNK = 4
    monkeypatch.setattr(indexing, "_FEW", 4)
    real, seen = snapshots.flips_between, []

    def told(*args):
        seen.append(KeySnapshot.objects.count())
        return real(*args)

    monkeypatch.setattr(snapshots, "flips_between", told)
    twice = [f"{n};Nordlicht Papier {n // 2} GmbH;DE;Weg {n // 2};Berlin;10115;;;" for n in range(12)]
    job = load(*twice)
    rows = list(job.snapshots.order_by("pk"))
    assert len(rows) > 1 and rows[0].total < rows[-1].total
    assert seen == list(range(len(rows))), "each is told before it is in force"
    assert all(row.report["after_total"] == row.total for row in rows)
