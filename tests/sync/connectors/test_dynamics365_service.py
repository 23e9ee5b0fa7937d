"""Dynamics 365's OData service as its documents show it: queries, pages, refusals, metadata; the other types."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.connectors.dynamics365.connector import MAPPING
from sync.connectors.dynamics365.metadata import read_metadata
from sync.connectors.dynamics365.wire import Api, explain, infolog, key_text
from sync.errors import NotSent, NotSupported, Refused, Stale, Throttled, Unmapped
from sync.http import Response
from sync.mapping import load
from tests.sync.connectors.dynamics365_world import ask, keys, push_of, raw, said
from tests.sync.sandboxes import Platform, extract, platform, supplier

TERM: dict[str, Any] = {
    "uid": "p1",
    "code": "NET75",
    "status": "active",
    "name": "75 days net",
    "net_days": 75,
    "discount_days": None,
    "discount_percent": None,
    "from_end_of_month": False,
}
ENTITY = {
    "uid": "l1",
    "code": "NH20",
    "status": "active",
    "name": "Nordhaven France SAS",
    "country": "FR",
    "currency": "EUR",
    "city": "Lyon",
    "vat_id": "FR29512748032",
    "lei": None,
}


@pytest.fixture
def d365(tmp_path: Path) -> Iterator[Platform]:
    with platform("dynamics365", tmp_path / "state.sqlite") as running:
        yield running


# [odata] Microsoft's page “Open Data Protocol (OData)”, its examples with our entities


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?$filter=dataAreaId eq 'nh30'&cross-company=true", ["UK-3001", "UK-3002"]),
        ("?cross-company=true&$top=3", ["V-1001", "V-1002", "V-1003"]),
        ("?$filter=VendorOrganizationName eq '*logistik*'&cross-company=true", ["V-1006"]),
        (
            "?cross-company=true&$filter=OnHoldStatus eq Microsoft.Dynamics.DataEntities.CustVendorBlocked'All'",
            ["V-1004"],
        ),
        ("?cross-company=true&$filter=CurrencyCode ne 'EUR' and not (CurrencyCode eq 'USD')", None),
        ("?cross-company=true&$orderby=VendorAccountNumber desc&$top=1", ["V-1006"]),
    ],
)
def test_examples_of_queries(d365: Platform, query: str, numbers: list[str] | None) -> None:
    status, answer = ask(d365, "GET", "VendorsV3" + query.replace(" ", "%20"))
    assert status == 200
    numbers = numbers or ["V-1004", "V-1005", "UK-3001", "UK-3002"]
    assert [vendor["VendorAccountNumber"] for vendor in answer["value"]] == numbers


def test_what_is_selected_and_nothing_else(d365: Platform) -> None:
    query = "VendorsV3?cross-company=true&$select=VendorAccountNumber,VendorOrganizationName&$top=1&$count=true"
    _, answer = ask(d365, "GET", query)
    assert answer["@odata.count"] == len(keys(d365))
    assert set(answer["value"][0]) == {"@odata.etag", "VendorAccountNumber", "VendorOrganizationName"}
    text = re.fullmatch(r'W/"(.+)"', answer["value"][0]["@odata.etag"])
    assert text and re.fullmatch(r"'\d+,\d+'", base64.b64decode(text[1]).decode())


def test_the_whole_key_must_be_given(d365: Platform) -> None:
    """[odata] “all fields in the entity key must be provided to make a successful OData call”"""
    assert ask(d365, "GET", "VendorsV3(VendorAccountNumber='V-1001')?cross-company=true")[0] == 400
    whole = "VendorsV3(dataAreaId='nh10',VendorAccountNumber='V-1001')"
    assert ask(d365, "GET", f"{whole}?cross-company=true")[0] == 200
    assert ask(d365, "GET", whole)[0] == 404  # not of the user's default company


def test_names_are_case_sensitive_and_enums_travel_as_words(d365: Platform) -> None:
    key = "VendorsV3(dataAreaId='nh10',VendorAccountNumber='V-1001')?cross-company=true"
    status, answer = ask(d365, "PATCH", key, {"onHoldStatus": "All"})
    assert status == 400 and "'onHoldStatus' does not exist" in answer["error"]["innererror"]["message"]
    for wrong in ("all", 2, True):
        status, answer = ask(d365, "PATCH", key, {"OnHoldStatus": wrong})
        assert status == 400 and "CustVendorBlocked" in answer["error"]["innererror"]["message"]
    assert ask(d365, "PATCH", key, {"OnHoldStatus": "All"})[1]["OnHoldStatus"] == "All"


def test_quotes_in_keys_are_doubled(d365: Platform) -> None:
    assert key_text({"dataAreaId": "usmf", "Name": "it's"}) == "dataAreaId='usmf',Name='it''s'"
    assert key_text({"LegalEntityId": "USMF"}) == "'USMF'"
    outcome = d365.connector().push(push_of(supplier(code="O'HARA & 5%", tax_registrations=[])))
    assert outcome.key == "nh10/O'HARA & 5%" and outcome.verified
    found = d365.connector().read("supplier", outcome.key)
    assert found is not None and found.key == outcome.key


# Pages


def test_pages_are_followed_by_their_links(d365: Platform) -> None:
    connector = d365.connector(page_size=3)
    found = [record.key for record in connector.scan("supplier")]
    assert found == keys(d365) and len(found) == 13
    pages = [path for method, path in said(connector) if path == "VendorsV3"]
    assert len(pages) == 5
    with_accounts = [record for record in d365.connector(page_size=3).scan("supplier") if _has_account(record.fields)]
    assert len(with_accounts) == 8


def _has_account(fields: dict[str, Any]) -> bool:
    return any(name.startswith("VendorBankAccounts[") for name in fields)


def test_a_vendor_that_comes_twice_is_given_once(d365: Platform) -> None:
    """Somebody adds a vendor at the front while pages are read: the last of one page is the first of the next."""
    scan = d365.connector(page_size=3).scan("supplier")
    found = [next(scan).key]
    body = {"dataAreaId": "nh10", "VendorAccountNumber": "A-0001", "VendorOrganizationName": "N", "VendorGroupId": "10"}
    assert ask(d365, "POST", "VendorsV3?cross-company=true", body)[0] == 201
    found += [record.key for record in scan]
    assert len(found) == len(set(found)) == 13


def test_a_link_to_another_server_gets_no_token(d365: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Api.object_of

    def elsewhere(api: Api, response: Response) -> dict[str, Any]:
        return {**original(api, response), "@odata.nextLink": "http://127.0.0.2:1/data/VendorsV3?$skip=1"}

    monkeypatch.setattr(Api, "object_of", elsewhere)
    with pytest.raises(NotSent, match="another server"):
        list(d365.connector().scan("supplier"))


# Refusals


def test_the_reasons_are_read_from_the_infolog() -> None:
    """Published refusals of Finance: the message says nothing, the Infolog says it and much besides."""
    log = (
        "Write failed for table row of type 'SalesOrderLineV3Entity'. Infolog: Warning: Inventory dimension Site is "
        "mandatory and must consequently be specified.; Error: Update has been canceled.."
    )
    assert infolog(log) == ["Inventory dimension Site is mandatory and must consequently be specified."]
    log = (
        "Write failed for table row of type 'PurchPurchaseOrderLineV2Entity'. Infolog: Warning: Item 'L-10780-02' is "
        "blocked for 'Purchase order'.; Warning: validateWrite failed on data source 'PurchLine (PurchLine)'."
    )
    body = {"error": {"code": "", "message": "An error has occurred.", "innererror": {"message": log}}}
    words, problems = explain(Response(400, {}, json.dumps(body).encode()))
    assert words == problems[0].message == "Item 'L-10780-02' is blocked for 'Purchase order'."
    assert explain(Response(502, {}, b"<html>")) == ("", ())


def test_every_reason_with_its_field(d365: Platform) -> None:
    document = supplier(currency="XXX")
    document["addresses"][0]["country"] = "DE"
    values = {"payment_terms": {"NET30": "Net37"}}
    with pytest.raises(Refused) as caught:
        d365.connector().push(push_of(document, values))
    problems = {problem.field: problem.message for problem in caught.value.problems}
    assert problems["DefaultPaymentTermsName"] == (
        "The value 'Net37' in field 'Terms of payment' is not found in the related table 'Terms of payment'."
    )
    assert set(problems) == {"CurrencyCode", "DefaultPaymentTermsName"}


def test_finances_own_update_conflict_is_stale(d365: Platform) -> None:
    """Published words of Finance's record lock, which answers 400 and not 412."""
    d365.sandbox.conflicts = 1
    with pytest.raises(Stale, match="An update conflict occurred due to another user process"):
        d365.connector().push(d365.push(supplier(), key="nh10/V-1001"))
    assert d365.effects() == []
    assert d365.connector().push(d365.push(supplier(), key="nh10/V-1001")).verified


