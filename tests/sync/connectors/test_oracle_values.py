"""Values of Oracle's value sets: as documented against the sandbox, and what is particular to pushing them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sync import mapping
from sync.connectors.oracle_fusion.connector import RULES, OracleFusionConnector
from sync.errors import Refused, Stale
from sync.protocol import Outcome, Push
from tests.sync.sandboxes import Platform, platform

ROOT = "fscmRestApi/resources/11.13.18.05"
TODAY = datetime.now(UTC).date()
PERIOD = {"uid": "s1", "name": "Grue", "valid_from": "2019-01-01", "valid_to": None}
CENTER = {"code": "FR-7700", "name": "Grue", "status": "active", "blocked_for_costs": False, "slices": [PERIOD]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform("oracle_fusion", tmp_path_factory.mktemp("oracle") / "state.sqlite") as running:
        yield running


@pytest.fixture
def oracle(served: Platform) -> Platform:
    served.control("POST", "reset", {})
    return served


@pytest.fixture
def api(oracle: Platform) -> Iterator[httpx.Client]:
    headers = {"REST-Framework-Version": "4"}
    auth = ("mdm", oracle.secret)
    with httpx.Client(base_url=f"{oracle.url}/{ROOT}/", headers=headers, auth=auth) as client:
        yield client


def push(oracle: Platform, document: dict[str, Any], type: str = "cost_center", **changes: Any) -> Outcome:
    given = {"action": "upsert", "reference": "r", "idempotency_key": "1:x:1", "correlation_id": "c", **changes}
    payload = mapping.load(RULES, type).render(document)
    return oracle.connector(**given.pop("options", {})).push(Push(type=type, payload=payload, **given))


def raw(oracle: Platform, type: str = "cost_center") -> dict[str, dict[str, Any]]:
    return {row["key"]: row["fields"] for row in oracle.control("GET", f"records?type={type}")["records"]}


def ending(day: str, *more: dict[str, Any]) -> dict[str, Any]:
    return {**CENTER, "slices": [{**PERIOD, "valid_to": day}, *more]}


def values_at(api: httpx.Client, code: str) -> str:
    (found,) = api.get("valueSets", params={"q": f"ValueSetCode='{code}'"}).json()["items"]
    href = next(str(link["href"]) for link in found["links"] if link["rel"] == "child" and link["name"] == "values")
    return href.partition(f"{ROOT}/")[2]


def test_a_set_is_found_by_its_code_and_its_values_by_its_link(api: httpx.Client) -> None:
    """op-…-valuesets-get, …-child-values-get, …-post, …-patch."""
    path = values_at(api, "COST_CENTER")
    new = {"Value": "9000", "Description": "New", "EnabledFlag": "Y", "StartDateActive": "2026-01-01"}
    made = api.post(path, json=new)
    assert made.status_code == 201 and new.items() <= made.json().items() and made.json()["ValueId"]
    (item,) = api.get(path, params={"q": "Value='9000'"}).json()["items"]
    own = next(link for link in item["links"] if link["rel"] == "self")
    here = own["href"].partition(f"{ROOT}/")[2]
    tag = {"If-Match": f'"{own["properties"]["changeIndicator"]}"'}
    assert api.patch(here, json={"EnabledFlag": "N"}, headers=tag).json()["EnabledFlag"] == "N"
    assert api.patch(here, json={"EnabledFlag": "Y"}, headers=tag).status_code == 412
    assert api.post(path, json=new).status_code == 400, "a value stands once in its set"
    assert api.patch(here, json={"Value": "9001"}).status_code == 400, "and is never renamed"
    assert api.get("valueSets/COST_CENTER/child/values").status_code == 404, "addresses are not made up"
    page = api.get(path, params={"limit": 2, "onlyData": "true"}).json()
    assert (page["count"], page["hasMore"]) == (2, True) and "links" not in page["items"][0]


def test_oracle_knows_the_last_day_beforehand(oracle: Platform) -> None:
    """Our periods end on the first day on which they no longer hold, Oracle's on the last one on which they do."""
    end = TODAY + timedelta(days=40)
    push(oracle, ending(end.isoformat()))
    held = raw(oracle)["FR-7700"]
    assert held["StartDateActive"] == "2019-01-01" and held["EnabledFlag"] == "Y"
    assert held["EndDateActive"] == (end - timedelta(days=1)).isoformat()
    record = oracle.connector().read("cost_center", "FR-7700")
    assert record is not None and not record.blocked


def test_a_planned_change_closes_nothing(oracle: Platform) -> None:
    """The window is that of all periods; today's ends earlier."""
    soon = (TODAY + timedelta(days=40)).isoformat()
    push(oracle, ending(soon, {**PERIOD, "uid": "s2", "name": "Grues", "valid_from": soon}))
    assert raw(oracle)["FR-7700"].get("EndDateActive") is None


def test_the_last_day_is_a_day_of_use(oracle: Platform) -> None:
    push(oracle, ending((TODAY + timedelta(days=1)).isoformat()))
    record = oracle.connector().read("cost_center", "FR-7700")
    assert record is not None and not record.blocked and record.fields["EndDateActive"] == TODAY.isoformat()
    push(oracle, ending(TODAY.isoformat()), key="FR-7700")
    record = oracle.connector().read("cost_center", "FR-7700")
    assert record is not None and record.blocked


def test_accounts_carry_their_type_once(oracle: Platform) -> None:
    account = {**CENTER, "code": "NH-FR/618000", "number": "618000", "kind": "expense", "blocked_for_posting": False}
    assert push(oracle, account, "gl_account").key == "618000"
    assert raw(oracle, "gl_account")["618000"]["AccountType"] == "E"
    assert push(oracle, {**account, "kind": "asset"}, "gl_account", key="618000").effect == "unchanged"
    statistical = {**account, "number": "999000", "kind": "statistical"}
    push(oracle, statistical, "gl_account")
    assert "AccountType" not in raw(oracle, "gl_account")["999000"]


def test_what_moved_since_it_was_read_is_not_overwritten(oracle: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    push(oracle, CENTER)
    connector = oracle.connector()
    assert isinstance(connector, OracleFusionConnector)
    patch = connector._api.patch

    def late(item: Any, body: Any) -> None:
        oracle.control(
            "POST", "mutate", {"key": "FR-7700", "type": "cost_center", "field": "Description", "value": "?"}
        )
        patch(item, body)

    monkeypatch.setattr(connector._api, "patch", late)
    payload = mapping.load(RULES, "cost_center").render({**CENTER, "name": "Grues"})
    with pytest.raises(Stale):
        connector.push(Push("cost_center", "upsert", payload, "r", "1:x:2", "c", key="FR-7700"))
    assert raw(oracle)["FR-7700"]["Description"] == "?"


def test_a_set_that_is_not_there_is_named(oracle: Platform) -> None:
    options = {"value_sets": {"cost_center": "KOSTENSTELLE"}}
    with pytest.raises(Refused, match="no value set KOSTENSTELLE"):
        push(oracle, CENTER, options=options)
    health = oracle.connector(**options).check()
    assert health.ok and "cannot be sent yet" in health.message and oracle.effects() == []
