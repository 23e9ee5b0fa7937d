"""Records with periods: what a proposal does to them, what they show, and what happens when a planned day comes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from dimensions.models import CostCenter, CostCenterPeriod
from mdm import dating, registry, writing
from mdm.errors import CorrectInput
from mdm.models import ChangeRequest, Event, Provenance, RecordVersion
from mdm.selectors import records
from mdm.services import changes, taking_effect
from mdm.services.background import SYSTEM
from mdm.services.changes import ProposedItem
from mdm.types import Document
from tests.people import SETUP, auto_approve, make

pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 15)


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hub's calendar, which a test may turn on."""
    now = [TODAY]
    monkeypatch.setattr(timezone, "localdate", lambda value=None, timezone=None: now[0])
    return lambda new: now.__setitem__(0, new)


@pytest.fixture
def entity() -> str:
    return str(make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")["code"])


def center(entity: str, **values: Any) -> Document:
    usual = {} if "slices" in values else {"name": "Logistics", "legal_entity": entity, "category": "logistics"}
    return make("cost_center", **{**usual, "code": "CC100", **values})


def change(document: Document, **patch: Any) -> Document:
    auto_approve("system")
    done = changes.propose(
        items=[ProposedItem(type="cost_center", uid=document["uid"], patch=patch)], by=SETUP, origin="system"
    )
    assert done.state == "applied"
    return records.current_document("cost_center", document["uid"])


def periods(document: Document, *names: str) -> list[tuple[Any, ...]]:
    return [(s["valid_from"], s["valid_to"], *(s[name] for name in names)) for s in document["slices"]]


def stored(document: Document) -> list[tuple[Any, ...]]:
    rows = CostCenterPeriod.objects.filter(record__uid=document["uid"])
    found = [(r.valid_from and str(r.valid_from), r.valid_to and str(r.valid_to), r.name) for r in rows]
    return sorted(found, key=lambda row: row[0] or "")


def test_without_a_day_it_has_always_been_so(entity: str) -> None:
    made = center(entity)
    assert periods(made, "name") == [(None, None, "Logistics")] == stored(made)
    assert (made["name"], made["valid_from"], made["valid_to"], made["validity"]) == (
        "Logistics",
        None,
        None,
        "current",
    )


def test_a_change_holds_from_today_unless_it_says_otherwise(entity: str) -> None:
    made = change(center(entity), name="Logistics north")
    assert periods(made, "name") == [(None, "2026-06-15", "Logistics"), ("2026-06-15", None, "Logistics north")]
    assert (made["name"], made["valid_from"], made["validity"]) == ("Logistics north", "2026-06-15", "current")
    row = CostCenter.objects.get()
    assert (row.name, row.valid_from, row.next_change) == ("Logistics north", TODAY, None)


def test_what_is_planned_shows_only_in_its_period(entity: str) -> None:
    made = change(center(entity), name="Logistics north", valid_from="2026-09-01")
    assert (made["name"], made["valid_to"]) == ("Logistics", "2026-09-01")
    assert periods(made, "name") == [(None, "2026-09-01", "Logistics"), ("2026-09-01", None, "Logistics north")]
    assert CostCenter.objects.get().next_change == date(2026, 9, 1)
    kind = registry.get("cost_center")
    assert dating.as_of(kind, made, date(2026, 9, 1))["name"] == "Logistics north"
    assert dating.as_of(kind, made, date(2026, 8, 31))["name"] == "Logistics"


def test_its_day_comes_once_and_everybody_hears_of_it(entity: str, day: Any) -> None:
    made = change(center(entity), name="Logistics north", responsible="Ida Beck", valid_from="2026-09-01")
    assert taking_effect.take_effect(by=SYSTEM) == 0
    day(date(2026, 9, 1))
    before = Provenance.objects.get(uid=made["uid"]).fields
    assert taking_effect.take_effect(by=SYSTEM) == 1
    assert taking_effect.take_effect(by=SYSTEM) == 0
    now = records.current_document("cost_center", made["uid"])
    assert (now["name"], now["responsible"], now["valid_from"], now["version"]) == (
        "Logistics north", "Ida Beck", "2026-09-01", 3,
    )  # fmt: skip
    request = ChangeRequest.objects.latest("pk")
    assert (request.kind, request.state, request.origin) == ("planned", "applied", "system")
    assert request.items.get().result_version == 3
    event = Event.objects.latest("pk")
    assert (event.verb, event.version) == ("updated", 3) and {"name", "responsible"} <= set(event.data["changed"])
    assert CostCenter.objects.get().next_change is None and Provenance.objects.get(uid=made["uid"]).fields == before


def test_days_that_were_missed_are_made_up_for(entity: str, day: Any) -> None:
    made = change(change(center(entity), name="Second", valid_from="2026-07-01"), name="Third", valid_from="2026-08-01")
    day(date(2026, 10, 5))
    assert taking_effect.take_effect(by=SYSTEM) == 1
    assert records.current_document("cost_center", made["uid"])["name"] == "Third"


def test_closing_on_a_day_and_opening_again(entity: str, day: Any) -> None:
    made = change(center(entity), valid_to="2026-12-31")
    assert periods(made) == [(None, "2026-12-31")] and made["validity"] == "current"
    day(date(2026, 12, 31))
    assert taking_effect.take_effect(by=SYSTEM) == 1
    closed = records.current_document("cost_center", made["uid"])
    assert (closed["validity"], closed["name"]) == ("ended", "Logistics")
    assert Event.objects.latest("pk").data["changed"] == ["validity"]
    again = change(closed, valid_to=None)
    assert (again["validity"], periods(again)) == ("current", [(None, None)])


def test_a_record_that_begins_later_is_planned(entity: str) -> None:
    made = center(entity, valid_from="2027-01-01")
    assert (made["validity"], made["valid_from"]) == ("planned", "2027-01-01")
    refused(made, "valid_to", valid_to="2026-12-31")


def test_sent_back_as_it_was_shown_the_period_itself_is_put_right(entity: str) -> None:
    made = change(center(entity), name="North", valid_from="2026-03-01")
    shown = {key: value for key, value in made.items() if key not in ("slices", "version", "schema")}
    made = change(made, **{**shown, "name": "Northern"})
    assert periods(made, "name") == [(None, "2026-03-01", "Logistics"), ("2026-03-01", None, "Northern")]


def test_periods_are_written_directly_too(entity: str) -> None:
    slice_ = {"name": "A", "legal_entity": entity, "category": "sales"}
    made = center(
        entity, slices=[{**slice_, "valid_to": "2026-02-01"}, {**slice_, "name": "B", "valid_from": "2026-02-01"}]
    )
    assert periods(made, "name") == [(None, "2026-02-01", "A"), ("2026-02-01", None, "B")] and made["name"] == "B"
    first = made["slices"][0]["uid"]
    made = change(made, slices=[{"uid": first, "_end": True}])
    assert periods(made, "name") == [("2026-02-01", None, "B")]


def refused(document: Document, path: str, **patch: Any) -> list[Any]:
    before = (RecordVersion.objects.count(), ChangeRequest.objects.count(), stored(document))
    with pytest.raises(CorrectInput) as caught:
        changes.propose(
            items=[ProposedItem(type="cost_center", uid=document["uid"], patch=patch)], by=SETUP, origin="system"
        )
    assert (RecordVersion.objects.count(), ChangeRequest.objects.count(), stored(document)) == before
    assert [problem.path for problem in caught.value.problems] == [path], caught.value.problems
    return caught.value.problems


def test_what_cannot_be_is_refused_where_it_stands(entity: str) -> None:
    made = center(entity)
    first = made["slices"][0]["uid"]
    refused(made, "name", name=None)
    refused(made, "valid_from", name="X", valid_from="soon")
    refused(made, "validity", validity="ended")
    refused(made, "valid_to", name="X", valid_from="2026-09-01", valid_to="2026-08-01")
    refused(made, "profit_center", profit_center="PC-NONE")
    made = change(made, name="North", valid_from="2026-09-01")
    second = made["slices"][1]["uid"]
    refused(made, f"slices/{second}/valid_from", slices=[{"uid": second, "valid_from": "2026-08-01"}])
    refused(made, f"slices/{first}/valid_to", slices=[{"uid": first, "valid_from": "2026-10-01"}])
    refused(made, f"slices/{second}/category", slices=[{"uid": second, "category": "nonsense"}])
    unknown = refused(made, f"slices/{second}/profit_center", slices=[{"uid": second, "profit_center": "PC-NONE"}])
    assert unknown[0].code == "unknown_reference"


def test_a_missing_value_of_a_new_record_is_missed_where_it_belongs(entity: str) -> None:
    with pytest.raises(CorrectInput) as caught:
        center(entity, name="", category="nonsense")
    assert sorted(problem.path for problem in caught.value.problems) == ["category", "name"]
    assert not CostCenter.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_database_itself_lets_no_two_periods_overlap(entity: str) -> None:
    made = change(center(entity), name="North", valid_from="2026-09-01")
    change_ = ChangeRequest.objects.latest("pk")
    ChangeRequest.objects.filter(pk=change_.pk).update(state="approved")
    overlapping = CostCenterPeriod.objects.filter(valid_from=None)
    refusal = pytest.raises(IntegrityError, match="costcenterperiod_no_overlap")
    with refusal, transaction.atomic(), writing.applying(change_.pk):
        overlapping.update(valid_to=date(2026, 9, 2))
    assert stored(made) == periods(made, "name")


def test_an_open_request_is_applied_to_the_day_on_which_it_is_applied(entity: str, day: Any) -> None:
    """What was proposed before a planned day and approved after it: the periods decide, not what was shown then."""
    made = change(center(entity), name="North", valid_from="2026-07-01")
    asked = changes.propose(
        items=[ProposedItem(type="cost_center", uid=made["uid"], patch={"responsible": "Ida", "valid_from": "2026-06-20"})],
        by=SETUP, effective_on=TODAY + timedelta(days=30), origin="system",
    )  # fmt: skip
    assert asked.state == "scheduled"
    day(TODAY + timedelta(days=31))
    taking_effect.take_effect(by=SYSTEM)
    assert changes.apply_due(by=SYSTEM) == 1
    now = records.current_document("cost_center", made["uid"])
    assert (now["name"], now["responsible"]) == ("North", "Ida")
    assert periods(now, "name", "responsible") == [
        (None, "2026-06-20", "Logistics", None), ("2026-06-20", "2026-07-01", "Logistics", "Ida"),
        ("2026-07-01", None, "North", "Ida"),
    ]  # fmt: skip


def test_closing_on_the_day_of_a_planned_change_takes_the_plan_away(entity: str) -> None:
    document = change(center(entity), name="Other", valid_from="2027-01-01")
    closed = change(document, valid_to="2027-01-01")
    assert periods(closed, "name") == [(None, "2027-01-01", "Logistics")] == stored(closed)


def test_a_value_from_a_day_on_is_held_against_what_holds_then(entity: str) -> None:
    """Today's value, from a day on which another was planned, is a change of the plan."""
    document = change(center(entity), name="Other", valid_from="2027-01-01")
    back = change(document, name="Logistics", valid_from="2028-01-01")
    told = [(None, "2027-01-01", "Logistics"), ("2027-01-01", "2028-01-01", "Other"), ("2028-01-01", None, "Logistics")]
    assert periods(back, "name") == told == stored(back)


def test_an_ended_record_begins_again_with_the_same_values(entity: str) -> None:
    document = change(center(entity), valid_to="2026-03-01")
    again = change(document, name="Logistics", valid_from="2027-01-01")
    assert periods(again, "name") == [(None, "2026-03-01", "Logistics"), ("2027-01-01", None, "Logistics")]