def test_too_long_for_a_field_is_said_before_anything_is_sent(d365: Platform) -> None:
    with pytest.raises(Refused, match="100 characters"):
        push_of(supplier(legal_name="x" * 101))
    with pytest.raises(Unmapped):
        push_of(supplier(addresses=[{**supplier()["addresses"][0], "country": "AQ"}]))


def test_throttled_while_reading(d365: Platform) -> None:
    """Resource-based: 429 with Retry-After whenever the servers are loaded, also for reads; nothing was written."""
    d365.fail("429", match="GET /data/VendorsV3")
    with pytest.raises(Throttled) as caught:
        d365.connector().push(d365.push(supplier()))
    assert caught.value.retry_after >= 1.0 and d365.effects() == []


# $metadata


def test_check_says_what_the_environment_lacks(d365: Platform) -> None:
    d365.sandbox.without = frozenset({"VendorBankAccounts"})
    health = d365.connector().check()
    assert health.ok and health.missing == ("VendorBankAccounts",)
    assert health.pushable == {"VendorsV3": True, "Company": True, "VendorBankAccounts": False}
    outcome = d365.connector().push(d365.push(supplier()))
    assert outcome.verified and not _has_account(raw(d365, outcome.key))


def test_check_knows_its_company(d365: Platform) -> None:
    assert d365.connector(company="NH10").check().ok
    health = d365.connector(company="usmf").check()
    assert not health.ok and "no company usmf" in health.message


