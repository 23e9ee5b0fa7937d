"""What is particular to S/4HANA: sessions, ETags, children, references; against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.connectors.s4hana.catalogue import Catalogue
from sync.connectors.s4hana.connector import S4HanaConnector
from sync.connectors.s4hana.odata import address_of, iso, key_of
from sync.errors import NotSupported, Refused, Stale
from sync.protocol import Push
from tests.sync.sandboxes import REFERENCE, Platform, platform, supplier

SEED = """\ufeff\
Supplier;Name 1;Name 2;Search Term;Street;House Number;Postal Code;City;Region;Country;\
Telephone;E-Mail;Website;VAT Registration No.;DUNS;Bank Country;IBAN;SWIFT;Bank Key;\
Bank Account;Account Holder;Company Code;Reconciliation Account;Payment Terms;Currency;\
Account Group;Posting Block;Purchasing Block
0000100001;Alte Werke;AG;ALTE;Ring;5;50667;Köln;NW;DE;+49 1;a@alte.example;alte.example;DE129273398;;DE;\
DE02120300000000202051;BYLADEM1001;12030000;0000202051;Alte Werke AG;NH10;0000160000;Z030;EUR;ZNHV;X;
0000100002;Same Number One;;S;Ring;6;50667;Köln;;DE;;;;DE811569869;;;;;;;;NH10;0000160000;Z030;EUR;ZNHV;;
0000100003;Same Number Two;;S;Ring;6;50667;Köln;;DE;;;;DE811569869;;;;;;;;NH10;0000160000;Z030;EUR;ZNHV;;
;No Key;;;;;;;;;;;;;;;;;;;;;;;;;;
0000100004;;;;;;;;;;;;;;;;;;;;;;;;;;
100005;Short Key;;S;Ring;6;50667;Köln;;DE;;;;;;;;;;;;NH10;0000160000;Z999;EUR;ZNHV;;
"""


@pytest.fixture
def s4(tmp_path: Path) -> Iterator[Platform]:
    seed = tmp_path / "seed.csv"
    seed.write_text(SEED, "utf-8")
    with platform("s4hana", tmp_path / "state.sqlite", seed) as running:
        yield running


def raw(s4: Platform, key: str) -> dict[str, Any]:
    return next(dict(record["fields"]) for record in s4.records() if record["key"] == key)


def requests_of(outcome: Any) -> list[tuple[str, str]]:
    """(method, last part of the address) of what was said to the service."""
    return [
        (said.method, said.url.split("/API_BUSINESS_PARTNER/")[-1].split("?")[0])
        for said in outcome.exchanges
        if "/API_BUSINESS_PARTNER/" in said.url
    ]


def test_the_extract_becomes_business_partners(s4: Platform) -> None:
    assert [record["key"] for record in s4.records()] == [
        "0000100001",
        "0000100002",
        "0000100003",
        "0000100005",
    ]
    fields = raw(s4, "0000100001")
    assert fields["A_BusinessPartner.BusinessPartnerFullName"] == "Alte Werke AG"
    assert fields["A_SupplierCompany[NH10].SupplierIsBlockedForPosting"] is True
    assert fields["A_BusinessPartnerBank[0001].IBAN"] == "DE02120300000000202051"


def test_a_known_tax_number_is_linked_not_doubled(s4: Platform) -> None:
    before = len(s4.records())
    outcome = s4.connector().push(s4.push(supplier()))
    assert (outcome.key, outcome.effect, outcome.verified) == ("0000100001", "updated", True)
    assert len(s4.records()) == before
    fields = raw(s4, "0000100001")
    reference = fields["A_BusinessPartner.BusinessPartnerIDByExtSystem"]
    assert reference.startswith("MDM-") and len(reference) == 20
    assert fields["A_BusinessPartnerBank[0001].IBAN"] == "DE89370400440532013000"
    found = s4.connector().find("supplier", REFERENCE, {})
    assert found is not None and found.key == "0000100001"


def test_a_tax_number_of_another_record_of_ours_is_not_taken(s4: Platform) -> None:
    """Two golden records may share a number (a VAT group); each keeps its own business partner."""
    connector = s4.connector()
    first = connector.push(s4.push(supplier()))
    other = connector.push(
        s4.push(supplier(legal_name="Zweite GmbH"), reference="11111111-2222-3333-4444-555555555555")
    )
    assert other.effect == "created" and other.key != first.key


def test_two_with_one_tax_number_are_a_decision_for_a_person(s4: Platform) -> None:
    number = [{"uid": "t1", "country": "DE", "scheme": "VAT", "number": "DE811569869"}]
    with pytest.raises(Refused) as caught:
        s4.connector().push(s4.push(supplier(tax_registrations=number)))
    assert "0000100002" in caught.value.message and "0000100003" in caught.value.message


def test_a_reference_of_somebody_else_is_left_alone(s4: Platform) -> None:
    field = "A_BusinessPartner.BusinessPartnerIDByExtSystem"
    s4.control("POST", "mutate", {"key": "0000100005", "field": field, "value": "LEGACY-77"})
    outcome = s4.connector().push(s4.push(supplier(), key="0000100005"))
    assert outcome.verified and raw(s4, "0000100005")[field] == "LEGACY-77"


def test_keys_without_leading_zeros(s4: Platform) -> None:
    record = s4.connector().read("supplier", "100005")
    assert record is not None and record.key == "0000100005"


def test_a_create_is_one_request(s4: Platform) -> None:
    document = supplier(tax_registrations=[])
    outcome = s4.connector().push(s4.push(document))
    assert [path for method, path in requests_of(outcome) if method == "POST"] == ["A_BusinessPartner"]
    assert outcome.key == "0001000001"  # the internal number range


def test_an_update_sends_what_differs_and_nothing_else(s4: Platform) -> None:
    connector = s4.connector()
    key = connector.push(s4.push(supplier(tax_registrations=[]))).key
    changed = supplier(tax_registrations=[], website="https://neu.example")
    changed["bank_accounts"].append(
        {**changed["bank_accounts"][0], "uid": "b2", "iban": "GB33BUKB20201555555555", "country": "GB"}
    )
    changed["bank_accounts"][1].update(account_number=None, bank_code=None)
    changed["extensions"].append({**changed["extensions"][0], "uid": "e2", "legal_entity": "NH20"})
    outcome = connector.push(s4.push(changed, key=key))
    assert outcome.verified
    writes = [(method, path) for method, path in requests_of(outcome) if method != "GET"]
    assert [method for method, _ in writes] == ["PATCH", "POST", "POST", "POST"]
    assert writes[0][1].startswith("A_AddressHomePageURL(")
    assert {path.rpartition("/")[2] for _, path in writes[1:]} == {
        "to_BusinessPartnerBank",
        "to_SupplierCompany",
        "to_SupplierPurchasingOrg",
    }
    assert raw(s4, key)["A_BusinessPartnerBank[0002].IBAN"] == "GB33BUKB20201555555555"


def test_a_changed_account_number_replaces_and_does_not_add(s4: Platform) -> None:
    connector = s4.connector()
    key = connector.push(s4.push(supplier(tax_registrations=[]))).key
    changed = supplier(tax_registrations=[])
    changed["bank_accounts"][0].update(iban="DE02120300000000202051", account_number="0000202051", bank_code="12030000")
    assert connector.push(s4.push(changed, key=key)).verified
    fields = raw(s4, key)
    assert fields["A_BusinessPartnerBank[0001].IBAN"] == "DE02120300000000202051"
    assert "A_BusinessPartnerBank[0002].IBAN" not in fields


def test_an_account_only_sap_knows_is_reported_and_left(s4: Platform) -> None:
    connector = s4.connector()
    key = connector.push(s4.push(supplier(tax_registrations=[]))).key
    for leaf, value in {"BankIdentification": "0007", "IBAN": "DE02120300000000202051"}.items():
        field = f"A_BusinessPartnerBank[0007].{leaf}"
        s4.control("POST", "mutate", {"key": key, "field": field, "value": value})
    record = connector.read("supplier", key)
    assert record is not None
    payload = s4.mapping.render(supplier(tax_registrations=[]))
    found = s4.mapping.compare(payload, record.fields)
    assert [(d.kind, d.field, d.sealed) for d in found] == [("extra", "A_BusinessPartnerBank[0007]", True)]
    assert connector.push(s4.push(supplier(tax_registrations=[]), key=key)).effect == "unchanged"


def test_somebody_was_quicker(s4: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our read and our write the business partner changes: 412, nothing is overwritten."""
    connector = s4.connector()
    field = "A_BusinessPartner.SearchTerm2"
    original = S4HanaConnector._link

    def meanwhile(*args: Any) -> Any:
        s4.control("POST", "mutate", {"key": "0000100001", "field": field, "value": "QUICK"})
        return original(*args)

    monkeypatch.setattr(S4HanaConnector, "_link", meanwhile)
    with pytest.raises(Stale):
        connector.push(s4.push(supplier(), key="0000100001"))
    assert raw(s4, "0000100001")["A_BusinessPartner.OrganizationBPName1"] == "Alte Werke"
    monkeypatch.undo()
    assert connector.push(s4.push(supplier(), key="0000100001")).verified


