"""Lookup values of Coupa: the documents' own examples against the sandbox, and what is particular to pushing them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync import mapping
from sync.connectors.coupa.connector import CoupaConnector
from sync.errors import Refused, Unauthorised
from sync.protocol import Config, Outcome, Push
from sync.sandbox import CLIENT_ID, SECRET
from tests.sync.connectors.coupa_world import MAPPING, World, world

CENTER = {
    "code": "DE-7700",
    "name": "Harbour crane",
    "status": "active",
    "validity": "current",
    "blocked_for_costs": False,
}


@pytest.fixture
def coupa(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as found:
        yield found


@pytest.fixture
def api(coupa: World) -> Iterator[httpx.Client]:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
    form["scope"] = "core.accounting.read core.accounting.write"
    token = httpx.post(f"{coupa.running.url}/oauth2/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    with httpx.Client(base_url=f"{coupa.running.url}/api/", headers=headers) as client:
        yield client


def push(coupa: World, document: dict[str, Any], type: str = "cost_center", **changes: Any) -> Outcome:
    payload = mapping.load(MAPPING, type).render(document)
    given = {"action": "upsert", "reference": "r", "idempotency_key": "1:x:1", "correlation_id": "c", **changes}
    return connector(coupa).push(Push(type=type, payload=payload, **given))


def connector(coupa: World, **options: Any) -> CoupaConnector:
    return CoupaConnector(Config(coupa.running.url, CLIENT_ID, SECRET, timeout=2.0, options=options))


def raw(coupa: World, type: str = "cost_center") -> dict[str, dict[str, Any]]:
    return {row["key"]: row["fields"] for row in coupa.control(f"records?type={type}")["records"]}


# As documented


def test_the_example_of_creating_one(api: httpx.Client) -> None:
    """“Lookup Values Create”, as JSON: no ids, the lookup by its name."""
    new = {"name": "TestAccount2", "description": "DescAccountNo2", "external-ref-num": "ExtRefAccnt2"}
    made = api.post("lookup_values", json={**new, "active": "yes", "lookup": {"name": "Account"}})
    assert made.status_code == 201
    shown = api.get(f"lookup_values/{made.json()['id']}").json()
    assert new.items() <= shown.items() and shown["active"] is True and shown["depth"] == 0
    assert shown["external-ref-code"] == "ExtRefAccnt2" and shown["lookup"] == {"id": 1, "name": "Account"}
    assert shown["lookup-id"] == 1 and shown["parent-id"] is None and shown["account-type"] is None


def test_the_examples_of_changing_one(api: httpx.Client) -> None:
    """“To activate or deactivate a lookup value”, “Sample Code to Update the lookup for a lookup value”."""
    id = api.get("lookup_values", params={"external_ref_num": "DE_1000"}).json()[0]["id"]
    assert api.put(f"lookup_values/{id}", json={"active": False}).json()["active"] is False
    assert api.put(f"lookup_values/{id}", json={"lookup-id": 3}).json()["lookup"]["name"] == "Profit Center"
    assert api.get(f"lookup_values/{id}").json()["description"] == "Management"
    assert api.get("lookup_values/999").status_code == 404


def test_the_examples_of_asking(api: httpx.Client) -> None:
    """“Different Query Options for Lookup Values”."""
    active = api.get("lookup_values", params={"active": "true"}).json()
    assert active and all(one["active"] for one in active)
    assert len(api.get("lookup_values", params={"created_at[gt]": "2014-04-22"}).json()) == len(active) + 1
    centers = api.get("lookup_values", params={"lookup[name]": "Cost Center", "fields": '["id", "name"]'}).json()
    assert len(centers) == 4 and set(centers[0]) == {"id", "name"}
    assert api.get("lookup_values", params={"colour": "red"}).status_code == 400


def test_the_example_as_xml(api: httpx.Client) -> None:
    id = api.get("lookup_values", params={"external_ref_num": "DE_1000"}).json()[0]["id"]
    text = api.get(f"lookup_values/{id}", headers={"Accept": "application/xml"}).text
    assert f'<lookup-value><id type="integer">{id}</id>' in text and '<parent-id nil="true"/>' in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"external-ref-num": "DE_1000"}, "External ref num has already been taken"),
        ({"name": "DE-1000 Management"}, "Name has already been taken"),
        ({"lookup": {"name": "Colour"}}, "Lookup can't be blank"),
        ({"name": " "}, "Name can't be blank"),
        ({"external-ref-num": "DE-7"}, "hyphen"),
    ],
)
def test_what_is_refused(api: httpx.Client, changes: dict[str, Any], words: str) -> None:
    new = {"name": "New", "external-ref-num": "NEW", "lookup": {"name": "Cost Center"}, **changes}
    answer = api.post("lookup_values", json=new)
    assert answer.status_code == 400 and words in str(answer.json()["errors"]["lookup_value"])


def test_a_token_for_suppliers_is_none_for_lookup_values(coupa: World) -> None:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
    token = httpx.post(f"{coupa.running.url}/oauth2/token", data={**form, "scope": "core.supplier.read"}).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert httpx.get(f"{coupa.running.url}/api/lookup_values", headers=headers).status_code == 403


# Pushing


def test_no_hyphen_reaches_a_code_and_equal_names_stand_apart(coupa: World) -> None:
    """Coupa joins codes by hyphens and keeps every name of a lookup once."""
    for code in ("DE-7700", "GB-7700"):
        assert push(coupa, {**CENTER, "code": code, "name": "Management"}).effect == "created"
    held = raw(coupa)
    assert held["DE_7700"]["name"] == "DE-7700 Management" and held["GB_7700"]["name"] == "GB-7700 Management"
    assert {held[key]["description"] for key in ("DE_7700", "GB_7700")} == {"Management"}


def test_only_what_differs_is_sent(coupa: World) -> None:
    push(coupa, CENTER)
    outcome = push(coupa, {**CENTER, "blocked_for_costs": True}, key="DE_7700")
    (write,) = [said for said in outcome.exchanges if said.method == "PUT"]
    assert write.request == '{"active":false}' and raw(coupa)["DE_7700"]["active"] is False


def test_one_code_in_two_lookups_is_two_values(coupa: World) -> None:
    assert push(coupa, CENTER).key == "DE_7700"
    profit = {**CENTER, "blocked": False}
    assert push(coupa, profit, "profit_center").effect == "created"
    assert set(raw(coupa, "profit_center")) == {"PC_CORP", "DE_7700"}


def test_what_coupa_calls_a_lookup_is_an_option(coupa: World) -> None:
    named = connector(coupa, lookups={"cost_center": "Project"})
    payload = mapping.load(MAPPING, "cost_center").render(CENTER)
    named.push(Push("cost_center", "upsert", payload, "r", "1:x:1", "c"))
    assert "DE_7700" in raw(coupa, "project") and "DE_7700" not in raw(coupa)
    lost = connector(coupa, lookups={"cost_center": "Kostenstelle"})
    with pytest.raises(Refused, match="Lookup can't be blank"):
        lost.push(Push("cost_center", "upsert", payload, "r", "1:x:1", "c"))


def test_a_late_create_is_found_after_already_taken(coupa: World, monkeypatch: pytest.MonkeyPatch) -> None:
    push(coupa, CENTER)
    late = connector(coupa)
    look, blind = late._values._one, iter([None])
    monkeypatch.setattr(late._values, "_one", lambda *given: next(blind) if once.pop() else look(*given))
    once = [False, True]
    payload = mapping.load(MAPPING, "cost_center").render(CENTER)
    outcome = late.push(Push("cost_center", "upsert", payload, "r", "1:x:1", "c"))
    assert (outcome.key, outcome.effect) == ("DE_7700", "unchanged")


def test_a_value_of_a_further_type_names_its_lookup_in_its_key(coupa: World) -> None:
    """A type whose values stand in several lookups needs a mapping entry that says which, and nothing else."""
    values = connector(coupa, lookups={"REGION": "Project"})._values
    rules = mapping.load(MAPPING, "project")
    values._rules = {"dimension_value": rules}
    payload = {**rules.render({**CENTER, "code": "NORTH", "stage": "released"}), "lookup.name": "REGION"}
    outcome = values.push(Push("dimension_value", "upsert", payload, "r", "1:x:1", "c"))
    assert (outcome.key, outcome.effect, outcome.verified) == ("REGION/NORTH", "created", True)
    assert [one.key for one in values.scan("dimension_value", None)] == ["REGION/NORTH"]
    held = values.read("dimension_value", "REGION/NORTH")
    assert held is not None and held.fields["lookup.name"] == "Project"
    block = Push("dimension_value", "block", {}, "r", "1:x:2", "c", key="REGION/NORTH")
    assert values.push(block).effect == "blocked" and values.push(block).effect == "unchanged"


def test_the_check_says_what_cannot_be_reached(coupa: World) -> None:
    assert "Lookup values can be read." in connector(coupa).check().message
    health = connector(coupa, accounting_scope="core.supplier.read").check()
    assert health.ok and "Lookup values cannot be reached" in health.message
    with pytest.raises(Unauthorised):
        connector(coupa, accounting_scope="core.supplier.read").read("cost_center", "DE_1000")
