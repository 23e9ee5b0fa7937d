"""What is particular to Oracle Fusion: found keys, sites, bank accounts in steps, masked numbers; against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sync.connectors.oracle_fusion import wire
from sync.connectors.oracle_fusion.sandbox import OracleFusionSandbox
from sync.connectors.oracle_fusion.writing import Writer
from sync.errors import NotSupported, Refused, Stale, Unauthorised, Unmapped
from sync.http import Response
from sync.protocol import Push
from tests.sync.sandboxes import REFERENCE, Platform, platform, supplier

OTHER = "11111111-2222-3333-4444-555555555555"
TODAY = datetime.now(UTC).date().isoformat()
NEW_IBAN, SAME_ENDING = "DE02120300000000202051", "DE21512108001245123000"
ACCOUNT = {"uid": "b1", "iban": "DE89370400440532013000", "country": "DE", "currency": "EUR", "holder": "Contract Test"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform("oracle_fusion", tmp_path_factory.mktemp("oracle") / "state.sqlite") as running:
        yield running


@pytest.fixture
def oracle(served: Platform) -> Platform:
    """One server for all; every test starts from the extract."""
    served.control("POST", "reset", {})
    sandbox_of(served).masked, sandbox_of(served).closed = True, set()
    return served


def sandbox_of(oracle: Platform) -> OracleFusionSandbox:
    assert isinstance(oracle.sandbox, OracleFusionSandbox)
    return oracle.sandbox


def raw(oracle: Platform, key: str) -> dict[str, Any]:
    return next(dict(record["fields"]) for record in oracle.records() if record["key"] == key)


def leaves(oracle: Platform, key: str, resource: str, leaf: str) -> list[Any]:
    """One leaf of every item of a resource, oldest first."""
    found = {name: value for name, value in raw(oracle, key).items() if name.startswith(f"{resource}[")}
    return [value for name, value in sorted(found.items()) if name.endswith(f"].{leaf}")]


def change(oracle: Platform, key: str, field: str, value: Any) -> None:
    oracle.control("POST", "mutate", {"key": key, "field": field, "value": value})


def name_of(oracle: Platform, key: str, resource: str, leaf: str) -> str:
    return next(name for name in raw(oracle, key) if name.startswith(f"{resource}[") and name.endswith(f"].{leaf}"))


def writes(outcome: Any) -> list[tuple[str, str]]:
    """(method, resource) of every write that was said."""
    found = []
    for said in outcome.exchanges:
        if said.method != "GET" and "token" not in said.url:
            steps = said.url.split("11.13.18.05/")[1].split("/")
            found.append((said.method, steps[3] if len(steps) > 2 else steps[0]))
    return found


def test_a_new_supplier_step_by_step(oracle: Platform) -> None:
    """Parents before children; payee, account with its owner, assignment."""
    outcome = oracle.connector().push(oracle.push(supplier()))
    assert outcome.verified and writes(outcome) == [
        ("POST", "suppliers"),
        ("POST", "addresses"),
        ("POST", "sites"),
        ("POST", "taxRegistrations"),
        ("POST", "paymentsExternalPayees"),
        ("POST", "externalBankAccounts"),
        ("POST", "instrumentAssignments"),
    ]
    fields = raw(oracle, outcome.key)
    assert outcome.key == "10053"  # of Oracle's number range
    assert fields["Alias"] == f"MDM-{REFERENCE}" and fields["DUNSNumber"] == "312345678"
    assert leaves(oracle, outcome.key, "sites", "PaymentTerms") == ["Net 30"]
    assert leaves(oracle, outcome.key, "sites", "SupplierAddressName") == ["REGISTERED A1"]
    assert leaves(oracle, outcome.key, "assignments", "ClientBU") == ["NH10"]
    assert leaves(oracle, outcome.key, "taxRegistrations", "TaxRegimeCode") == ["DE VAT"]


def test_no_address_of_an_item_is_made_up(oracle: Platform) -> None:
    """Ids in addresses are hashes, and the pod calls itself by another name: both are taken from the links only."""
    connector = oracle.connector()
    key = connector.push(oracle.push(supplier())).key
    changed = supplier(legal_name="Contract Test Holding GmbH")
    changed["addresses"][0]["city"] = "Bonn"
    outcome = connector.push(oracle.push(changed, key=key))
    assert outcome.verified and writes(outcome) == [("PATCH", "suppliers"), ("PATCH", "addresses")]
    plain = str(raw(oracle, key)["SupplierId"])
    assert not any(plain in said.url.split("?")[0] for said in outcome.exchanges)
    assert all(said.url.startswith(oracle.url) for said in outcome.exchanges)


# Signing in


def test_basic_sign_in(oracle: Platform) -> None:
    assert oracle.connector(auth="basic").check().ok
    health = oracle.connector(auth="basic", secret="wrong").check()
    assert not health.ok and health.message == "Unauthorized"


def test_a_token_that_ended_is_renewed(oracle: Platform) -> None:
    connector = oracle.connector()
    connector.check()
    oracle.sandbox.tokens.clear()
    assert connector.push(oracle.push(supplier())).verified


def test_what_a_user_may_not_see_is_told(oracle: Platform) -> None:
    sandbox_of(oracle).closed = {"instrumentAssignments"}
    health = oracle.connector().check()
    assert not health.ok and health.missing == ("instrumentAssignments",)
    assert health.pushable == {
        "": True,
        "addresses": True,
        "sites": True,
        "taxRegistrations": True,
        "externalBankAccounts": False,
    }
    with pytest.raises(Unauthorised, match="privilege"):
        oracle.connector().read("supplier", "10004")


def test_a_reference_that_cannot_be_searched_for_is_told(oracle: Platform) -> None:
    health = oracle.connector(reference_field="Nickname").check()
    assert not health.ok and "Nickname" in health.message


def test_parts_can_be_left_out(oracle: Platform) -> None:
    sandbox_of(oracle).closed = {"externalBankAccounts", "paymentsExternalPayees", "instrumentAssignments"}
    connector = oracle.connector(without=["externalBankAccounts"])
    health = connector.check()
    assert health.ok and not health.pushable["externalBankAccounts"]
    outcome = connector.push(oracle.push(supplier()))
    assert outcome.verified and ("POST", "taxRegistrations") in writes(outcome)
    assert leaves(oracle, outcome.key, "externalBankAccounts", "IBAN") == []


# Finding


def test_a_supplier_of_that_tax_number_and_name_is_linked(oracle: Platform) -> None:
    number = leaves(oracle, "10012", "taxRegistrations", "RegistrationNumber")[0]
    before = len(oracle.records())
    taxes = [{"uid": "t1", "country": "NL", "scheme": "VAT", "number": number.removeprefix("NL")}]
    document = supplier(legal_name="Zuiderzee Verpakkingen B.V.", tax_registrations=taxes)
    outcome = oracle.connector().push(oracle.push(document))
    assert (outcome.key, outcome.effect, outcome.verified) == ("10012", "updated", True)
    assert len(oracle.records()) == before
    assert raw(oracle, "10012")["Alias"] == f"MDM-{REFERENCE}"


def test_a_shared_tax_number_is_a_decision_for_a_person(oracle: Platform) -> None:
    number = leaves(oracle, "10030", "taxRegistrations", "RegistrationNumber")[0]
    taxes = [{"uid": "t1", "country": "DE", "scheme": "VAT", "number": number}]
    with pytest.raises(Refused) as caught:
        oracle.connector().push(oracle.push(supplier(tax_registrations=taxes)))
    assert "10030" in caught.value.message and "10031" in caught.value.message
    named = supplier(legal_name="Kessler Service GmbH", tax_registrations=taxes)
    assert oracle.connector().push(oracle.push(named)).key == "10031"


def test_the_same_name_alone_links_nothing(oracle: Platform) -> None:
    """Oracle keeps names unique, so a second one cannot be made either: a person links or renames."""
    document = supplier(legal_name="O'Dowd & Sons Freight, Inc.", tax_registrations=[], identifiers=[])
    before = len(oracle.records())
    with pytest.raises(Refused, match="10018") as caught:
        oracle.connector().push(oracle.push(document))
    assert caught.value.problems[0].code == "maybe_there_already" and len(oracle.records()) == before
    document["identifiers"] = [{"uid": "i1", "scheme": "DUNS", "value": "08-815-2011"}]
    assert oracle.connector().push(oracle.push(document)).key == "10018"


def test_a_name_that_belongs_to_another_record_is_refused_in_oracles_words(oracle: Platform) -> None:
    connector = oracle.connector()
    connector.push(oracle.push(supplier()))
    with pytest.raises(Refused, match="already exists") as caught:
        connector.push(oracle.push(supplier(), reference=OTHER))
    assert caught.value.problems[0].field == "Supplier"


def test_a_name_taken_by_our_own_late_request_is_ours(oracle: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost create that arrives between our look and our create: Oracle refuses the name, and we look once more."""
    key = oracle.connector().push(oracle.push(supplier())).key
    before, late = len(oracle.records()), oracle.connector()
    monkeypatch.setattr(late, "_search", lambda *_: None)
    outcome = late.push(oracle.push(supplier(website="https://neu.example")))
    assert (outcome.key, outcome.effect, outcome.verified) == (key, "updated", True)
    assert len(oracle.records()) == before


