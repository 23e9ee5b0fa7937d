"""Many records written at once are compared afterwards, outside any transaction, and never by what they no longer are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections, transaction

from mdm import registry
from mdm.errors import NotNow
from mdm.models import ChangeRequest, DuplicatePair, MatchProfile, PendingComparison
from mdm.services import changes, comparisons, indexing, judging
from mdm.services.changes import ProposedItem
from mdm.types import Document
from tests.mdm.test_importing import load
from tests.people import SETUP, actor, auto_approve, supplier

KIND = "supplier"
few = pytest.mark.django_db
real = pytest.mark.django_db(transaction=True)
Pairs = set[tuple[str, str, float, str]]


def kind() -> registry.RecordType:
    return registry.get(KIND)


def names(number: int) -> str:
    return "".join(chr(97 + (number * k) % 26) for k in (3, 7, 11, 5, 9, 17)).title()


def twins(count: int = 4) -> list[Document]:
    """Suppliers of which the first half looks like the second once it is renamed."""
    made = [supplier(legal_name=f"{names(n)} Pumpen GmbH", website=f"https://p{n}.example") for n in range(count)]
    return made + [supplier(legal_name=f"Firma {n}", website=f"https://p{n}.example") for n in range(count)]


def rename(documents: list[Document], **names_of: str) -> ChangeRequest:
    """One request over all of them, applied at once."""
    auto_approve("system")
    items = [
        ProposedItem(type=KIND, uid=one["uid"], patch={"legal_name": f"{names(n)} Pumpen {names_of.get('form', 'AG')}"})
        for n, one in enumerate(documents)
    ]
    change = changes.propose(items=items, by=SETUP, origin="system")
    assert change.state == "applied"
    return change


def known() -> Pairs:
    rows = DuplicatePair.objects.filter(state="open").values_list("left", "right", "score", "band")
    return {(str(left), str(right), score, band) for left, right, score, band in rows}


@few
def test_a_few_are_compared_in_the_transaction_that_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    made = twins()
    rename(made[4:])
    assert not PendingComparison.objects.exists() and len(known()) >= 4


@few
def test_many_are_compared_afterwards_and_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = twins()
    before = known()
    with transaction.atomic():
        rename(made[4:])
        at_once = known()
        transaction.set_rollback(True)
    monkeypatch.setattr(comparisons, "AT_ONCE", 1)
    rename(made[4:])
    assert known() == before and PendingComparison.objects.count() == 4
    assert comparisons.work_off(most=3) == 3 and comparisons.work_off() == 1 and comparisons.work_off() == 0
    assert known() == at_once != before and not PendingComparison.objects.exists()


@few
def test_an_import_leaves_nothing_to_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{n};Firma {names(n)};DE;Weg {n};Berlin;10115;;;" for n in range(4)]
    load(*rows)
    monkeypatch.setattr(comparisons, "AT_ONCE", 1)
    load(*[row.replace("Firma", "Anders benannt") for row in rows])
    assert not PendingComparison.objects.exists()
    stored = MatchProfile.objects.values_list("features", flat=True)
    assert all("Anders" in str(features) for features in stored)


@few
def test_a_record_written_again_while_it_was_compared_stays_as_its_writer_left_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = twins()
    monkeypatch.setattr(comparisons, "AT_ONCE", 1)
    rename(made[4:])
    looked = comparisons._look

    def meanwhile(*args: Any, **more: Any) -> Any:
        found = looked(*args, **more)
        if PendingComparison.objects.filter(taken_at__isnull=False).exists() and made[4]["uid"] in args[1]:
            changed = {**made[4], "legal_name": "Etwas ganz anderes SE", "website": "https://etwas.example"}
            indexing.reindex([(kind(), changed)])
        return found

    monkeypatch.setattr(comparisons, "_look", meanwhile)
    assert comparisons.work_off() == 3
    assert [str(row.uid) for row in PendingComparison.objects.all()] == [made[4]["uid"]]
    assert not any(made[4]["uid"] in pair[:2] for pair in known()), "by what it is no more it is like another"
    monkeypatch.setattr(comparisons, "_look", looked)
    assert comparisons.work_off() == 1
    assert not any(made[4]["uid"] in pair[:2] for pair in known())


@few
def test_a_retired_record_that_waits_closes_its_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    made = twins()
    rename(made[4:])
    assert any(made[4]["uid"] in pair[:2] for pair in known())
    indexing.StoredKeys(KIND).remove([made[4]["uid"]])
    comparisons.put_down(kind(), [made[4]["uid"]])
    assert comparisons.work_off() == 1
    assert not any(made[4]["uid"] in pair[:2] for pair in known())


@few
def test_whoever_judges_a_pair_that_waits_judges_it_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    made = twins()
    rename(made[4:])
    pair = DuplicatePair.objects.filter(state="open", left__in=[made[0]["uid"], made[4]["uid"]]).get(
        right__in=[made[0]["uid"], made[4]["uid"]]
    )
    monkeypatch.setattr(comparisons, "AT_ONCE", 0)
    rename(made[4:], form="International Holding Limited")
    stan = actor("stan", "steward")
    with pytest.raises(NotNow, match="changed since you opened"), transaction.atomic():
        judging.decide(pair=pair, judgement="same", by=stan, seen=pair.evidence_hash)
    judging.decide(pair=pair, judgement="same", by=stan)
    assert not PendingComparison.objects.filter(uid=made[4]["uid"]).exists()
    assert pair.decisions.get().evidence_hash != pair.evidence_hash


@contextmanager
def writing(uid: str) -> Iterator[None]:
    """Somebody else is in the middle of writing this record."""
    began, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            MatchProfile.objects.filter(uid=uid).delete()
            began.set()
            go_on.wait(20)
            transaction.set_rollback(True)
        connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    assert began.wait(20)
    try:
        yield
    finally:
        go_on.set()
        thread.join(20)


@real
def test_nothing_waits_for_somebody_who_writes_and_nothing_is_lost_when_he_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = twins()
    monkeypatch.setattr(comparisons, "AT_ONCE", 1)
    rename(made[4:])
    with writing(made[0]["uid"]):
        assert comparisons.work_off() == 3
    assert [str(row.uid) for row in PendingComparison.objects.all()] == [made[4]["uid"]], (
        "its partner was being written"
    )
    assert comparisons.work_off() == 1
    assert any(made[4]["uid"] in pair[:2] for pair in known())


@real
def test_comparing_holds_no_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    made = twins()
    monkeypatch.setattr(comparisons, "AT_ONCE", 1)
    rename(made[4:])
    looked, inside = comparisons._look, []

    def watched(*args: Any, **more: Any) -> Any:
        inside.append(connection.in_atomic_block)
        return looked(*args, **more)

    monkeypatch.setattr(comparisons, "_look", watched)
    assert comparisons.work_off() == 4 and inside == [False]
