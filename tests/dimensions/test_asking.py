"""What mappings were asked: counted once however often the counting is begun, killed or done beside; gaps open and close."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dimensions.models import AskedBatch, AskedCode, ChartOfAccounts, MappingGap
from dimensions.services import asking, mappings
from dimensions.services.asking import Asked
from dimensions.web import gaps
from mdm.services import background, crosswalks
from tests.people import actor, make, person, system

ON = date(2026, 6, 15)


def asked(code: str, times: int = 1, on: date = ON, source: str = "GROUP", **context: str) -> Asked:
    return Asked("gl_mapping", source, "LOCAL", context, on, {code: times})


def counts() -> dict[tuple[str, str], int]:
    rows = AskedCode.objects.order_by("code", "context_digest")
    return {(row.code, ",".join(map("=".join, sorted(row.context.items())))): row.times for row in rows}


def gap(code: str) -> MappingGap:
    return MappingGap.objects.get(code=code)


@pytest.mark.django_db
def test_a_call_costs_one_statement_whatever_its_size() -> None:
    for number in (1, 1000):
        uses = [asked(str(code)) for code in range(number)]
        with CaptureQueriesContext(connection) as captured:
            asking.note(uses=uses, gaps=uses, by="Coupa")
        assert len(captured) == 1
    with CaptureQueriesContext(connection) as captured:
        asking.note(uses=[], gaps=[])
    assert len(captured) == 0
    assert AskedBatch.objects.count() == 2 and MappingGap.objects.count() == 1000


@pytest.mark.django_db
def test_uses_are_counted_by_month_and_context() -> None:
    asking.note(uses=[asked("1", 2, legal_entity="NH10"), asked("1", 3, legal_entity="NH10"), asked("1")])
    asking.note(uses=[asked("1", on=date(2026, 7, 1)), asked("2", tax_code="V1", legal_entity="NH10")])
    assert AskedCode.objects.count() == 0
    assert asking.count() == 2
    assert counts() == {("1", "legal_entity=NH10"): 5, ("1", ""): 2, ("2", "legal_entity=NH10,tax_code=V1"): 1}
    assert AskedCode.objects.get(code="1", context={}).last_on == date(2026, 7, 1)
    assert {row.month for row in AskedCode.objects.all()} == {timezone.localdate().replace(day=1)}
    assert asking.count() == 0 and AskedBatch.objects.count() == 0
    asking.note(uses=[asked("2", legal_entity="NH10", tax_code="V1")])
    AskedBatch.objects.update(at=timezone.now() - timedelta(days=70))
    asking.note(uses=[asked("2", legal_entity="NH10", tax_code="V1")])
    asking.count()
    assert sorted(AskedCode.objects.filter(code="2").values_list("times", flat=True)) == [1, 2], "months stay apart"


@pytest.mark.django_db
def test_counting_that_is_broken_off_counts_nothing() -> None:
    asking.note(uses=[asked("1")])
    with pytest.raises(KeyError), transaction.atomic():
        assert asking.count() == 1
        raise KeyError
    assert (AskedBatch.objects.count(), AskedCode.objects.count()) == (1, 0)
    asking.count()
    assert counts() == {("1", ""): 1}


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
def test_many_that_note_and_count_at_once_lose_and_double_nothing() -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(20):
                codes = [str((number + step + code) % 7) for code in range(7)]
                asking.note(uses=[asked(code) for code in codes], gaps=[asked(code) for code in codes], by=str(number))
                asking.count()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    while asking.count():
        pass
    assert failed == []
    assert counts() == {(str(code), ""): 120 for code in range(7)}
    assert {row.times for row in MappingGap.objects.all()} == {120}
    assert set(gap("3").asked_by) == set("012345")


@pytest.mark.django_db
def test_a_gap_keeps_when_how_often_and_by_whom_it_was_asked() -> None:
    asking.note(gaps=[asked("1", 2), asked("1", legal_entity="NH10")], by="Coupa")
    first = gap("1")
    assert (first.times, first.state, first.context, first.on) == (3, "open", {"legal_entity": "NH10"}, ON)
    asking.note(gaps=[asked("1", on=date(2026, 7, 1))], by="SAP")
    again = gap("1")
    assert (again.times, again.context, again.on) == (4, {}, date(2026, 7, 1))
    assert set(again.asked_by) == {"Coupa", "SAP"} and again.first_asked == first.first_asked <= again.last_asked


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "then"), [("open", "open"), ("dismissed", "dismissed"), ("answered", "open")])
def test_asked_again(state: str, then: str) -> None:
    asking.note(gaps=[asked("1")])
    MappingGap.objects.update(state=state, reason="Closed account")
    asking.note(gaps=[asked("1")])
    assert (gap("1").state, gap("1").times, gap("1").reason) == (then, 2, "Closed account")


@pytest.mark.django_db
def test_what_a_refused_call_noted_is_gone_with_it() -> None:
    with pytest.raises(KeyError), transaction.atomic():
        asking.note(uses=[asked("1")], gaps=[asked("1")])
        raise KeyError
    assert (AskedBatch.objects.count(), MappingGap.objects.count()) == (0, 0)


def odd() -> list[Any]:
    return [asked("'; DROP--"), asked('"'), asked("ü\\*"), asked("1", source="")]


@pytest.mark.django_db
def test_any_text_may_be_asked_for() -> None:
    asking.note(uses=odd(), gaps=odd(), by='"\\x')
    asking.count()
    assert {row.code for row in AskedCode.objects.all()} == {row.code for row in MappingGap.objects.all()}
    assert {row.code for row in MappingGap.objects.all()} == {code for one in odd() for code in one.codes}


# --- gaps that close --------------------------------------------------------------------------------------------------


def mapped(source: str, target: str = "5100", **values: Any) -> dict[str, Any]:
    for code in ("GROUP", "LOCAL"):
        if not ChartOfAccounts.objects.filter(code=code).exists():
            make("chart_of_accounts", code=code, name=code)
    given = {"name": source, "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", **values}
    return make("gl_mapping", **given, source=source, target=target)


def states() -> dict[str, str]:
    return dict(MappingGap.objects.order_by("code").values_list("code", "state"))


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> asking._Watch:
    monkeypatch.setattr(mappings, "_KEPT", mappings._Kept())
    fresh = asking._Watch()
    monkeypatch.setattr(asking, "_WATCH", fresh)
    return fresh


@pytest.mark.django_db
def test_a_gap_closes_when_the_mapping_answers_its_day_and_context(
    watch: asking._Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_JUDGED_AT_ONCE", 2)
    asking.note(gaps=[asked("1"), asked("2"), asked("3", legal_entity="NH10"), asked("4"), asked("5")])
    assert watch.answer() == 0
    MappingGap.objects.filter(code="4").update(state="dismissed")
    for code in ("1", "4"):
        mapped(code)
    mapped("2", valid_from="2026-07-01")
    mapped("3", conditions=[{"dimension": "legal_entity", "codes": "NH20"}])
    assert watch.answer() == 1
    assert states() == {"1": "answered", "2": "open", "3": "open", "4": "dismissed", "5": "open"}
    asking.note(gaps=[asked("2", on=date(2026, 7, 1)), asked("3", legal_entity="NH20")])
    mapped("6")
    assert watch.answer() == 2 and watch.answer() == 0
    assert states() == {"1": "answered", "2": "answered", "3": "answered", "4": "dismissed", "5": "open"}


@pytest.mark.django_db
def test_gaps_are_judged_only_when_something_changed(watch: asking._Watch) -> None:
    asking.note(gaps=[asked("1")])
    watch.answer()
    with CaptureQueriesContext(connection) as captured:
        watch.answer()
    assert len(captured) == 2  # which pairs wait, and whether their rows changed


@pytest.mark.django_db
def test_a_missing_key_closes_when_it_is_there(watch: asking._Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    sap, term = system("sap"), make("payment_term", code="NET30", name="30 days", net_days=30)
    asking.note(
        gaps=[
            Asked("payment_term", "", "sap", {}, ON, {"NET30": 1}),
            Asked("payment_term", "", "gone", {}, ON, {"X": 1}),
        ]
    )
    assert watch.answer() == 0
    crosswalks.link(system=sap, type="payment_term", key="N30", uid=term["uid"])
    assert watch.answer() == 0, "keys are looked at every minute only"
    monkeypatch.setattr(asking, "_KEYS_JUDGED_EVERY_S", 0.0)
    assert watch.answer() == 1 and states() == {"NET30": "answered", "X": "open"}


@pytest.mark.django_db
def test_dismissing_takes_a_reason_and_can_be_undone() -> None:
    asking.note(gaps=[asked("1"), asked("2")])
    by = actor("mara", "steward")
    assert asking.dismiss(gaps=[gap("1").pk], reason="Closed account", by=by) == 1
    assert asking.dismiss(gaps=[gap("1").pk], reason="Again", by=by) == 0
    held = gap("1")
    assert (held.state, held.reason, held.decided_by) == ("dismissed", "Closed account", by.user) and held.decided_at
    assert asking.undo(gaps=[held.pk, gap("2").pk]) == 1
    assert (gap("1").state, gap("1").reason, gap("1").decided_by) == ("open", "", None)


@pytest.mark.django_db
def test_what_is_old_is_forgotten_what_was_dismissed_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asking.note(uses=[asked("1")], gaps=[asked("1"), asked("2"), asked("3")])
    asking.count()
    assert asking.forget() == 0
    MappingGap.objects.filter(code="1").update(state="dismissed")
    MappingGap.objects.exclude(code="3").update(last_asked=timezone.now() - asking.KEPT - timedelta(days=1))
    AskedCode.objects.update(month=date(2020, 1, 1))
    assert asking.forget() == 2 and states() == {"1": "dismissed", "3": "open"}
    assert not AskedCode.objects.exists()


@pytest.mark.django_db
def test_the_round_and_the_rail_know_them(watch: asking._Watch) -> None:
    asking.note(uses=[asked("1")], gaps=[asked("1"), Asked("payment_term", "", "sap", {}, ON, {"X": 1})])
    assert background.tick().items() >= {"asked": 1, "answered_gaps": 0}.items()
    for roles, counted in ((("steward",), {"mappings": 1}), (("requester",), {}), (("auditor",), {})):
        assert gaps.counts(person("-".join(roles), *roles)) == counted