def test_an_alias_of_somebody_else_is_left_alone(oracle: Platform) -> None:
    change(oracle, "10004", "Alias", "Pumpen-Wiesenthal")
    outcome = oracle.connector().push(oracle.push(supplier(), key="10004"))
    assert outcome.verified and raw(oracle, "10004")["Alias"] == "Pumpen-Wiesenthal"
    assert oracle.connector().push(oracle.push(supplier(), key="10004")).effect == "unchanged"


# Sites


def test_one_site_per_legal_entity(oracle: Platform) -> None:
    connector = oracle.connector()
    document = supplier()
    document["extensions"].append(
        {
            **document["extensions"][0],
            "uid": "e2",
            "legal_entity": "NH30",
            "payment_terms": "NET60",
            "payment_block": True,
        }
    )
    key = connector.push(oracle.push(document)).key
    assert leaves(oracle, key, "sites", "ProcurementBU") == ["NH10", "NH30"]
    assert leaves(oracle, key, "sites", "PaymentTerms") == ["Net 30", "Net 60"]
    assert leaves(oracle, key, "sites", "HoldAllInvoicesFlag") == [False, True]
    document["extensions"][0]["purchasing_block"] = True
    outcome = connector.push(oracle.push(document, key=key))
    assert outcome.verified and writes(outcome) == [("PATCH", "sites")]
    assert leaves(oracle, key, "sites", "HoldAllNewPurchasingDocumentsFlag") == [True, False]