def test_metadata_too_large_for_the_deadline(d365: Platform) -> None:
    d365.fail("timeout_before", match=r"\$metadata")
    health = d365.connector(timeout=1.0).check()
    assert health.ok and "$metadata could not be read" in health.message


def test_reading_metadata() -> None:
    document = b"""<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0"><edmx:DataServices>
    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Microsoft.Dynamics.DataEntities">
    <EntityType Name="VendorV3"><Key><PropertyRef Name="dataAreaId"/></Key><Property Name="dataAreaId" Type="Edm.String"/>
    </EntityType><EntityType Name="Other"/><EntityContainer Name="Resources">
    <EntitySet Name="VendorsV3" EntityType="Microsoft.Dynamics.DataEntities.VendorV3"/>
    <EntitySet Name="Others" EntityType="Microsoft.Dynamics.DataEntities.Other"/></EntityContainer></Schema>
    </edmx:DataServices></edmx:Edmx>"""
    assert read_metadata(document, {"VendorsV3", "LegalEntities"}) == {"VendorsV3": frozenset({"dataAreaId"})}
    with pytest.raises(NotSent):
        read_metadata(b"<edmx", {"VendorsV3"})


# Payment terms and companies


def test_a_payment_term_is_made_in_the_company_and_kept_current(d365: Platform) -> None:
    connector = d365.connector(company="nh10")
    outcome = connector.push(push_of(TERM, type="payment_term"))
    assert (outcome.key, outcome.effect, outcome.verified) == ("nh10/NET75", "created", True)
    again = connector.push(push_of(TERM, type="payment_term"))
    assert (again.key, again.effect) == ("nh10/NET75", "unchanged")
    changed = {**TERM, "name": "75 days, end of month", "from_end_of_month": True}
    assert connector.push(push_of(changed, type="payment_term", key=outcome.key)).effect == "updated"
    fields = raw(d365, "nh10/NET75", "payment_term")
    assert (fields["PaymentMethodType"], fields["NumberOfDays"]) == ("CurrentMth", 75)
    found = connector.find("payment_term", "", push_of(changed, type="payment_term").payload)
    assert found is not None and found == connector.read("payment_term", outcome.key)


def test_a_payment_term_that_is_there_is_taken_up_by_its_code(d365: Platform) -> None:
    term = {**TERM, "code": "NET30", "name": "30 days net", "net_days": 30}
    outcome = d365.connector(company="nh10").push(push_of(term, type="payment_term"))
    assert (outcome.key, outcome.effect) == ("nh10/Net30", "updated")
    assert raw(d365, "nh10/Net30", "payment_term")["Description"] == "30 days net"
    assert raw(d365, "nh20/Net30", "payment_term")["Description"] == "Net 30 days"
    scanned = [record.key for record in d365.connector(company="nh10").scan("payment_term")]
    assert "nh10/Net30" in scanned and len(scanned) == 9


def test_a_lost_payment_term_is_made_once(d365: Platform) -> None:
    connector = d365.connector(company="nh10", timeout=1.0)
    connector.check()
    d365.fail("reset_after")
    with pytest.raises(Exception, match="No usable answer"):
        connector.push(push_of(TERM, type="payment_term"))
    assert connector.push(push_of(TERM, type="payment_term")).verified
    assert [effect["kind"] for effect in d365.effects()] == ["created"]


