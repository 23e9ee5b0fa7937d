"""Money spent a year comes with source rows, ranks the duplicates queue and is part of no record."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from mdm import registry
from mdm.errors import CorrectInput
from mdm.models import DuplicatePair, ImportJob, QuarantinedRow, RecordVersion, SourceRecord
from mdm.reading.columns import ColumnMap, guess
from mdm.selectors import records
from mdm.services import crosswalks, loading, merging, quarantine, ranking, spending
from mdm.types import Document
from tests.mdm.test_importing import HEAD, MAPPING, counts, load
from tests.people import actor, auto_approve, supplier, system
from tests.web.test_import_pages import signed_in

pytestmark = pytest.mark.django_db
SPEND = {"spend": "_annual_spend", "cur": "_spend_currency"}


@pytest.fixture
def with_spend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows end with what is spent a year and its currency."""
    monkeypatch.setitem(MAPPING, "columns", {**MAPPING["columns"], **SPEND})  # type: ignore[dict-item]
    monkeypatch.setattr("tests.mdm.test_importing.HEAD", f"{HEAD};spend;cur")


def row(key: str, name: str, spend: str = "", currency: str = "") -> str:
    return f"{key};{name};DE;Werkstr. 1;Berlin;10115;;;;{spend};{currency}"


def source(key: str, document: Document, spend: str = "", currency: str = "") -> Document:
    """What a system says of a record and spends with it."""
    erp = system("erp")
    crosswalks.link(system=erp, type="supplier", key=key, uid=document["uid"])
    SourceRecord.objects.create(
        system=erp, type="supplier", key=key, golden_uid=document["uid"], digest=key, document={}, outcome="new",
        received_at=timezone.now(), spend=Decimal(spend) if spend else None, spend_currency=currency,
    )  # fmt: skip
    return document


def twins(name: str, *spends: tuple[str, str]) -> DuplicatePair:
    site = f"https://{name.lower()}.example"
    made = [
        source(f"{name}{n}", supplier(legal_name=f"{name} {form}", website=site), *spends[n : n + 1][0])
        for n, form in enumerate(("Werke GmbH", "Werke"))
    ]
    uids = [one["uid"] for one in made]
    DuplicatePair.objects.update(ranked_at=None)
    ranking.refresh()
    return DuplicatePair.objects.get(left__in=uids, right__in=uids)


def test_it_is_kept_with_the_source_record_and_nowhere_else(with_spend: None) -> None:
    load(row("1", "Kieswerk Sonnentau GmbH", "1 200 000,50", "eur"))
    source = SourceRecord.objects.get()
    assert (source.spend, source.spend_currency) == (Decimal("1200000.50"), "EUR")
    document = records.current_document("supplier", source.golden_uid)
    assert "spend" not in str(document) and "1200000" not in str(RecordVersion.objects.get().document)
    version = document["version"]
    assert counts(load(row("1", "Kieswerk Sonnentau GmbH", "900", "USD"))) == {"in": 1, "unchanged": 1}
    source.refresh_from_db()
    assert (source.spend, source.spend_currency) == (Decimal("900.00"), "USD")
    assert records.current_document("supplier", source.golden_uid)["version"] == version
    load(row("1", "Kieswerk Sonnentau GmbH"))
    source.refresh_from_db()
    assert (source.spend, source.spend_currency) == (None, "")


@pytest.mark.parametrize(
    ("spend", "currency", "cause"), [("much", "EUR", "invalid_number"), ("5", "Euro", "invalid_currency")]
)
def test_a_row_that_says_no_number_is_put_aside_and_corrected(
    with_spend: None, spend: str, currency: str, cause: str
) -> None:
    job = load(row("1", "Kieswerk Sonnentau GmbH", spend, currency))
    assert counts(job) == {"in": 1, "quarantined": 1}
    aside = QuarantinedRow.objects.get()
    assert aside.cause == cause
    quarantine.resubmit(row=aside, values={"spend": "5", "cur": "EUR"}, by=actor("mara", "steward"))
    loading.run(job.pk)
    assert SourceRecord.objects.get().spend == Decimal(5)