def test_a_site_that_was_there_is_used_and_used_again(oracle: Platform) -> None:
    connector = oracle.connector()
    site = name_of(oracle, "10004", "sites", "SupplierSite").removesuffix(".SupplierSite")
    change(oracle, "10004", f"{site}.InactiveDate", "2024-12-31")
    assert connector.push(oracle.push(supplier(), key="10004")).verified
    assert leaves(oracle, "10004", "sites", "SupplierSite") == ["NH10-MAIN"]
    assert leaves(oracle, "10004", "sites", "InactiveDate") == [None]


def test_a_business_unit_oracle_does_not_know(oracle: Platform) -> None:
    document = supplier()
    document["extensions"][0]["legal_entity"] = "NH99"
    with pytest.raises(Refused) as caught:
        oracle.connector().push(oracle.push(document))
    assert [(problem.field, "NH99" in problem.message) for problem in caught.value.problems] == [
        ("ProcurementBU", True)
    ]


def test_payment_terms_without_counterpart(oracle: Platform) -> None:
    with pytest.raises(Unmapped):
        oracle.push(supplier(payment_terms="NET77"))


def test_a_site_needs_an_address(oracle: Platform) -> None:
    with pytest.raises(Refused, match="needs an address"):
        oracle.connector().push(oracle.push(supplier(addresses=[])))