def test_what_a_payment_term_cannot_be_here(d365: Platform) -> None:
    discounted = {**TERM, "discount_percent": "2.00", "discount_days": 10}
    with pytest.raises(Unmapped) as caught:
        push_of(discounted, type="payment_term")
    assert caught.value.table == "discounts"
    accepted = push_of(discounted, {"discounts": {"2.00": "left out"}}, type="payment_term")
    assert d365.connector(company="nh10").push(accepted).verified
    with pytest.raises(Refused, match="stands in one company"):
        d365.connector().push(push_of(TERM, type="payment_term"))
    with pytest.raises(NotSupported):
        d365.connector(company="nh10").push(push_of(TERM, type="payment_term", action="block", key="nh10/NET75"))


def test_companies_are_kept_current_and_never_made(d365: Platform) -> None:
    connector = d365.connector()
    outcome = connector.push(push_of(ENTITY, type="legal_entity"))
    assert (outcome.key, outcome.effect, outcome.verified) == ("NH20", "updated", True)
    assert raw(d365, "NH20", "legal_entity")["VATNum"] == "FR29512748032"
    assert connector.push(push_of(ENTITY, type="legal_entity", key="NH20")).effect == "unchanged"
    with pytest.raises(Refused, match="set up there"):
        connector.push(push_of({**ENTITY, "code": "NH77"}, type="legal_entity"))
    assert [record.key for record in connector.scan("legal_entity")][:2] == ["NH01", "NH10"]


def test_the_extract_has_real_check_digits() -> None:
    with Path(extract("dynamics365")).open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    ibans = [row["IBAN"] for row in rows if row["IBAN"]]
    assert len(rows) == 13 and len(ibans) == 7
    for iban in ibans:
        assert int("".join(str(int(mark, 36)) for mark in iban[4:] + iban[:4])) % 97 == 1


# Dimensions and accounts


def test_a_value_of_a_dimension_is_found_by_its_code_alone(d365: Platform) -> None:
    """[csdl] ledger: the key of a value has three parts, of which the target's settings give two."""
    held = {record.key: record.fields for record in d365.connector().scan("cost_center")}
    assert held["DE-2100"]["FinancialDimensionValues.Description"] == "Giesserei" and "PC-CORP" not in held
    key = "FinancialDimension='CostCenter',LegalEntityId='',DimensionValue='DE-2100'"
    status, answer = ask(d365, "GET", f"FinancialDimensionValues({key})?cross-company=true")
    assert status == 200 and answer["Description"] == "Giesserei" and answer["ActiveTo"].startswith("1900-01-01")


def test_the_options_name_another_dimension(d365: Platform) -> None:
    """An installation may keep its cost centers in any dimension it has."""
    connector = d365.connector(dimensions={"cost_center": "Project"})
    assert [record.key for record in connector.scan("cost_center")] == ["P-OLD"]
    with pytest.raises(Refused, match="Dimension"):
        d365.connector(dimensions={"cost_center": "Nowhere"}).push(push_of(CENTER, type="cost_center"))


CENTER: dict[str, Any] = {
    "uid": "c1",
    "code": "DE-7700",
    "status": "active",
    "name": "Foundry",
    "blocked_for_costs": False,
    "validity": "current",
    "slices": [
        {"uid": "s1", "name": "Foundry", "valid_from": "2019-01-01", "valid_to": "2026-01-01"},
        {"uid": "s2", "name": "Foundry 2", "valid_from": "2026-01-01", "valid_to": "2031-01-01"},
    ],
}


def test_a_value_is_active_over_all_periods(d365: Platform) -> None:
    """Not only over the one that is shown today: a planned change of the name must close nothing."""
    connector = d365.connector()
    assert connector.push(push_of(CENTER, type="cost_center")).verified
    fields = raw(d365, "CostCenter//DE-7700", "cost_center")
    assert (fields["ActiveFrom"], fields["ActiveTo"]) == ("2019-01-01T12:00:00Z", "2030-12-31T12:00:00Z")
    assert fields["IsSuspended"] == "No"
    changes = load(MAPPING, "cost_center").adopt("FinancialDimensionValues.ActiveTo", "2031-12-31T12:00:00Z", CENTER)
    assert changes == [{"path": "slices/s2/valid_to", "value": "2032-01-01"}]


def test_a_statistical_account_is_a_gap_in_the_mapping(d365: Platform) -> None:
    account = {
        "uid": "g1",
        "chart": "NH-GROUP",
        "number": "900100",
        "name": "Heads",
        "kind": "statistical",
        "slices": [],
    }
    with pytest.raises(Unmapped) as caught:
        push_of({**account, "status": "active", "validity": "current"}, type="gl_account")
    assert caught.value.table == "account_types"
