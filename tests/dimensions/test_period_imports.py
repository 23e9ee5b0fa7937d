"""Files with several rows per key: the periods of one source record, in any order and over any chunks."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from dimensions.models import CostCenter, ProfitCenter
from mdm.models import ChangeRequest, ImportJob, QuarantinedRow, RecordVersion, SourceRecord
from mdm.selectors import records
from mdm.services import changes, importing, loading, quarantine, rehearsal
from mdm.web import import_outcome
from tests.people import actor, auto_approve, make, system
from tests.web.visitors import browser, read

pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 15)
MAPPING = {
    "key": "id",
    "const": {"legal_entity": "NH10"},
    "columns": {
        "name": "name",
        "category": "category",
        "person": "responsible",
        "from": "valid_from",
        "to": "valid_to",
    },
}
HEAD = "id;name;category;person;from;to"


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> Any:
    now = [TODAY]
    monkeypatch.setattr(timezone, "localdate", lambda value=None, timezone=None: now[0])
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")
    return lambda new: now.__setitem__(0, new)


def received(*rows: str, head: str = HEAD, start: bool = True, mapping: Any = None) -> ImportJob:
    auto_approve("import")
    return importing.receive(
        system=system("erp"), type="cost_center", file_name="centers.csv",
        stream=io.BytesIO("\n".join([head, *rows]).encode()), by=actor("mara", "steward"),
        mapping=mapping or MAPPING, start=start,
    )  # fmt: skip


def load(*rows: str, **more: Any) -> dict[str, int]:
    job = received(*rows, **more)
    loading.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    assert job.counts["in"] == len(rows) == job.rows_total
    assert sum(job.counts[name] for name in ImportJob.OUTCOMES) == job.counts["in"]
    return {name: number for name, number in job.counts.items() if number and name != "in"}


def timeline() -> list[tuple[Any, ...]]:
    document = records.current_document("cost_center", CostCenter.objects.get().uid)
    return [(s["valid_from"], s["valid_to"], s["name"], s["responsible"]) for s in document["slices"]]


THREE = ("C1;Old;sales;Ida;2024-01-01;2025-01-01", "C1;Mid;sales;Ida;2025-01-01;", "C1;New;sales;Bea;2026-01-01;")
SHOWN = [
    ("2024-01-01", "2025-01-01", "Old", "Ida"), ("2025-01-01", "2026-01-01", "Mid", "Ida"), ("2026-01-01", None, "New", "Bea"),
]  # fmt: skip


@pytest.mark.parametrize("chunk", [1, 2, 1000])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_rows_of_one_key_are_its_periods_in_any_order_over_any_chunks(settings: Any, chunk: int, order: Any) -> None:
    settings.IMPORT_CHUNK = chunk
    assert load(*(THREE[place] for place in order)) == {"new": 3}
    assert timeline() == SHOWN and CostCenter.objects.get().name == "New"
    assert SourceRecord.objects.count() == 1


@pytest.mark.parametrize("chunk", [1, 1000])
def test_the_same_file_twice_changes_nothing(settings: Any, chunk: int) -> None:
    settings.IMPORT_CHUNK = chunk
    load(*THREE)
    count, received_at = RecordVersion.objects.count(), SourceRecord.objects.get().received_at
    assert load(*THREE) == {"unchanged": 3} == load(*reversed(THREE))
    assert RecordVersion.objects.count() == count and timeline() == SHOWN
    assert SourceRecord.objects.get().received_at == received_at


def test_a_row_of_a_known_key_is_a_change_from_its_day_on() -> None:
    load(*THREE)
    assert load("C1;Newer;sales;Bea;2026-09-01;") == {"updated": 1}
    assert timeline() == [*SHOWN[:2], ("2026-01-01", "2026-09-01", "New", "Bea"), ("2026-09-01", None, "Newer", "Bea")]
    assert load("C1;For a while;sales;Bea;2026-10-01;2026-11-01") == {"updated": 1}
    assert timeline()[3:] == [
        ("2026-09-01", "2026-10-01", "Newer", "Bea"), ("2026-10-01", "2026-11-01", "For a while", "Bea"),
        ("2026-11-01", None, "Newer", "Bea"),
    ]  # fmt: skip


def test_a_row_that_begins_with_a_known_period_says_anew_when_it_ends() -> None:
    load(*THREE)
    assert load("C1;New;sales;Bea;2026-01-01;2026-12-31") == {"updated": 1}
    assert timeline() == [*SHOWN[:2], ("2026-01-01", "2026-12-31", "New", "Bea")]
    assert load("C1;New;sales;Bea;2026-01-01;9999-12-31") == {"updated": 1}
    assert timeline() == SHOWN


def test_without_days_a_new_key_has_always_been_so_and_a_known_one_is_so_from_today(day: Any) -> None:
    plain = {**MAPPING, "columns": {"name": "name", "category": "category", "person": "responsible"}}
    head = "id;name;category;person"
    assert load("C1;Old;sales;Ida", head=head, mapping=plain) == {"new": 1}
    assert timeline() == [(None, None, "Old", "Ida")]
    assert load("C1;New;sales;Ida", head=head, mapping=plain) == {"updated": 1}
    assert timeline() == [(None, "2026-06-15", "Old", "Ida"), ("2026-06-15", None, "New", "Ida")]
    day(date(2026, 6, 20))
    assert load("C1;New;sales;Ida", head=head, mapping=plain) == {"unchanged": 1}


@pytest.mark.parametrize("chunk", [1, 1000])
def test_a_row_that_speaks_of_the_days_of_another_waits_in_quarantine(settings: Any, chunk: int) -> None:
    settings.IMPORT_CHUNK = chunk
    rows = (*THREE, "C1;Overlap;sales;Ida;2024-06-01;", "C1;Twice;sales;Ida;2026-01-01;", THREE[0])
    assert load(*rows) == {"new": 3, "quarantined": 2, "unchanged": 1}
    assert timeline() == SHOWN
    first, second = QuarantinedRow.objects.order_by("row")
    assert (first.cause, second.cause) == ("overlap", "overlap")
    assert (
        "Row 1 of the same key speaks of the same days (from 2024-01-01 to 2025-01-01)" in first.problems[0]["message"]
    )
    job = first.job
    words = b"".join(import_outcome.chunks(job)).decode()
    assert words.count("New record") == 3 or words.count("C1") == len(rows) - 1  # every row but the repeated one
    quarantine.resubmit(row=second, values={"from": "2026-09-01"}, by=actor("mara", "steward"))
    loading.run(job.pk)
    job.refresh_from_db()
    assert job.counts["in"] == 6 and sum(job.counts[name] for name in ImportJob.OUTCOMES) == 6
    assert timeline()[2:] == [("2026-01-01", "2026-09-01", "New", "Bea"), ("2026-09-01", None, "Twice", "Ida")]


def test_a_row_without_days_beside_others_holds_since_ever() -> None:
    assert load("C1;Old;sales;Ida;;", "C1;New;sales;Bea;2026-01-01;") == {"new": 2}
    assert timeline() == [(None, "2026-01-01", "Old", "Ida"), ("2026-01-01", None, "New", "Bea")]


def test_a_rehearsal_says_what_a_run_does() -> None:
    rows = (*THREE, "C1;Overlap;sales;Ida;2024-06-01;", "C2;Other;sales;;;")
    job = received(*rows, start=False)
    by = actor("mara", "steward")
    found = rehearsal.rehearse(job=job, mapping=MAPPING, by=by)
    assert dict(found.counts) == {"new": 4, "quarantined": 1} == load(*rows)
    assert not ChangeRequest.objects.filter(state="in_review").exists()
    again = rehearsal.rehearse(job=received(*THREE, start=False), mapping=MAPPING, by=by)
    assert dict(again.counts) == {"unchanged": 3}


def test_a_killed_load_goes_on_and_counts_every_row_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IMPORT_CHUNK = 2
    rows = [*THREE, "C2;A;sales;;2024-01-01;", "C2;B;sales;;2025-01-01;"]
    job = received(*rows)
    keep, calls = loading._stage, []

    def dies(*args: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("killed")
        keep(*args)

    monkeypatch.setattr(loading, "_stage", dies)
    with pytest.raises(RuntimeError):
        loading.run(job.pk)
    monkeypatch.setattr(loading, "_stage", keep)
    loading.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.counts["in"], job.counts["new"], job.rows_total) == ("done", 5, 5, 5)


def test_a_source_that_closes_what_others_use_asks_people() -> None:
    auto_approve("import")
    mapping = {"key": "id", "columns": {"name": "name", "from": "valid_from", "to": "valid_to"}}

    def send(row: str) -> None:
        job = importing.receive(
            system=system("erp"), type="profit_center", file_name="p.csv", stream=io.BytesIO(f"id;name;from;to\n{row}".encode()),
            by=actor("mara", "steward"), mapping=mapping,
        )  # fmt: skip
        loading.run(job.pk)

    send("P1;Pumps;2024-01-01;")
    row = ProfitCenter.objects.get()
    make("cost_center", name="Foundry", legal_entity="NH10", category="production", profit_center=row.code)
    send("P1;Pumps;2024-01-01;2026-12-31")
    row.refresh_from_db()
    assert (row.valid_to, row.version) == (None, 1)
    asked = ChangeRequest.objects.get(state="in_review")
    assert asked.risk_flags[0]["code"] == "still_used" and "The sources close it" in asked.risk_flags[0]["message"]
    approved = changes.approve(change=asked, by=actor("stan", "steward"), content_hash=asked.content_hash)
    row.refresh_from_db()
    assert approved.state == "applied" and row.valid_to == date(2026, 12, 31)


def test_the_page_says_what_the_file_will_do() -> None:
    job, mara = received(*THREE, start=False), browser("mara", "steward")
    url = reverse("web:import-map", args=[job.uid])
    page = read(mara, url)
    assert "Rows of one key are its periods" in page and "the first day on which it does not hold" in page
    form = {
        f"map-{n}": path for n, path in enumerate(["key", "name", "category", "responsible", "valid_from", "valid_to"])
    }
    shown: Any = mara.post(url, {**form, "const-legal_entity": "NH10", "action": "preview"})
    assert "1 key with several rows gets periods" in shown.content.decode()
    plain: Any = mara.post(url, {**form, "map-4": "", "map-5": "", "const-legal_entity": "NH10", "action": "preview"})
    assert "what differs holds from today on" in plain.content.decode()