def test_the_queue_goes_by_it_and_says_so() -> None:
    much = twins("Sonnentau", ("900000", "EUR"), ("300000", ""))
    nothing = twins("Quarzlicht", ("", ""), ("", ""))
    assert much.ranking["used"] == "used by 1 system, spend 1.2 m EUR" and nothing.ranking["used"] == "used by 1 system"
    assert "spend a year: 1.2 m EUR" in much.ranking["why"][-1]
    assert much.ranking["use"] > nothing.ranking["use"]
    html = signed_in().get(reverse("web:duplicates")).content.decode()
    assert "used by 1 system, spend 1.2 m EUR" in html


def test_what_a_record_brings_into_a_merge_counts_there() -> None:
    pair = twins("Sonnentau", ("1000", "EUR"), ("2000", "EUR"))
    kind, one, two = registry.get("supplier"), str(pair.left), str(pair.right)
    auto_approve("merge")
    merging.propose(kind=kind, survivor=one, losers=[two], by=actor("mara", "steward"), origin="merge")
    assert spending.of(kind, [one, two]) == {one: {"EUR": Decimal(3000)}}
    SourceRecord.objects.filter(spend=2000).update(active=False)
    assert spending.of(kind, [one]) == {one: {"EUR": Decimal(1000)}}, (
        "a system that has it no more spends nothing there"
    )


def test_other_currencies_count_by_their_rate_and_without_one_are_only_told(settings: Any) -> None:
    settings.SPEND_RATES = {"USD": 0.5}
    amounts = {"EUR": Decimal(1000), "USD": Decimal(2000), "JPY": Decimal(5_000_000)}
    assert spending.worth(amounts) == 2000
    assert spending.in_short(amounts) == "spend 2 k EUR"
    assert spending.in_words(amounts)[1] == "spend a year: 5 m JPY (no rate is set: not counted)"
    assert spending.in_short({"JPY": Decimal(5_000_000)}) == "spend 5 m JPY"
    rank = [ranking.Use(spend={code: Decimal(5000)}).weight for code in ("EUR", "USD", "JPY")]
    assert rank[0] > rank[1] > rank[2] == ranking.Use().weight == 1


def test_a_record_type_nothing_is_spent_with_knows_no_such_column() -> None:
    kind = registry.get("payment_term")
    assert not kind.spends
    spec = {"key": "id", "columns": {"name": "name", "code": "code", "spend": "_annual_spend"}}
    with pytest.raises(CorrectInput) as refused:
        ColumnMap(spec, kind)
    assert any(problem.code == "unknown_path" for problem in refused.value.problems)


def test_headings_that_say_it_are_recognised_and_a_constant_gives_the_currency() -> None:
    kind = registry.get("supplier")
    found = guess(kind, ["Supplier No", "Supplier Name", "Annual Spend", "Spend Currency"])["columns"]
    assert (found["Annual Spend"], found["Spend Currency"]) == ("_annual_spend", "_spend_currency")
    spec = {
        "key": "id",
        "const": {"_spend_currency": "chf"},
        "columns": {"name": "legal_name", "spend": "_annual_spend"},
    }
    spend, problems = ColumnMap(spec, kind).facts.spend({"spend": "7"})
    assert spend and (spend.currency, problems) == ("CHF", [])


def test_a_row_over_rest_may_say_it() -> None:
    from tests.api.callers import caller

    auto_approve("import")
    system("erp")
    line = b'{"system": "erp", "key": "7", "legal_name": "Kieswerk", "country": "DE", "_annual_spend": "12"}'
    by = caller("steward")
    answer = by.post("/api/v1/suppliers/bulk/", line, content_type="application/x-ndjson")
    assert answer.status_code == 202, answer.content
    loading.run(ImportJob.objects.get().pk)
    assert SourceRecord.objects.get().spend == Decimal(12)
