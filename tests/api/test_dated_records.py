"""Dated records over REST: on any day, as known at any time, filtered by what held then."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from mdm.models import ApprovalPolicy
from tests.api.callers import Caller, make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def center(steward: Caller) -> str:
    ApprovalPolicy.objects.create(name="Everything", auto_approve=True)
    made = make_record("cost_center", "CC1", name="Old", responsible="Ida")
    answer = steward.patch_json(
        f"cost-centers/{made.uid}/", {"name": "New", "valid_from": "2031-01-01"}, If_Match='"1"'
    )
    assert answer.status_code == 200 and answer.json()["name"] == "Old"
    return str(made.uid)


def test_one_record_on_any_day(steward: Caller, center: str) -> None:
    now = steward.read(f"cost-centers/{center}/").json()
    assert (now["name"], now["valid_from"], now["valid_to"], now["validity"]) == ("Old", None, "2031-01-01", "current")
    then = steward.read(f"cost-centers/{center}/?as_of=2031-01-01").json()
    assert (then["name"], then["valid_from"], then["responsible"]) == ("New", "2031-01-01", "Ida")
    assert then["slices"] == now["slices"] and then["version"] == now["version"] == 2


def test_what_was_believed_about_a_day(steward: Caller, center: str) -> None:
    """Both clocks: before the change was made nobody knew of the new name."""
    before = steward.read(f"cost-centers/{center}/history/").json()["results"][1]["at"]
    address = f"cost-centers/{center}/?as_of=2031-06-01"
    assert steward.read(f"{address}&known_at={before}").json()["name"] == "Old"
    later = (timezone.now() + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    assert steward.read(f"{address}&known_at={later}").json()["name"] == "New"


def test_a_list_is_filtered_by_what_holds_on_that_day(steward: Caller, center: str) -> None:
    make_record("cost_center", "CC2", name="New", valid_to="2031-01-01")
    make_record("cost_center", "CC3", name="Later", valid_from="2031-01-01")

    def codes(query: str) -> list[tuple[str, str]]:
        answer = steward.read(f"cost-centers/?{query}").json()["results"]
        return [(row["code"], row["name"]) for row in answer]

    assert codes("responsible=Ida&as_of=2031-01-01") == [("CC1", "New")]
    assert codes("as_of=2031-01-01") == [("CC1", "New"), ("CC3", "Later")]
    assert codes("as_of=2030-12-31") == [("CC1", "Old"), ("CC2", "New")]
    assert codes("validity=planned") == [("CC3", "Later")]


def test_a_list_on_a_day_takes_no_query_more(steward: Caller, django_assert_num_queries) -> None:
    for number in range(12):
        make_record("cost_center", f"CC{number}")
    steward.read("cost-centers/")
    for address in ("cost-centers/", "cost-centers/?as_of=2031-01-01"):
        with django_assert_num_queries(2):
            assert len(steward.read(address).json()["results"]) == 12


def test_closing_and_what_is_refused(steward: Caller, center: str) -> None:
    address = f"cost-centers/{center}/"
    wrong = steward.patch_json(address, {"name": "X", "valid_from": "never"}, If_Match='"2"')
    assert wrong.status_code == 400 and wrong.json()["errors"][0]["path"] == "valid_from"
    assert steward.read(address).json()["version"] == 2
    day = (date.today() + timedelta(days=9)).isoformat()
    closed = steward.patch_json(address, {"valid_to": day}, If_Match='"2"').json()
    assert [row["valid_to"] for row in closed["slices"]] == [day] and closed["validity"] == "current"