def test_a_new_session_gets_a_new_csrf_token(s4: Platform) -> None:
    connector = s4.connector()
    key = connector.push(s4.push(supplier(tax_registrations=[]))).key
    s4.sandbox.forget_sessions()
    assert connector.push(s4.push(supplier(tax_registrations=[], website="neu.example"), key=key)).verified


def test_basic_sign_in(s4: Platform) -> None:
    assert s4.connector(auth="basic").check().ok
    assert not s4.connector(auth="basic", secret="wrong").check().ok


def test_an_interrupted_update_is_finished_by_the_next(s4: Platform) -> None:
    connector = s4.connector()
    key = connector.push(s4.push(supplier(tax_registrations=[]))).key
    changed = supplier(tax_registrations=[], legal_name="Neuer Name GmbH")
    changed["extensions"][0]["payment_terms"] = "NET90"
    s4.fail("refuse", match="PATCH .*A_SupplierCompany")
    with pytest.raises(Refused):
        connector.push(s4.push(changed, key=key))
    assert raw(s4, key)["A_BusinessPartner.OrganizationBPName1"] == "Neuer Name GmbH"  # half of it is there
    outcome = connector.push(s4.push(changed, key=key))
    assert outcome.verified and raw(s4, key)["A_SupplierCompany[NH10].PaymentTerms"] == "Z090"
    assert not any("A_BusinessPartner(" in path for method, path in requests_of(outcome) if method == "PATCH")


