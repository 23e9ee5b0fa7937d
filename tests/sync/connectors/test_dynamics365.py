"""What is particular to vendors of Dynamics 365 Finance: companies, numbers of our own, ETags, bank accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync import auth
from sync.connectors.dynamics365.wire import Api
from sync.errors import NotSupported, Refused, Stale, Unauthorised
from sync.protocol import Push
from tests.sync.connectors.dynamics365_world import PARTY, ask, in_companies, keys, push_of, raw
from tests.sync.sandboxes import REFERENCE, Platform, platform, supplier

CHOICE = {"companies": {"NH10": "nh10"}}
SECOND = {"companies": {"NH20": "nh20"}}


@pytest.fixture
def d365(tmp_path: Path) -> Iterator[Platform]:
    with platform("dynamics365", tmp_path / "state.sqlite") as running:
        yield running


# Companies


def test_the_key_names_the_company(d365: Platform) -> None:
    outcome = d365.connector().push(push_of(in_companies("NH20", code="S-000123")))
    assert (outcome.key, outcome.effect, outcome.verified) == ("nh20/S-000123", "created", True)
    assert raw(d365, outcome.key)["dataAreaId"] == "nh20"


def test_several_companies_are_one_vendor_each_through_a_target_each(d365: Platform) -> None:
    document = in_companies("NH10", "NH20")
    document["extensions"][1]["payment_terms"] = "NET90"
    first = d365.connector(company="nh10").push(push_of(document, CHOICE))
    second = d365.connector(company="nh20").push(push_of(document, SECOND))
    assert [outcome.effect for outcome in (first, second)] == ["created", "created"]
    assert first.verified and second.verified
    ours, theirs = raw(d365, first.key), raw(d365, second.key)
    assert ours["VendorAccountNumber"] == theirs["VendorAccountNumber"]
    assert ours["VendorPartyNumber"] == theirs["VendorPartyNumber"]  # one name, one address
    assert (ours["DefaultPaymentTermsName"], theirs["DefaultPaymentTermsName"]) == ("Net30", "Net90")
    renamed = {**document, "legal_name": "Contract Test Holding GmbH"}
    assert d365.connector(company="nh10").push(push_of(renamed, CHOICE, key=first.key)).effect == "updated"
    assert raw(d365, second.key)["VendorOrganizationName"] == "Contract Test Holding GmbH"
    assert d365.connector(company="nh20").push(push_of(renamed, SECOND, key=second.key)).effect == "unchanged"


def test_several_companies_in_one_target_are_refused_and_nothing_is_written(d365: Platform) -> None:
    with pytest.raises(Refused) as caught:
        d365.connector().push(push_of(in_companies("NH10", "NH20")))
    assert caught.value.problems[0].code == "several_companies" and "nh10, nh20" in caught.value.message
    assert d365.effects() == []


def test_the_settings_choose_where_the_value_map_does_not(d365: Platform) -> None:
    outcome = d365.connector(company="NH20").push(push_of(in_companies("NH10", "NH20")))
    assert outcome.key.startswith("nh20/") and outcome.verified


@pytest.mark.parametrize("values", [None, SECOND])
def test_a_supplier_without_an_extension_for_the_company_is_refused(d365: Platform, values: Any) -> None:
    with pytest.raises(Refused) as caught:
        d365.connector(company="nh20").push(push_of(in_companies("NH10"), values))
    assert caught.value.problems[0].code == "no_company"
    assert d365.effects() == []


@pytest.mark.parametrize("action", ["upsert", "block"])
def test_a_vendor_of_another_company_is_out_of_reach(d365: Platform, action: str) -> None:
    """Its key may stand in the crosswalk as a second one, which the hub would block."""
    push = replace(push_of(in_companies("NH10"), key="nh20/V-1001"), action=action)
    with pytest.raises(Refused) as caught:
        d365.connector(company="nh10").push(push)
    assert caught.value.problems[0].code == "other_company"
    assert d365.effects() == []


def test_reading_crosses_companies(d365: Platform) -> None:
    """The user's default company is nh01, which has no vendors at all."""
    assert ask(d365, "GET", "VendorsV3")[1]["value"] == []
    assert [record.key for record in d365.connector().scan("supplier")] == keys(d365)
    only = [record.key for record in d365.connector(company="nh20").scan("supplier")]
    assert only == ["nh20/F-2001", "nh20/F-2002", "nh20/V-1001"]


