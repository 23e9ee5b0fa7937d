"""The connector against mock-sap, a server written by somebody else: its protocol is not of our making."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sync.auth import forget_tokens
from sync.connectors.s4hana import catalogue
from sync.connectors.s4hana.connector import MAPPING, S4HanaConnector
from sync.errors import Ambiguous, NotSupported, Refused, Stale, Throttled
from sync.mapping import load
from sync.protocol import Config, Outcome, Push
from tests.ports import free_port
from tests.sync.sandboxes import REFERENCE, supplier

SERVICE = "/sap/opu/odata/sap/API_BUSINESS_PARTNER_SRV"
# It has no BusinessPartnerIDByExtSystem, so the search term carries our reference; and it wants to be told
# the number of a new address, which SAP gives itself.
OPTIONS = {
    "service": SERVICE,
    "reference_field": "SearchTerm1",
    "on_create": {"A_BusinessPartnerAddress.AddressID": "1"},
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "mocksap", "--host", "127.0.0.1", "--port", str(port), "--quiet"]
    command += ["--oauth", "mdm:mdm-sandbox-secret", "--require-if-match", "--slow-ms", "2000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                ask(url, "GET", "/_mock/health")
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def mock(address: str) -> str:
    forget_tokens()
    catalogue.forget()
    ask(address, "POST", "/_mock/reset", {})
    return address


def ask(address: str, method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.load(response)


def plan(address: str, method: str, **rule: Any) -> None:
    ask(address, "POST", "/_mock/faults", {"match": "A_BusinessPartner", "method": method, "count": 1, **rule})


def connect(address: str, timeout: float = 10.0, **options: Any) -> S4HanaConnector:
    given = {**OPTIONS, **options}
    return S4HanaConnector(Config(address, "mdm", "mdm-sandbox-secret", timeout=timeout, options=given))


def push(document: dict[str, Any], **changes: Any) -> Push:
    payload = load(MAPPING, "supplier").render(document)
    given: dict[str, Any] = {"action": "upsert", "key": None, **changes}
    return Push("supplier", payload=payload, reference=REFERENCE, idempotency_key="k", correlation_id="c", **given)


def count(connector: S4HanaConnector) -> int:
    return len(connector.session.results("A_BusinessPartner", {"format": "json"}))


def test_what_it_lacks_is_discovered(mock: str) -> None:
    health = connect(mock).check()
    assert health.ok
    assert health.pushable["A_BusinessPartner"] and health.pushable["A_BusinessPartnerBank"]
    assert set(health.missing) == {
        "A_AddressEmailAddress",
        "A_AddressHomePageURL",
        "A_AddressPhoneNumber",
        "A_BuPaIdentification",
        "A_BusinessPartnerTaxNumber",
        "A_CostCenter_2",
        "A_Supplier",
        "A_SupplierCompany",
        "A_SupplierPurchasingOrg",
    }
    assert not any(health.pushable.get(part) for part in health.missing)


def test_create_read_back_update(mock: str) -> None:
    connector = connect(mock)
    before = count(connector)
    outcome = connector.push(push(supplier()))
    assert (outcome.effect, outcome.verified) == ("created", True)
    assert outcome.key == "0001000025" and count(connector) == before + 1
    record = connector.read("supplier", outcome.key)
    assert record is not None
    assert record.fields["A_BusinessPartnerAddress.CityName"] == "Köln"
    assert record.fields["A_BusinessPartnerBank[0001].IBAN"] == "DE89370400440532013000"
    assert record.reference.startswith("MDM-")

    again = connector.push(push(supplier()))
    assert (again.key, again.effect) == (outcome.key, "unchanged")

    changed = supplier(legal_name="Contract Test Holding GmbH")
    changed["addresses"][0]["city"] = "Bonn"
    changed["bank_accounts"].append(
        {**changed["bank_accounts"][0], "uid": "b2", "iban": "GB33BUKB20201555555555", "country": "GB"}
    )
    changed["bank_accounts"][1].update(account_number=None, bank_code=None)
    updated = connector.push(push(changed, key=outcome.key))
    assert (updated.effect, updated.verified) == ("updated", True)
    record = connector.read("supplier", outcome.key)
    assert record is not None
    assert record.fields["A_BusinessPartner.OrganizationBPName1"] == "Contract Test Holding GmbH"
    assert record.fields["A_BusinessPartnerBank[0002].IBAN"] == "GB33BUKB20201555555555"
    assert count(connector) == before + 1


def test_a_record_that_was_there_is_updated(mock: str) -> None:
    connector = connect(mock)
    before = count(connector)
    key = next(iter(connector.scan("supplier"))).key
    outcome = connector.push(push(supplier(), key=key))
    assert (outcome.key, outcome.effect, outcome.verified) == (key, "updated", True)
    assert count(connector) == before


def test_a_create_that_was_applied_after_we_gave_up(mock: str) -> None:
    """The scenario `slow` commits after the client's time-out: the next push finds it and makes no second."""
    connector = connect(mock)
    before = count(connector)
    plan(mock, "POST", scenario="slow")
    impatient = connect(mock, timeout=0.8)
    impatient.check()
    with pytest.raises(Ambiguous):
        impatient.push(push(supplier()))
    time.sleep(2.0)
    assert count(connector) == before + 1
    outcome = connector.push(push(supplier()))
    assert outcome.effect == "unchanged" and outcome.verified
    assert count(connector) == before + 1


