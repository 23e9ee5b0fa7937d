"""What mappings were asked: counted once however often the counting is begun, killed or done beside; gaps open and close."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dimensions.models import AskedBatch, AskedCode, MappingGap
from dimensions.services import asking
from dimensions.services.asking import Asked

ON = date(2026, 6, 15)


def asked(code: str, times: int = 1, on: date = ON, source: str = "GROUP", **context: str) -> Asked:
    return Asked("gl_mapping", source, "LOCAL", code, context, on, times)


def counts() -> dict[tuple[str, str], int]:
    rows = AskedCode.objects.order_by("code", "context_digest")
    return {(row.code, ",".join(map("=".join, sorted(row.context.items())))): row.times for row in rows}


def gap(code: str) -> MappingGap:
    return MappingGap.objects.get(code=code)


@pytest.mark.django_db
def test_a_call_costs_two_statements_whatever_its_size() -> None:
    for number in (1, 1000):
        uses = [asked(str(code)) for code in range(number)]
        with CaptureQueriesContext(connection) as captured:
            asking.note(uses=uses, gaps=uses, by="Coupa")
        assert len(captured) == 2
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
    assert {row.code for row in MappingGap.objects.all()} == {one.code for one in odd()}