def test_every_address_with_its_purpose(oracle: Platform) -> None:
    document = supplier()
    document["addresses"].append({**document["addresses"][0], "uid": "a2", "kind": "remit_to", "lines": ["Postfach 7"]})
    key = oracle.connector().push(oracle.push(document)).key
    assert leaves(oracle, key, "addresses", "AddressName") == ["REGISTERED A1", "REMIT_TO A2"]
    assert leaves(oracle, key, "addresses", "AddressPurposeOrderingFlag") == [True, False]
    assert leaves(oracle, key, "addresses", "AddressPurposeRemitToFlag") == [True, True]
    assert leaves(oracle, key, "sites", "SupplierAddressName") == ["REGISTERED A1"]


# Bank accounts


def test_numbers_come_back_masked_and_are_no_drift(oracle: Platform) -> None:
    connector = oracle.connector()
    key = connector.push(oracle.push(supplier())).key
    record = connector.read("supplier", key)
    assert record is not None
    (iban,) = [value for name, value in record.fields.items() if name.endswith(".IBAN")]
    assert iban == "X" * 18 + "3000"
    assert oracle.mapping.compare(oracle.mapping.render(supplier()), record.fields) == []


@pytest.mark.parametrize(
    ("broken", "left"),
    [
        ("paymentsExternalPayees", ["paymentsExternalPayees", "externalBankAccounts", "instrumentAssignments"]),
        ("externalBankAccounts", ["externalBankAccounts", "instrumentAssignments"]),
        ("instrumentAssignments", ["instrumentAssignments"]),
    ],
)
def test_a_half_applied_push_is_made_good_by_the_next(oracle: Platform, broken: str, left: list[str]) -> None:
    connector = oracle.connector()
    oracle.fail("refuse", match=f"POST .*/{broken}")
    with pytest.raises(Refused):
        connector.push(oracle.push(supplier()))
    outcome = connector.push(oracle.push(supplier()))
    assert outcome.verified and writes(outcome) == [("POST", name) for name in left]
    assert len(leaves(oracle, outcome.key, "externalBankAccounts", "IBAN")) == 1
    assert connector.push(oracle.push(supplier())).effect == "unchanged"


def test_another_number_is_another_account_and_the_old_one_is_no_longer_paid_to(oracle: Platform) -> None:
    connector = oracle.connector()
    key = connector.push(oracle.push(supplier())).key
    changed = supplier(bank_accounts=[{**ACCOUNT, "iban": NEW_IBAN}])
    outcome = connector.push(oracle.push(changed, key=key))
    assert outcome.verified and writes(outcome) == [
        ("POST", "externalBankAccounts"),
        ("POST", "instrumentAssignments"),
        ("PATCH", "instrumentAssignments"),
    ]
    assert leaves(oracle, key, "externalBankAccounts", "IBAN") == ["DE89370400440532013000", NEW_IBAN]
    assert leaves(oracle, key, "instrumentAssignments", "EndDate") == [TODAY]
    record = connector.read("supplier", key)
    assert record and oracle.mapping.compare(oracle.mapping.render(changed), record.fields) == []
    back = connector.push(oracle.push(supplier(), key=key))  # the old account is opened again, not made a second time
    assert back.verified and writes(back) == [("PATCH", "instrumentAssignments")] * 2
    assert sorted(leaves(oracle, key, "instrumentAssignments", "EndDate"), key=str) == [TODAY, None]