def test_a_create_that_never_arrived(mock: str) -> None:
    """The scenario `timeout` commits nothing: the next push looks, finds nothing, and creates."""
    connector = connect(mock)
    before = count(connector)
    plan(mock, "POST", scenario="timeout")
    impatient = connect(mock, timeout=0.8)
    impatient.check()
    with pytest.raises(Ambiguous):
        impatient.push(push(supplier()))
    assert impatient.find("supplier", REFERENCE, {}) is None
    outcome = connector.push(push(supplier()))
    assert outcome.effect == "created" and outcome.verified
    assert count(connector) == before + 1


def test_block(mock: str) -> None:
    connector = connect(mock)
    key = connector.push(push(supplier())).key
    assert connector.push(push(supplier(), key=key, action="block")).effect == "blocked"
    record = connector.read("supplier", key)
    assert record is not None and record.blocked


def test_several_are_made_in_one_request(mock: str) -> None:
    """Its `$batch` is its own work: looked for, made, one of them refused, read back."""
    connector = connect(mock)
    before = count(connector)
    pushes = [
        replace(push(supplier(legal_name=f"Serie {number} GmbH")), reference=f"{number}{REFERENCE[1:]}")
        for number in range(4)
    ]
    pushes[1].payload["A_BusinessPartnerBank[b1].IBAN"] = "DE00370400440532013000"
    assert connector.find_many(pushes) == [False] * 4
    first, wrong, *others = [answer.result for answer in connector.push_many(pushes)]
    assert isinstance(wrong, Refused) and "IBAN" in wrong.message
    for outcome, own in zip((first, *others), (pushes[0], *pushes[2:]), strict=True):
        assert isinstance(outcome, Outcome) and (outcome.effect, outcome.verified) == ("created", True)
        found = connector.find("supplier", own.reference, own.payload)
        assert found is not None and found.key == outcome.key
    assert count(connector) == before + 3
    assert connector.find_many(pushes) == [True, False, True, True]


@pytest.mark.parametrize(("scenario", "error"), [("busy", Throttled), ("lock", Throttled), ("precondition", Stale)])
def test_what_its_scenarios_mean(mock: str, scenario: str, error: type[Exception]) -> None:
    connector = connect(mock)
    connector.check()
    plan(mock, "POST", scenario=scenario)
    with pytest.raises(error):
        connector.push(push(supplier()))


@pytest.mark.parametrize("scenario", ["csrf", "expired-token"])
def test_a_session_that_ended_is_renewed(mock: str, scenario: str) -> None:
    connector = connect(mock)
    connector.check()
    plan(mock, "POST", scenario=scenario)
    assert connector.push(push(supplier())).verified


def test_its_refusal_in_its_words(mock: str) -> None:
    connector = connect(mock)
    wrong = push(supplier())
    wrong.payload["A_BusinessPartnerBank[b1].IBAN"] = "DE00370400440532013000"
    with pytest.raises(Refused) as caught:
        connector.push(wrong)
    assert "IBAN" in caught.value.message and "DE00370400440532013000" not in caught.value.message


def test_without_a_field_for_our_reference_nothing_is_created(mock: str) -> None:
    connector = connect(mock, reference_field="BusinessPartnerIDByExtSystem")
    health = connector.check()
    assert health.ok and "A_BusinessPartner.BusinessPartnerIDByExtSystem" in health.missing
    before = count(connector)
    with pytest.raises(NotSupported):
        connector.push(push(supplier()))
    assert count(connector) == before
    key = next(iter(connector.scan("supplier"))).key
    assert connector.push(push(supplier(), key=key)).verified  # updates by key still work