# Numbers of our own


def test_a_create_without_a_number_would_double_and_ours_never_goes_without(d365: Platform) -> None:
    body = {"dataAreaId": "nh10", "VendorOrganizationName": "Twice", "VendorGroupId": "10"}
    made = [ask(d365, "POST", "VendorsV3?cross-company=true", body)[1]["VendorAccountNumber"] for _ in (1, 2)]
    assert len(set(made)) == 2
    d365.fail("timeout_after")
    impatient = d365.connector(timeout=1.0)
    impatient.check()
    with pytest.raises(Exception, match="No usable answer"):
        impatient.push(d365.push(supplier()))
    outcome = d365.connector().push(d365.push(supplier()))
    number = outcome.key.partition("/")[2]
    assert number.startswith("MDM-") and len(number) == 20
    assert sum(number in key for key in keys(d365)) == 1


def test_already_there_is_looked_at_and_compared(d365: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request arrives between our look and our create: the answer is “already exists”."""
    connector = d365.connector()
    original = Api.create

    def twice(api: Api, entity_set: str, body: Any) -> Any:
        if entity_set == "VendorsV3":
            original(api, entity_set, body)
        return original(api, entity_set, body)

    monkeypatch.setattr(Api, "create", twice)
    before = len(keys(d365))
    outcome = connector.push(d365.push(supplier()))
    assert outcome.verified and len(keys(d365)) == before + 1
    assert sum(effect["kind"] == "created" for effect in d365.effects()) == 1


def test_somebody_elses_vendor_at_our_number_is_left_alone(d365: Platform) -> None:
    before = raw(d365, "nh10/V-1003")
    with pytest.raises(Refused) as caught:
        d365.connector().push(push_of(supplier(code="V-1003", tax_registrations=[])))
    (problem,) = caught.value.problems
    assert problem.code == "exists"
    assert problem.message == (
        "Cannot create a record in Vendors (VendTable). Vendor account: V-1003. The record already exists."
    )
    assert raw(d365, "nh10/V-1003") == before
    same = supplier(code="V-1003", legal_name="Tannhof Reinigungsdienste", tax_registrations=[])
    assert d365.connector().push(push_of(same)).key == "nh10/V-1003"  # the same name: taken up


def test_a_known_tax_number_is_linked_when_more_agrees(d365: Platform) -> None:
    number = raw(d365, "nh10/V-1002")["TaxExemptNumber"]
    taxes = [{"uid": "t1", "country": "DE", "scheme": "VAT", "number": number}]
    with pytest.raises(Refused) as caught:
        d365.connector().push(push_of(supplier(tax_registrations=taxes)))
    assert "nh10/V-1002 “Ladebeck & Söhne Kartonagen KG”" in caught.value.message
    alike = supplier(tax_registrations=taxes, legal_name="LADEBECK & Söhne, Kartonagen KG")
    outcome = d365.connector().push(push_of(alike))
    assert (outcome.key, outcome.effect, outcome.verified) == ("nh10/V-1002", "updated", True)


def test_an_asterisk_is_no_wildcard_for_us(d365: Platform) -> None:
    """Finance reads `eq 'V-1*'` as “begins with V-1”; what comes back is looked at again."""
    assert d365.connector().find("supplier", "", push_of(supplier(code="V-1*", tax_registrations=[])).payload) is None


# Conditional writes


def test_somebody_was_quicker(d365: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = d365.connector()
    original = Api.change

    def meanwhile(*arguments: Any) -> Any:
        d365.control("POST", "mutate", {"key": "nh10/V-1001", "field": "AddressCity", "value": "Verden"})
        return original(*arguments)

    monkeypatch.setattr(Api, "change", meanwhile)
    with pytest.raises(Stale):
        connector.push(d365.push(supplier(), key="nh10/V-1001"))
    assert raw(d365, "nh10/V-1001")["AddressCity"] == "Verden" and d365.effects() == []
    monkeypatch.undo()
    assert connector.push(d365.push(supplier(), key="nh10/V-1001")).verified


def test_a_change_through_another_company_counts_too(d365: Platform) -> None:
    """The party is shared, so the ETag of the vendor here moves when it is changed there."""
    before = d365.connector().read("supplier", "nh10/V-1001")
    address = "VendorsV3(dataAreaId='nh20',VendorAccountNumber='V-1001')?cross-company=true"
    assert ask(d365, "PATCH", address, {"AddressCity": "Verden"})[0] == 200
    after = d365.connector().read("supplier", "nh10/V-1001")
    assert before and after and after.etag != before.etag
    assert after.fields["VendorsV3.AddressCity"] == "Verden"
    assert raw(d365, "nh20/V-1001")["VendorPartyNumber"] == PARTY


def test_one_change_is_one_request(d365: Platform) -> None:
    connector = d365.connector()
    key = connector.push(d365.push(supplier())).key
    outcome = connector.push(d365.push(supplier(website="https://neu.example"), key=key))
    writes = [one for one in outcome.exchanges if one.method != "GET"]
    assert [one.method for one in writes] == ["PATCH"] and '"PrimaryURL"' in writes[0].request
    assert "AddressCity" not in writes[0].request


# Holds


@pytest.mark.parametrize(
    ("payment", "purchasing", "hold"),
    [(False, False, "No"), (True, False, "Payment"), (False, True, "PurchOrder"), (True, True, "All")],
)
def test_blocks_of_the_extension_are_holds(d365: Platform, payment: bool, purchasing: bool, hold: str) -> None:
    document = supplier()
    document["extensions"][0].update(payment_block=payment, purchasing_block=purchasing)
    outcome = d365.connector().push(push_of(document))
    assert outcome.verified and raw(d365, outcome.key)["OnHoldStatus"] == hold


def test_never_on_hold_is_no_hold_and_stays(d365: Platform) -> None:
    outcome = d365.connector().push(d365.push(supplier(), key="nh10/V-1003"))
    assert outcome.verified and raw(d365, "nh10/V-1003")["OnHoldStatus"] == "Never"


def test_a_block_finds_its_vendor_by_our_reference_only(d365: Platform) -> None:
    assert d365.connector().push(Push("supplier", "block", {}, REFERENCE, "k", "c")).effect == "unchanged"
    key = d365.connector().push(d365.push(supplier())).key
    outcome = d365.connector().push(Push("supplier", "block", {}, REFERENCE, "k", "c"))
    assert (outcome.key, outcome.effect, outcome.verified) == (key, "blocked", True)


# Bank accounts


def accounts(d365: Platform, key: str) -> dict[str, str]:
    """Account id -> IBAN."""
    return {
        name.partition("[")[2].partition("]")[0]: value
        for name, value in raw(d365, key).items()
        if name.startswith("VendorBankAccounts[") and name.endswith(".IBAN")
    }


def test_a_changed_iban_keeps_the_account(d365: Platform) -> None:
    connector = d365.connector()
    key = connector.push(d365.push(supplier())).key
    ((id, iban),) = accounts(d365, key).items()
    assert iban == "DE89370400440532013000" and len(id) == 10
    changed = supplier()
    changed["bank_accounts"][0].update(iban="DE02120300000000202051", account_number="0000202051", bank_code="12030000")
    assert connector.push(d365.push(changed, key=key)).verified
    assert accounts(d365, key) == {id: "DE02120300000000202051"}


def test_accounts_added_at_once_are_two(d365: Platform) -> None:
    """Their ids come from uids that begin alike."""
    document = supplier()
    uids = ("0190b5a0-7e11-7cc4-9e0f-000000000001", "0190b5a0-7e11-7cc4-9e0f-000000000002")
    ibans = ("DE89370400440532013000", "DE02120300000000202051")
    base = {**document["bank_accounts"][0], "account_number": None, "bank_code": None}
    document["bank_accounts"] = [{**base, "uid": u, "iban": i} for u, i in zip(uids, ibans, strict=True)]
    outcome = d365.connector().push(push_of(document))
    assert outcome.verified and set(accounts(d365, outcome.key).values()) == set(ibans)


def test_an_account_only_finance_has_is_reported_and_left(d365: Platform) -> None:
    connector = d365.connector()
    document = supplier(bank_accounts=[])
    outcome = connector.push(d365.push(document, key="nh10/V-1001"))
    assert outcome.verified and list(accounts(d365, "nh10/V-1001")) == ["HAUSBANK"]
    record = connector.read("supplier", "nh10/V-1001")
    found = d365.mapping.compare(d365.mapping.render(document), record.fields if record else {})
    assert [(item.kind, item.field, item.sealed) for item in found] == [("extra", "VendorBankAccounts[HAUSBANK]", True)]


def test_an_account_that_was_refused_is_made_by_the_next_push(d365: Platform) -> None:
    d365.fail("refuse", match="POST /data/VendorBankAccounts")
    with pytest.raises(Refused):
        d365.connector().push(d365.push(supplier()))
    outcome = d365.connector().push(d365.push(supplier()))
    assert (outcome.effect, outcome.verified) == ("updated", True)
    assert list(accounts(d365, outcome.key).values()) == ["DE89370400440532013000"]


def test_days_that_mean_nothing_and_days_that_end(d365: Platform) -> None:
    connector = d365.connector()
    document = supplier()
    document["bank_accounts"][0].update(valid_from="2026-01-01", valid_to="2026-12-31")
    key = connector.push(d365.push(document)).key
    (held,) = [value for name, value in raw(d365, key).items() if name.endswith("ExpirationDate")]
    assert held == "2026-12-31T12:00:00Z"
    assert connector.push(d365.push(supplier(), key=key)).verified
    (held,) = [value for name, value in raw(d365, key).items() if name.endswith("ExpirationDate")]
    assert held == "1900-01-01T12:00:00Z"  # Finance has no null
    record = connector.read("supplier", key)
    assert record and not any(name.endswith("Date") for name in record.fields)


# Signing in


def test_tokens_end_and_are_renewed(d365: Platform) -> None:
    connector = d365.connector()
    assert connector.check().ok
    d365.sandbox.tokens.clear()  # Entra's hour is over
    assert connector.push(d365.push(supplier())).verified


def test_a_token_is_asked_for_once_an_hour(d365: Platform) -> None:
    connector = d365.connector()
    connector.check()
    tokens = [one for one in connector.exchanges() if one.url.endswith("/token")]
    connector.push(d365.push(supplier()))
    assert len(tokens) == 1 and not any(one.url.endswith("/token") for one in connector.exchanges())


def test_the_scope_is_the_environments_own(d365: Platform) -> None:
    health = d365.connector(scope="https://graph.microsoft.com/.default").check()
    assert not health.ok and "AADSTS1002012" in health.message
    auth.forget_tokens()
    with pytest.raises(Unauthorised, match="AADSTS7000215"):
        d365.connector(secret="wrong").push(d365.push(supplier()))


def test_only_what_the_connector_carries(d365: Platform) -> None:
    with pytest.raises(NotSupported):
        d365.connector().read("tax_code", "1")