def test_a_partner_without_the_supplier_role_becomes_a_supplier(s4: Platform) -> None:
    store = s4.sandbox.store
    row = store.get("supplier", "0000100005")
    assert row is not None
    kept = {
        name: value
        for name, value in row.fields.items()
        if not name.startswith(("A_Supplier", "A_BusinessPartnerRole")) and name != "A_BusinessPartner.Supplier"
    }
    store.put("supplier", "0000100005", kept)
    assert s4.connector().push(s4.push(supplier(), key="0000100005")).verified
    fields = raw(s4, "0000100005")
    assert fields["A_Supplier.Supplier"] == "0000100005"
    assert fields["A_SupplierCompany[NH10].CompanyCode"] == "NH10"


def test_sap_words_and_fields_of_a_refusal(s4: Platform) -> None:
    push = s4.push(
        supplier(tax_registrations=[]),
    )
    wrong = {**push.payload, "A_BusinessPartnerBank[b1].IBAN": "DE00370400440532013000"}
    with pytest.raises(Refused) as caught:
        s4.connector().push(replace(push, payload=wrong))
    (problem,) = caught.value.problems
    assert problem.field == "IBAN" and "check digits" in problem.message
    assert len(s4.records()) == 4


def test_names_of_160_characters_and_no_more(s4: Platform) -> None:
    name = " ".join(["Donaudampfschifffahrt"] * 4)
    outcome = s4.connector().push(s4.push(supplier(legal_name=name, tax_registrations=[])))
    assert outcome.verified
    with pytest.raises(Refused):
        s4.mapping.render(supplier(legal_name="x" * 161))


def test_pages_of_a_scan(s4: Platform) -> None:
    keys = [record.key for record in s4.connector(page_size=2).scan("supplier")]
    assert keys == ["0000100001", "0000100002", "0000100003", "0000100005"]


def test_scan_since(s4: Platform) -> None:
    assert list(s4.connector().scan("supplier", changed_since="2999-01-01")) == []
    assert len(list(s4.connector().scan("supplier", changed_since="2020-01-01"))) == 4


def test_only_what_has_a_service(s4: Platform) -> None:
    with pytest.raises(NotSupported):
        s4.connector().read("gl_account", "1")
    push = Push("gl_account", "upsert", {}, REFERENCE, "k", "c")
    with pytest.raises(NotSupported):
        s4.connector().push(push)


def test_a_block_without_a_record_is_nothing_to_do(s4: Platform) -> None:
    push = Push("supplier", "block", {}, REFERENCE, "k", "c")
    outcome = s4.connector().push(push)
    assert (outcome.key, outcome.effect) == ("", "unchanged") and s4.effects() == []


def test_what_a_system_lacks_is_left_out() -> None:
    names = {"BusinessPartner": "Edm.String", "OrganizationBPName1": "Edm.String"}
    catalogue = Catalogue({"A_BusinessPartner": names, "A_SupplierCompany": {"CompanyCode": "Edm.String"}})
    assert catalogue.reachable() == ["A_BusinessPartner"]  # no way there without A_Supplier
    kept = catalogue.keep_known(
        {
            "A_BusinessPartner.OrganizationBPName1": "x",
            "A_BusinessPartner.LegalForm": "y",
            "A_SupplierCompany[1].CompanyCode": "z",
        }
    )
    assert kept == {"A_BusinessPartner.OrganizationBPName1": "x"}


def test_keys_and_dates() -> None:
    assert key_of(("A",), {"A": "it's"}) == "'it''s'"
    assert key_of(("A", "B"), {"A": "1", "B": True}) == "A='1',B=true"
    assert key_of(("A", "D"), {"A": "1", "D": "/Date(0)/"}) == "A='1',D=datetime'1970-01-01T00%3A00%3A00'"
    entity = {"__metadata": {"uri": "https://internal.host/x/A_X(A='1')"}, "A": "1"}
    assert address_of("A_X", ("A",), entity) == "A_X(A='1')"
    assert iso("/Date(1798675200000+0000)/") == "2026-12-31"
    assert iso("/Date(253402214400000)/") == "9999-12-31"
    assert iso("plain") == "plain"
