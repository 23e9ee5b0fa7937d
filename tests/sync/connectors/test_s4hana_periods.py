"""Cost centers in S/4HANA: how periods of ours become validity periods there, and what the service says."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.connectors.s4hana.connector import MAPPING, S4HanaConnector
from sync.connectors.s4hana.timeline import FOREVER, Period, Step, after, before, joined, of_day, steps
from sync.errors import Ambiguous, Refused
from sync.mapping import load
from sync.protocol import Config, Push
from tests.contracts.test_other_types import CENTER
from tests.sync.sandboxes import REFERENCE, Platform, platform

DAYS = [f"20{year}-01-01" for year in range(10, 22)]


# The plan, by itself


def applied(held: Sequence[Period], step: Step) -> list[Period]:
    """What SAP would hold after one step; it refuses an overlap."""
    if step.kind == "create":
        after_ = [*held, step.period]
    else:
        (hit,) = [one for one in held if one.end == step.period.end]
        after_ = [one for one in held if one is not hit]
        after_.append(replace(hit, end=step.day) if step.kind == "end" else replace(hit, start=step.day))
    listed = sorted(after_, key=lambda one: one.start)
    assert all(one.start <= one.end for one in listed), step
    assert all(one.end < follows.start for one, follows in zip(listed, listed[1:], strict=False)), step
    return listed


def timeline(chance: random.Random, *, gaps: bool = True) -> list[Period]:
    """Some periods that do not overlap; the last may be open."""
    marks = sorted(chance.sample(DAYS, chance.randint(2, 7)))
    pieces = [
        Period(start, before(end), {"n": chance.randint(1, 3)}) for start, end in zip(marks, marks[1:], strict=False)
    ]
    kept = [piece for piece in pieces if not gaps or chance.random() < 0.7] or pieces[:1]
    return [*kept[:-1], replace(kept[-1], end=FOREVER)] if chance.random() < 0.5 else kept


def test_any_timeline_becomes_any_other_without_an_overlap_on_the_way() -> None:
    for seed in range(2000):
        chance = random.Random(seed)
        held, ours = timeline(chance), timeline(chance)
        outside = [one for one in held if not any(mine.start <= one.end and one.start <= mine.end for mine in ours)]
        for step in list(steps(held, ours)):
            held = applied(held, step)
        for day in [*DAYS, *map(before, DAYS), "2030-06-01"]:
            theirs, mine = of_day(held, day), of_day(ours, day)
            assert (theirs is not None) == (mine is not None or of_day(outside, day) is not None), (seed, day)
            if theirs and mine:
                assert mine.start <= theirs.start and theirs.end <= mine.end, f"{seed}: a piece says one thing"
        assert list(steps(held, ours)) == [], f"{seed}: the second time there is nothing to do"


def test_neighbours_that_say_the_same_are_one() -> None:
    parts = [Period("2020-01-01", "2020-12-31", {"a": ""}), Period("2021-01-01", FOREVER, {"a": None})]
    assert joined(parts) == [Period("2020-01-01", FOREVER, {"a": ""})]
    assert len(joined([parts[0], replace(parts[1], row={"a": "b"})])) == 2
    assert after("2020-12-31") == "2021-01-01"


# Against the sandbox


@pytest.fixture
def s4(tmp_path: Path) -> Iterator[Platform]:
    with platform("s4hana", tmp_path / "state.sqlite") as running:
        yield running


def center(*periods: tuple[str | None, str | None, dict[str, Any]], **always: Any) -> dict[str, Any]:
    slices = [
        {**CENTER, **values, "uid": f"s{place}", "valid_from": start, "valid_to": end}
        for place, (start, end, values) in enumerate(periods)
    ]
    return {"uid": REFERENCE, "code": "DE-7700", "status": "active", "validity": "current", "slices": slices, **always}


def push(s4: Platform, document: dict[str, Any], **more: Any) -> Any:
    payload = load(MAPPING, "cost_center").render(document)
    given = {"idempotency_key": "1:x:1", "correlation_id": "c-1", "action": "upsert", **more}
    return s4.connector().push(Push(type="cost_center", payload=payload, reference=REFERENCE, **given))


def held(s4: Platform, code: str = "DE-7700") -> dict[str, dict[str, Any]]:
    """Last day -> the raw period."""
    record = next(one for one in s4.control("GET", "records?type=cost_center")["records"] if one["key"].endswith(code))
    found: dict[str, dict[str, Any]] = {}
    for name, value in record["fields"].items():
        if "[" in name:
            found.setdefault(name.split("[")[1].split("]")[0], {})[name.split(".")[-1]] = value
    return found


def drift(s4: Platform, document: dict[str, Any]) -> list[Any]:
    record = s4.connector().read("cost_center", "A000/DE-7700")
    assert record is not None
    mapping = load(MAPPING, "cost_center")
    return mapping.compare(mapping.render(document), record.fields)


def test_a_planned_change_is_a_validity_period_of_its_own(s4: Platform) -> None:
    """Known there from the day it was approved on; the day itself has nothing to do."""
    document = center(("2019-01-01", "2027-01-01", {}), ("2027-01-01", None, {"responsible": "Sofia Lund"}))
    outcome = push(s4, document)
    assert (outcome.key, outcome.effect, outcome.verified) == ("A000/DE-7700", "created", True)
    now, then = held(s4)["2026-12-31"], held(s4)[FOREVER]
    assert (now["ValidityStartDate"], now["CostCtrResponsiblePersonName"]) == ("2019-01-01", "Ida Beck")
    assert (then["ValidityStartDate"], then["CostCtrResponsiblePersonName"]) == ("2027-01-01", "Sofia Lund")
    assert drift(s4, document) == []


def test_a_change_from_a_day_on_cuts_the_period_there(s4: Platform) -> None:
    push(s4, center(("2019-01-01", None, {})))
    later = {"category": "service", "blocked_for_planning": True}
    changed = center(("2019-01-01", "2025-07-01", {}), ("2025-07-01", None, later))
    outcome = push(s4, changed, key="A000/DE-7700")
    said = [one.url.rpartition("/")[2].partition("(")[0] for one in outcome.exchanges if one.method != "GET"]
    shortened_then_made = ["SAP__self.UpdateValidityPeriod", "SAP__self.CreateValidityPeriod"]
    assert said == [*shortened_then_made, "A_CostCenter_2"], "and what the action does not take"
    assert sorted(held(s4)) == ["2025-06-30", FOREVER] and drift(s4, changed) == []


def test_a_plan_that_was_withdrawn_leaves_no_trace_of_its_values(s4: Platform) -> None:
    """A validity period cannot be taken away; it says the same as its neighbour, and both are one to us."""
    push(s4, center(("2019-01-01", "2099-01-01", {}), ("2099-01-01", None, {"name": "Planned"})))
    plain = center(("2019-01-01", None, {}))
    outcome = push(s4, plain, key="A000/DE-7700")
    assert (outcome.effect, outcome.verified) == ("updated", True)
    assert {period["CostCenterName"] for period in held(s4).values()} == {"Contract test"} and len(held(s4)) == 2
    assert drift(s4, plain) == [] and push(s4, plain, key="A000/DE-7700").effect == "unchanged"


def test_what_would_hold_after_the_end_takes_no_postings(s4: Platform) -> None:
    push(s4, center(("2019-01-01", "2099-01-01", {}), ("2099-01-01", None, {"name": "Planned"})))
    closed = center(("2019-01-01", "2098-07-01", {}))
    assert push(s4, closed, key="A000/DE-7700").verified
    assert "2098-06-30" in held(s4) and held(s4)[FOREVER]["IsBlkdForPrimaryCostsPosting"] is True
    assert [(item.kind, item.field) for item in drift(s4, closed)] == [("extra", "A_CostCenter_2[2099-01-01]")]


def test_a_push_that_was_cut_off_is_finished_by_the_next(s4: Platform) -> None:
    push(s4, center(("2019-01-01", None, {})))
    changed = center(("2019-01-01", "2025-07-01", {}), ("2025-07-01", None, {"name": "Later"}))
    s4.fail("half_applied:500")
    with pytest.raises(Ambiguous):
        push(s4, changed, key="A000/DE-7700")
    assert list(held(s4)) == ["2025-06-30"], "shortened, and what follows is missing"
    assert push(s4, changed, key="A000/DE-7700").verified and drift(s4, changed) == []


def test_the_words_of_sap_with_their_field(s4: Platform) -> None:
    with pytest.raises(Refused, match="Profit center A000/PC-GONE does not exist") as caught:
        push(s4, center(("2019-01-01", None, {"profit_center": "PC-GONE"})))
    assert [problem.field for problem in caught.value.problems] == ["ProfitCenter"]
    assert len(s4.control("GET", "records?type=cost_center")["records"]) == 3


def test_pages_of_a_scan_keep_a_cost_center_whole(s4: Platform) -> None:
    periods = [(f"20{year}-01-01", f"20{year + 1}-01-01", {"name": f"Year {year}"}) for year in range(10, 17)]
    push(s4, center(*periods))
    for size in (2, 3, 4, 50):
        scanned = {record.key: record for record in s4.connector(page_size=size).scan("cost_center")}
        assert list(scanned) == ["A000/DE-1000", "A000/DE-2100", "A000/DE-7700", "A000/DE-9999"], size
        assert scanned["A000/DE-7700"] == s4.connector().read("cost_center", "A000/DE-7700")


def test_another_controlling_area_is_another_cost_center(s4: Platform) -> None:
    push(s4, center(("2019-01-01", None, {})))
    connector = s4.connector(controlling_area="B000")
    assert connector.read("cost_center", "A000/DE-7700") is None and list(connector.scan("cost_center")) == []


def test_a_system_without_the_service_says_so(s4: Platform) -> None:
    health = s4.connector(cost_center_service="/sap/opu/odata4/sap/none").check()
    assert health.ok and "A_CostCenter_2" in health.missing


def test_the_service_is_found_where_the_target_says() -> None:
    options = {"cost_center_service": "/elsewhere", "controlling_area": "1000"}
    assert S4HanaConnector(Config("https://s4.example", options=options)).centers._area == "1000"