def test_the_days_of_an_account_are_those_of_its_assignment(oracle: Platform) -> None:
    connector = oracle.connector()
    key = connector.push(oracle.push(supplier(bank_accounts=[{**ACCOUNT, "valid_from": "2026-01-01"}]))).key
    assert leaves(oracle, key, "instrumentAssignments", "StartDate") == ["2026-01-01"]
    ended = supplier(bank_accounts=[{**ACCOUNT, "valid_from": "2026-01-01", "valid_to": "2026-06-30"}])
    assert connector.push(oracle.push(ended, key=key)).verified
    assert leaves(oracle, key, "instrumentAssignments", "EndDate") == ["2026-06-30"]
    assert connector.push(oracle.push(ended, key=key)).effect == "unchanged"
    never = supplier(
        legal_name="Neu GmbH",
        tax_registrations=[],
        bank_accounts=[{**ACCOUNT, "iban": NEW_IBAN, "valid_to": "2020-01-31"}],
    )
    outcome = connector.push(oracle.push(never, reference=OTHER))
    assert outcome.verified and leaves(oracle, outcome.key, "externalBankAccounts", "IBAN") == []


def test_two_accounts_with_one_ending_are_not_guessed_at_while_numbers_are_masked(oracle: Platform) -> None:
    connector = oracle.connector()
    key = connector.push(oracle.push(supplier(bank_accounts=[ACCOUNT]))).key
    both = supplier(bank_accounts=[ACCOUNT, {**ACCOUNT, "uid": "b2", "iban": SAME_ENDING}])
    before = len(oracle.effects())
    with pytest.raises(Refused, match="display all digits") as caught:
        connector.push(oracle.push(both, key=key))
    assert caught.value.problems[0].code == "masked" and len(oracle.effects()) == before
    assert leaves(oracle, key, "externalBankAccounts", "IBAN") == [ACCOUNT["iban"]]
    sandbox_of(oracle).masked = False  # “display all digits”
    assert connector.push(oracle.push(both, key=key)).verified
    assert leaves(oracle, key, "externalBankAccounts", "IBAN") == [ACCOUNT["iban"], SAME_ENDING]


def test_an_account_only_oracle_knows_is_found_by_drift(oracle: Platform) -> None:
    connector = oracle.connector()
    payload = oracle.mapping.render(supplier(bank_accounts=[]))
    record = connector.read("supplier", "10004")
    assert record is not None
    (bank,) = [item for item in oracle.mapping.compare(payload, record.fields) if item.kind == "extra"]
    assert bank.field.startswith("externalBankAccounts[") and bank.sealed
    with pytest.raises(NotSupported, match="only a part"):
        oracle.mapping.adopt(bank.field, bank.actual, supplier())


# Conditional writes


