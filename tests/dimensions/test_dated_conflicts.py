"""Dated records changed by several at once and taken back: what others said of another day or value stays, what two said of
the same is told."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from mdm import registry
from mdm.errors import CorrectInput
from mdm.models import ChangeRequest, Pin, RecordVersion
from mdm.selectors import records
from mdm.services import changes, pins
from mdm.services.changes import ProposedItem
from mdm.types import Document
from tests.people import SETUP, actor, auto_approve, make
from tests.web.visitors import browser, page_of, read

pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 15)


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "localdate", lambda value=None, timezone=None: TODAY)


@pytest.fixture
def center() -> Document:
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")
    return make("cost_center", code="CC1", name="Old", legal_entity="NH10", category="sales", responsible="Ida")


def change(document: Document, **patch: Any) -> ChangeRequest:
    auto_approve("system")
    item = ProposedItem(type="cost_center", uid=document["uid"], patch=patch)
    done = changes.propose(items=[item], by=SETUP, origin="system")
    assert done.state == "applied"
    return done


def ask(document: Document, **patch: Any) -> ChangeRequest:
    item = ProposedItem(type="cost_center", uid=document["uid"], patch=patch)
    return changes.propose(items=[item], by=actor("nora", "requester"))


def approve(asked: ChangeRequest) -> ChangeRequest:
    asked.refresh_from_db()
    return changes.approve(change=asked, by=actor("stan", "steward"), content_hash=asked.content_hash)


def now(document: Document) -> Document:
    return records.current_document("cost_center", document["uid"])


def shown(document: Document, *names: str) -> list[tuple[Any, ...]]:
    return [(s["valid_from"], s["valid_to"], *(s[name] for name in names)) for s in now(document)["slices"]]


def undo(done: ChangeRequest) -> ChangeRequest:
    return approve(changes.revert(change=done, by=actor("nora", "requester"), reason="It was wrong."))


def test_what_others_changed_meanwhile_of_another_value_stays(center: Document) -> None:
    asked = ask(center, name="New", valid_from="2026-09-01")
    change(center, slices=[{"uid": center["slices"][0]["uid"], "responsible": "Bea"}])
    assert approve(asked).state == "applied"
    assert shown(center, "name", "responsible") == [
        (None, "2026-09-01", "Old", "Bea"), ("2026-09-01", None, "New", "Bea"),
    ]  # fmt: skip


def test_a_period_cut_meanwhile_is_no_conflict(center: Document) -> None:
    asked = ask(center, name="New", valid_from="2026-09-01")
    change(center, responsible="Bea", valid_from="2026-07-01")
    change(center, department="D1", valid_from="2026-11-01")
    assert approve(asked).state == "applied"
    assert shown(center, "name", "responsible", "department") == [
        (None, "2026-07-01", "Old", "Ida", None), ("2026-07-01", "2026-09-01", "Old", "Bea", None),
        ("2026-09-01", "2026-11-01", "New", "Bea", None), ("2026-11-01", None, "New", "Bea", "D1"),
    ]  # fmt: skip


@pytest.mark.parametrize(("choice", "then"), [("proposed", "Mine"), ("current", "Theirs")])
def test_the_same_value_of_the_same_days_is_chosen_by_a_person(center: Document, choice: str, then: str) -> None:
    asked = ask(center, name="Mine", responsible="Bea", valid_from="2026-09-01")
    change(center, name="Theirs", valid_from="2026-10-01")
    version = now(center)["version"]
    assert approve(asked).state == "conflicted" and now(center)["version"] == version
    clash = asked.items.get().conflicts
    path = "slices/2026-10-01../name"
    assert clash == [{"path": path, "base": "Old", "proposed": "Mine", "current": "Theirs"}]
    assert registry.get("cost_center").label(path) == "Name, from 2026-10-01 on"
    assert "Name, from 2026-10-01 on" in read(browser("stan", "steward"), page_of(asked))
    asked.refresh_from_db()
    changes.resolve(change=asked, by=actor("mara", "steward"), choices={path: choice})
    assert approve(asked).state == "applied"
    assert shown(center, "name", "responsible")[1:] == (
        [("2026-09-01", None, "Mine", "Bea")]
        if choice == "proposed"
        else [("2026-09-01", "2026-10-01", "Mine", "Bea"), ("2026-10-01", None, "Theirs", "Bea")]
    )


def test_a_record_closed_meanwhile_is_told(center: Document) -> None:
    asked = ask(center, name="New", valid_from="2026-09-01")
    change(center, valid_to="2026-08-01")
    assert approve(asked).state == "conflicted"
    assert {clash["path"] for clash in asked.items.get().conflicts} == {"slices/2026-09-01../validity"}
    assert shown(center, "name") == [(None, "2026-08-01", "Old")]


def test_a_change_from_a_day_on_is_taken_back(center: Document) -> None:
    done = change(center, name="New", valid_from="2026-09-01")
    assert undo(done).state == "applied"
    assert shown(center, "name") == [(None, None, "Old")]
    assert now(center)["slices"][0]["uid"] == center["slices"][0]["uid"]


def test_taken_back_after_others_changed_other_days_and_values(center: Document) -> None:
    done = change(center, name="New", valid_from="2026-09-01")
    change(center, responsible="Bea", valid_from="2026-08-01")  # goes on into the period of the change
    change(center, department="D1", valid_from="2026-12-01")
    assert undo(done).state == "applied"
    assert shown(center, "name", "responsible", "department") == [
        (None, "2026-08-01", "Old", "Ida", None), ("2026-08-01", "2026-12-01", "Old", "Bea", None),
        ("2026-12-01", None, "Old", "Bea", "D1"),
    ]  # fmt: skip


def test_what_was_changed_again_since_is_told_and_nothing_is_taken_back(center: Document) -> None:
    done = change(center, name="New", valid_from="2026-09-01")
    change(center, name="Newer", valid_from="2026-10-01")
    before = (RecordVersion.objects.count(), ChangeRequest.objects.count())
    with pytest.raises(CorrectInput, match="Name, from 2026-10-01 on is Newer by now") as caught:
        changes.revert(change=done, by=actor("nora", "requester"), reason="It was wrong.")
    assert [problem.path for problem in caught.value.problems] == ["slices/2026-10-01../name"]
    assert (RecordVersion.objects.count(), ChangeRequest.objects.count()) == before


def test_a_closing_is_taken_back(center: Document) -> None:
    change(center, name="New", valid_from="2026-09-01")
    done = change(center, valid_to="2026-08-01")
    assert shown(center) == [(None, "2026-08-01")]
    assert undo(done).state == "applied"
    assert shown(center, "name") == [(None, "2026-09-01", "Old"), ("2026-09-01", None, "New")]


def test_a_field_that_holds_for_periods_is_not_pinned_its_period_is(center: Document) -> None:
    mara, kind = actor("mara", "steward"), registry.get("cost_center")
    for path in ("name", "valid_from", "validity"):
        with pytest.raises(CorrectInput, match="pin the period that says it"):
            pins.pin(kind=kind, uid=center["uid"], path=path, reason="Ours", by=mara)
    assert not Pin.objects.exists()
    row = f"slices/{center['slices'][0]['uid']}"
    assert isinstance(pins.pin(kind=kind, uid=center["uid"], path=row, reason="Ours", by=mara), Pin)
    url = f"/records/cost-centers/{center['uid']}/?why="
    client = browser("mara", "steward")
    assert "Pin this value" not in read(client, f"{url}name")
    assert "Remove the pin" in read(client, f"{url}{row}")


def test_values_at_the_top_that_the_periods_do_not_say_are_refused(center: Document) -> None:
    row = {"name": "A", "legal_entity": "NH10", "category": "sales"}
    with pytest.raises(CorrectInput) as caught:
        make("cost_center", name="B", legal_entity="NH10", slices=[row])
    assert [(p.path, p.code) for p in caught.value.problems] == [("name", "contradicts_periods")]
    made = make("cost_center", **row, blocked_for_costs=False, slices=[row])
    assert made["name"] == "A"
