"""Compiled mappings kept by a process: read once, anew after any change that was committed, whatever its order and length."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from dimensions.models import ChartOfAccounts
from dimensions.services import mappings
from mdm import registry
from mdm.errors import NotNow
from mdm.selectors import event_watch
from mdm.services import changes, events
from mdm.services.changes import ProposedItem
from mdm.types import Document
from tests.people import SETUP, auto_approve, make, supplier

ON = date(2026, 6, 15)
PAIR = mappings.Pair("gl_mapping", "GROUP", "LOCAL")
OTHER = PAIR._replace(target="OTHER")


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[mappings._Kept]:
    fresh = mappings._Kept()
    monkeypatch.setattr(mappings, "_KEPT", fresh)
    yield fresh


def row(source: str | None, target: str, **values: Any) -> Document:
    for code in ("GROUP", "LOCAL", "OTHER"):
        if not ChartOfAccounts.objects.filter(code=code).exists():
            make("chart_of_accounts", code=code, name=code.title())
    given = {
        "name": source or "By its conditions",
        "source_chart": PAIR.source,
        "target_chart": PAIR.target,
        "kind": "explicit",
    }
    return make("gl_mapping", **{**given, "source": source, "target": target, **values})


def change(document: Document, **patch: Any) -> None:
    auto_approve("system")
    item = ProposedItem(type="gl_mapping", uid=document["uid"], patch=patch)
    assert changes.propose(items=[item], by=SETUP, origin="system").state == "applied"


def status(document: Document, action: str) -> None:
    auto_approve("system")
    item = ProposedItem(type="gl_mapping", uid=document["uid"], action=action)
    assert changes.propose(items=[item], by=SETUP, origin="system").state == "applied"


def becomes(*values: str, pair: mappings.Pair = PAIR, **context: str) -> list[str | None]:
    return [one.target for one in mappings.compiled(*pair).resolve_many(values, context, ON)]


def queries() -> int:
    with CaptureQueriesContext(connection) as captured:
        mappings.compiled(*PAIR)
    return len(captured)


@pytest.mark.django_db
def test_rows_are_read_with_everything_they_say() -> None:
    row("400000", "5100")
    row(
        "400000",
        "5110",
        conditions=[{"dimension": "tax_code", "codes": "EU-*"}, {"dimension": "project", "codes": "P"}],
    )
    row("47*", "6650", kind="like", flip=True, order=3, valid_from="2026-01-01", valid_to="2027-01-01")
    row(None, "9999", kind="multi", conditions=[{"dimension": "gl_account", "codes": "9*"}])
    assert becomes("400000", "470000", "900000", "1") == ["5100", "6650", "9999", None]
    assert becomes("400000", tax_code="EU-1", project="P") == ["5110"]
    assert becomes("400000", tax_code="EU-1") == ["5100"]
    found = mappings.compiled(*PAIR).resolve("470000", {}, ON).row
    assert found is not None
    assert (found.flip, found.order, found.valid_from, found.valid_to) == (True, 3, date(2026, 1, 1), date(2027, 1, 1))
    assert becomes("400000", pair=PAIR._replace(source="LOCAL", target="GROUP")) == [None]


@pytest.mark.django_db
def test_read_once_and_anew_after_a_change() -> None:
    made = row("400000", "5100")
    assert (queries(), queries()) == (2, 1)
    first = mappings.compiled(*PAIR)
    assert events.seal() > 0
    assert mappings.compiled(*PAIR) is first and queries() == 1
    supplier()
    assert mappings.compiled(*PAIR) is first, "other records are no reason"
    change(made, target="5200")
    assert becomes("400000") == ["5200"]
    status(made, "block")
    assert becomes("400000") == [None]
    status(made, "unblock")
    assert becomes("400000") == ["5200"]
    change(made, target_chart="OTHER")
    assert (becomes("400000"), becomes("400000", pair=OTHER)) == ([None], ["5200"])
    status(made, "retire")
    assert becomes("400000", pair=OTHER) == [None] and len(mappings.compiled(*OTHER).table) == 0


def answered(*codes: str, **context: str) -> list[str | None]:
    return [one.target for one in mappings.answers(*PAIR, codes).resolve_many(codes, context, ON)]


@pytest.mark.django_db
@pytest.mark.parametrize("small", [1, 5000])
def test_some_codes_are_answered_as_by_the_whole(
    kept: mappings._Kept, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(mappings, "SMALL", small)
    monkeypatch.setattr(mappings, "WARMED_AFTER", 99)
    row("400000", "5100")
    row("400000", "5110", conditions=[{"dimension": "tax_code", "codes": "EU-*"}])
    row(r"A\,B", "1")
    row("A, B", "2", kind="in")
    row("47*", "66*", kind="like")
    row("470000", "9", valid_from="2027-01-01")
    blocked = row("400001", "5")
    status(blocked, "block")
    retired = row("471000", "5")
    status(retired, "retire")
    codes = ("400000", "400001", "470000", "471000", "A,B", "A", "A\\,B", "", "nothing")
    contexts: list[dict[str, str]] = [{}, {"tax_code": "EU-1"}]
    for context in contexts:
        for _again in range(2):
            assert answered(*codes, **context) == becomes(*codes, **context)
            kept._sets.clear()


@pytest.mark.django_db
def test_a_small_mapping_is_kept_a_large_one_is_read_in_part(
    kept: mappings._Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(mappings._Kept, "_warm", lambda _self, pair: started.append(pair))
    for number in range(4):
        row(f"40000{number}", "5100")
    row("47*", "66*", kind="like")
    for size, queried in ((5, [2, 1, 1]), (4, [2, 2, 2, 2])):
        monkeypatch.setattr(mappings, "SMALL", size)
        kept._sets.clear()
        for number in queried:
            with CaptureQueriesContext(connection) as captured:
                built = mappings.answers(*PAIR, ["400001", "470000"])
            assert len(captured) == number
        assert len(built.table) == (5 if size == 5 else 2)
    assert started == [PAIR], "once, when it was asked for the third time"
    row("48*", "66*", kind="like")
    assert [mappings.answers(*PAIR, ["480000"]).resolve("480000", {}, ON).target for _ in range(3)] == ["660000"] * 3
    assert started == [PAIR, PAIR], "and again after a change"


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
def test_a_large_mapping_is_read_whole_beside(kept: mappings._Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "SMALL", 1)
    for number in range(4):
        row(f"40000{number}", "5100")
    for _ in range(mappings.WARMED_AFTER):
        assert answered("400001") == ["5100"]
    for thread in threading.enumerate():
        if thread.name == "mapping":
            thread.join(20)
    assert len(kept._sets[PAIR].table) == 4 and queries() == 1


@pytest.mark.django_db
def test_what_is_rolled_back_was_never_there() -> None:
    made = row("400000", "5100")
    assert becomes("400000") == ["5100"]
    with pytest.raises(KeyError), transaction.atomic():
        change(made, target="5200")
        assert becomes("400000") == ["5200"]
        raise KeyError
    assert becomes("400000") == ["5100"]


@pytest.mark.django_db
def test_the_longest_unused_is_given_up_and_the_newest_kept(
    kept: mappings._Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    row("400000", "5100")
    row("400100", "5100")
    row("400000", "5100", target_chart="OTHER")
    monkeypatch.setattr(mappings, "MOST_ROWS", 2)
    first, second = mappings.compiled(*PAIR), mappings.compiled(*OTHER)
    assert list(kept._sets) == [OTHER] and mappings.compiled(*OTHER) is second
    assert mappings.compiled(*PAIR) is not first
    monkeypatch.setattr(mappings, "MOST_ROWS", 1)
    mappings.compiled("gl_mapping", "LOCAL", "GROUP")
    mappings.compiled(*PAIR)
    assert list(kept._sets) == [PAIR], "one set is kept however large it is"


@pytest.mark.django_db
def test_a_row_that_no_rule_lets_in_is_named() -> None:
    kind = registry.get("gl_mapping")
    rules = kind.rules
    object.__setattr__(kind, "rules", ())  # as rows written under other rules would be
    try:
        made = row("4..5..6", "5100", code="BAD-1")
    finally:
        object.__setattr__(kind, "rules", rules)
    with pytest.raises(NotNow, match="The mapping row BAD-1 cannot be read, put it right or retire it"):
        mappings.compiled(*PAIR)
    status(made, "retire")
    assert becomes("4") == [None]


@pytest.mark.django_db
def test_another_log_counts_as_changed() -> None:
    row("400000", "5100")
    now, changed = event_watch.look("gl_mapping", None)
    assert changed and len(now.open) == 1
    assert event_watch.look("gl_mapping", now) == (now, False)
    assert event_watch.look("gl_mapping", event_watch.Look(now.head + 5, now.open))[1]
    assert event_watch.look("gl_mapping", event_watch.Look(now.head, now.open | {10**12}))[1]
    assert event_watch.look("gl_mapping", event_watch.Look(now.head - 10_001, now.open))[1], "too long ago"
    assert event_watch.look("supplier", event_watch.Look(now.head, frozenset()))[1] is False


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
def test_a_change_that_began_earlier_and_ends_later_is_seen() -> None:
    slow, quick = row("400000", "5100"), row("480000", "6310")
    written, go_on, failed = threading.Event(), threading.Event(), []

    def slowly() -> None:
        try:
            with transaction.atomic():
                change(slow, target="5200")
                written.set()
                assert go_on.wait(20)
        except BaseException as error:
            failed.append(error)
        finally:
            written.set()
            connection.close()

    thread = threading.Thread(target=slowly)
    thread.start()
    assert written.wait(20)
    change(quick, target="6320")
    assert becomes("400000", "480000") == ["5100", "6320"]
    events.seal()
    assert becomes("400000", "480000") == ["5100", "6320"]
    go_on.set()
    thread.join(20)
    assert failed == []
    assert becomes("400000", "480000") == ["5200", "6320"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
def test_readers_and_writers_at_once_end_with_the_truth() -> None:
    rows = [row(f"40000{number}", "0") for number in range(3)]
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(1, 9):
                if number < 3:
                    change(rows[number], target=str(step))
                    assert becomes(f"40000{number}") == [str(step)], "whoever wrote sees it at once"
                else:
                    seen = [int(target or -1) for target in becomes("400000", "400001", "400002")]
                    assert min(seen) >= 0
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == [] and becomes("400000", "400001", "400002") == ["8", "8", "8"]