@pytest.mark.parametrize("field", ["CorporateWebsite", "addresses"])
def test_somebody_was_quicker(oracle: Platform, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    """Between our read and our write the item changes: 412, nothing is overwritten."""
    connector = oracle.connector()
    key = connector.push(oracle.push(supplier())).key
    touched = field if field != "addresses" else name_of(oracle, key, "addresses", "AddressLine1")
    original = Writer.bring

    def meanwhile(*args: Any) -> None:
        change(oracle, key, touched, "somebody else's")
        original(*args)

    monkeypatch.setattr(Writer, "bring", meanwhile)
    changed = supplier(website="https://neu.example") if field != "addresses" else supplier()
    changed["addresses"][0]["lines"] = ["Rheinweg 5"] if field == "addresses" else changed["addresses"][0]["lines"]
    with pytest.raises(Stale):
        connector.push(oracle.push(changed, key=key))
    assert raw(oracle, key)[touched] == "somebody else's"
    monkeypatch.undo()
    assert connector.push(oracle.push(changed, key=key)).verified


# Blocking


def test_a_block_is_a_last_day(oracle: Platform) -> None:
    connector = oracle.connector()
    key = connector.push(oracle.push(supplier())).key
    assert connector.push(oracle.push(supplier(), key=key, action="block")).effect == "blocked"
    assert raw(oracle, key)["InactiveDate"] == TODAY
    assert connector.push(oracle.push(supplier(status="blocked"), key=key)).effect == "unchanged"
    assert connector.push(oracle.push(supplier(), key=key)).verified
    assert raw(oracle, key)["InactiveDate"] is None


def test_a_block_without_a_key_touches_only_what_carries_our_reference(oracle: Platform) -> None:
    push = Push("supplier", "block", {}, REFERENCE, "k", "c")
    outcome = oracle.connector().push(push)
    assert (outcome.key, outcome.effect) == ("", "unchanged") and oracle.effects() == []
    key = oracle.connector().push(oracle.push(supplier())).key
    assert oracle.connector().push(push).key == key
    assert oracle.connector().push(replace(push, key="424242")).effect == "unchanged"


# Reading everything


def test_pages_of_a_scan(oracle: Platform) -> None:
    connector = oracle.connector(page_size=5)
    keys = [record.key for record in connector.scan("supplier")]
    assert keys == [record["key"] for record in oracle.records()]
    assert next(record for record in connector.scan("supplier") if record.key == "10030").blocked


def test_what_belongs_to_suppliers_comes_in_pages_too(oracle: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(oracle.connector().scan("supplier"))
    monkeypatch.setattr(wire, "PAGE", 2)
    assert list(oracle.connector().scan("supplier")) == whole
    assert oracle.connector().read("supplier", "10004") == whole[0]


def test_more_addresses_than_a_page_of_children(oracle: Platform) -> None:
    store = oracle.sandbox.store
    row = store.get("supplier", "10004")
    assert row is not None
    more: dict[str, Any] = {}
    for number in range(1, 41):
        more[f"addresses[{number}].SupplierAddressId"] = number
        more[f"addresses[{number}].AddressName"] = f"DEPOT {number}"
        more[f"addresses[{number}].CountryCode"] = "DE"
    store.put("supplier", "10004", {**row.fields, **more})
    scanned = next(record for record in oracle.connector().scan("supplier") if record.key == "10004")
    assert sum(name.endswith(".AddressName") for name in scanned.fields) == 41
    assert oracle.connector().read("supplier", "10004") == scanned


def test_scan_since(oracle: Platform) -> None:
    connector = oracle.connector()
    assert len(list(connector.scan("supplier", changed_since="2021-01-01T00:00:00+00:00"))) == len(oracle.records())
    assert list(connector.scan("supplier", changed_since="2024-01-01T00:00:00+00:00")) == []
    change(oracle, "10021", "AlternateName", "Alpenglas")
    assert [record.key for record in connector.scan("supplier", changed_since="2024-01-01T00:00:00+00:00")] == ["10021"]


# What is not pushable here


@pytest.mark.parametrize("type", ["payment_term", "legal_entity"])
def test_types_oracle_has_no_way_to_write(oracle: Platform, type: str) -> None:
    with pytest.raises(NotSupported, match=type):
        oracle.connector().push(Push(type, "upsert", {}, REFERENCE, "k", "c"))


# Words


@pytest.mark.parametrize(
    ("body", "words", "fields"),
    [
        (
            b'{"title": "Bad Request", "status": "400", "o:errorDetails": [{"detail": "A.", "o:errorCode": "7", '
            b'"o:errorPath": "/sites/0/PaymentTerms"}, {"detail": "B."}]}',
            "A. B.",
            ["PaymentTerms", ""],
        ),
        (b'{"title": "Not Found", "status": "404"}', "Not Found", []),
        (b'{"error": "invalid_client", "error_description": "Wrong."}', "Wrong.", []),
        (b"The value is not valid.", "The value is not valid.", []),
        (b"<html>Bad gateway</html>", "", []),
        (b"[]", "", []),
    ],
)
def test_words_of_a_refusal(body: bytes, words: str, fields: list[str]) -> None:
    told, problems = wire.explain(Response(400, {}, body))
    assert told == words and [problem.field for problem in problems] == fields


def test_quotes_in_a_query() -> None:
    assert wire.equals(Supplier="O'Dowd", SupplierId=5) == "Supplier='O''Dowd' and SupplierId=5"
    assert wire.one_of("RegistryId", ["1", "2"]) == "RegistryId in ('1','2')"
