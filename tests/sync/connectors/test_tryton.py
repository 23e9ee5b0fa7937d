"""What is particular to Tryton: sessions, conditional writes, archived records, shared accounts, payment terms, companies.

Against the sandbox; `tests/sync/tryton` has the same platform for real.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.connectors.tryton import wire
from sync.connectors.tryton.connector import TrytonConnector
from sync.connectors.tryton.sandbox import TrytonSandbox
from sync.connectors.tryton.wire import Api
from sync.errors import NotSent, NotSupported, Refused, Stale, Throttled, Unauthorised
from sync.mapping import load
from sync.protocol import Config, Outcome, Push
from sync.sandbox import CLIENT_ID, SECRET
from tests.sync.sandboxes import REFERENCE, Platform, folder, platform, supplier

IBAN = "DE89370400440532013000"
OTHER = "0190b5a0-7e11-7cc4-9e0f-00000000000b"
TERM: dict[str, Any] = {"code": "NET75", "name": "75 days net", "net_days": 75, "status": "active"}
ENTITY: dict[str, Any] = {
    "code": "NH10",
    "name": "Nordhaven Deutschland GmbH",
    "status": "active",
    "country": "DE",
    "currency": "EUR",
    "city": "Bremen",
    "vat_id": "DE136695976",
    "lei": None,
}


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Platform]:
    with platform("tryton", tmp_path / "state.sqlite") as running:
        yield running


def api(target: Platform, secret: str = SECRET, **options: Any) -> Api:
    return Api(Config(target.url, CLIENT_ID, secret, timeout=5.0, options=options))


def push(target: Platform, type: str, document: dict[str, Any], **changes: Any) -> Push:
    payload = load(folder("tryton") / "mapping.yaml", type).render(document)
    given: dict[str, Any] = {"reference": REFERENCE, "idempotency_key": "1:x:1", "correlation_id": "c", **changes}
    return Push(type=type, action=given.pop("action", "upsert"), payload=payload, **given)


def send(target: Platform, type: str, document: dict[str, Any], **changes: Any) -> Outcome:
    return target.connector().push(push(target, type, document, **changes))


def sandbox(target: Platform) -> TrytonSandbox:
    assert isinstance(target.sandbox, TrytonSandbox)
    return target.sandbox


# Sessions


def test_a_session_that_ended_is_opened_again(target: Platform) -> None:
    connector = target.connector()
    assert connector.check().ok
    sandbox(target).tokens.clear()
    assert connector.push(target.push(supplier())).verified


def test_neither_password_nor_session_is_in_the_evidence(target: Platform) -> None:
    connector = target.connector()
    connector.check()
    said = connector.exchanges()
    assert len(said) == 3 and said[0].status == 200
    (session,) = sandbox(target).tokens
    assert SECRET not in repr(said) and session not in repr(said)


def test_after_six_wrong_passwords_the_right_one_must_wait_too(target: Platform) -> None:
    for _ in range(6):
        with pytest.raises(Unauthorised):
            api(target, "wrong").access(["party.party"])
    with pytest.raises(Throttled):
        api(target).access(["party.party"])


def test_a_database_that_is_not_there_is_no_fault_of_the_record(target: Platform) -> None:
    with pytest.raises(NotSent, match="no Tryton database “elsewhere”"):
        target.connector(database="elsewhere").push(target.push(supplier()))


def test_a_second_factor_cannot_be_answered(target: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ["LoginException", ["sms_code", "SMS Code", "char"]]
    monkeypatch.setattr(wire.Client, "json", lambda *_, **__: {"id": 0, "error": error})
    with pytest.raises(Unauthorised, match="by password alone"):
        api(target).access(["party.party"])


# Reading


def test_a_scan_goes_through_pages_and_shows_archived_parties(
    target: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "PAGE", 5)
    found = list(target.connector().scan("supplier"))
    assert [record.key for record in found] == [str(number) for number in range(101, 115)]
    assert [record.key for record in found if record.blocked] == ["106"]


def test_only_what_changed_since(target: Platform) -> None:
    connector = target.connector()
    last = max(record.changed_at for record in connector.scan("supplier"))
    connector.push(target.push(supplier()))
    found = [record for record in connector.scan("supplier", last) if record.changed_at > last]
    assert [record.reference for record in found] == [REFERENCE]


def test_our_own_companies_are_no_suppliers(target: Platform) -> None:
    send(target, "legal_entity", ENTITY)
    assert "NH10" not in {record.key for record in target.connector().scan("supplier")}
    assert [record.key for record in target.connector().scan("legal_entity")] == ["NH10"]


# Finding


def test_a_party_of_the_same_tax_number_and_name_is_linked(target: Platform) -> None:
    known = supplier(legal_name="Werkstatt Falkenried GmbH")
    known["tax_registrations"][0]["number"] = "DE 356 230 126"
    outcome = target.connector().push(target.push(known))
    assert (outcome.key, outcome.effect, outcome.verified) == ("101", "updated", True)


def test_the_same_tax_number_alone_is_for_a_person_to_decide(target: Platform) -> None:
    sister = supplier(legal_name="Falkenried Immobilien GmbH")
    sister["tax_registrations"][0]["number"] = "DE356230126"
    with pytest.raises(Refused, match="101 “Werkstatt Falkenried GmbH”") as caught:
        target.connector().push(target.push(sister))
    assert caught.value.problems[0].code == "maybe_there_already"


def test_a_code_that_somebody_else_has_is_not_ours(target: Platform) -> None:
    with pytest.raises(Refused, match="105 “Brunnhof Catering GmbH”"):
        target.connector().push(target.push(supplier(code="105")))
    target.connector().push(target.push(supplier(code="S-1"), reference=OTHER))
    other = supplier(code="S-1", legal_name="Zwilling GmbH", tax_registrations=[])
    with pytest.raises(Refused, match="The code on party must be unique"):
        target.connector().push(target.push(other))


def test_a_party_that_came_with_a_merge_carries_our_reference_from_then_on(target: Platform) -> None:
    connector = target.connector()
    key = connector.push(target.push(supplier(), reference=OTHER)).key
    outcome = connector.push(target.push(supplier(), key=key))
    assert (outcome.effect, outcome.verified) == ("updated", True)
    record = connector.read("supplier", key)
    assert record is not None and record.reference == REFERENCE
    assert connector.push(target.push(supplier(), key=key)).effect == "unchanged"


# Writing


def test_everything_of_a_supplier_is_one_write(target: Platform) -> None:
    before = len(target.effects())
    target.connector().push(target.push(supplier()))
    assert [effect["kind"] for effect in target.effects()[before:]] == ["created"]


def test_a_write_on_what_has_moved_is_stale_and_changes_nothing(target: Platform) -> None:
    session = api(target)
    (read,) = session.search_read("party.party", [["code", "=", "101"]], ["_timestamp", "addresses._timestamp"])
    address = read["addresses."][0]
    stamps = {f"party.party,{read['id']}": read["_timestamp"], f"party.address,{address['id']}": address["_timestamp"]}
    change = {"addresses": [["write", [address["id"]], {"city": "Ulm"}]]}
    target.control("POST", "mutate", {"key": "101", "field": f"addresses[{address['id']}].city", "value": "Kiel"})
    with pytest.raises(Stale, match="modified in the meanwhile"):
        session.write("party.party", read["id"], change, stamps)
    record = target.connector().read("supplier", "101")
    assert record is not None and record.fields[f"addresses[{address['id']}].city"] == "Kiel"


def test_an_archived_party_is_brought_back_before_it_is_changed(target: Platform) -> None:
    """Tryton lets nobody change a party that is archived, not even in the request that brings it back."""
    connector = target.connector()
    outcome = connector.push(target.push(supplier(legal_name="Seeblick Druckerei AG"), key="106"))
    assert (outcome.effect, outcome.verified) == ("updated", True)
    writes = [said for said in outcome.exchanges if ".write" in said.request]
    assert len(writes) == 2 and '"active":true' in writes[0].request


def test_rows_that_are_gone_are_archived_and_accounts_only_taken_away(target: Platform) -> None:
    connector = target.connector()
    key = connector.push(target.push(supplier())).key
    connector.push(target.push(supplier(tax_registrations=[], addresses=[], bank_accounts=[]), key=key))
    record = connector.read("supplier", key)
    assert record is not None and not any("[" in name for name in record.fields)
    raw = next(item["fields"] for item in target.records() if item["key"] == key)
    assert [value for name, value in raw.items() if name.startswith("addresses[") and name.endswith(".active")] == [
        False
    ]
    (number,) = api(target).search_read("bank.account.number", [["number_compact", "=", IBAN]], ["account"])
    again = connector.push(target.push(supplier(), key=key))
    (same,) = api(target).search_read("bank.account.number", [["number_compact", "=", IBAN]], ["account"])
    assert again.verified and number == same, "linked again, not made again"


def test_an_iban_that_tryton_knows_is_shared(target: Platform) -> None:
    connector = target.connector()
    first = connector.push(target.push(supplier())).key
    sister = supplier(legal_name="Contract Test Logistik GmbH", tax_registrations=[])
    second = connector.push(target.push(sister, reference=OTHER))
    assert second.verified and second.key != first
    owners = [row.fields for row in sandbox(target).store.where("account", "number", IBAN)]
    assert len(owners) == 1 and sum(name.startswith("owner ") for name in owners[0]) == 2


def test_an_account_number_that_is_no_iban(target: Platform) -> None:
    account = {**supplier()["bank_accounts"][0], "iban": None, "account_number": "00 123-456", "bic": "DEUTDEFFXXX"}
    connector = target.connector()
    outcome = connector.push(target.push(supplier(bank_accounts=[account])))
    record = connector.read("supplier", outcome.key)
    assert outcome.verified and record is not None
    shown = {name.rpartition(".")[2]: value for name, value in record.fields.items() if name.startswith("bank_")}
    assert shown == {"number": "00123-456", "currency": "EUR", "bic": "DEUTDEFFXXX"}
    assert connector.push(target.push(supplier(bank_accounts=[account]))).effect == "unchanged"


def test_a_mistyped_iban_is_refused_in_tryton_s_words_and_masked(target: Platform) -> None:
    account = {**supplier()["bank_accounts"][0], "iban": "DE88370400440532013000"}
    connector = target.connector()
    with pytest.raises(Refused, match=r"^IBAN .* is not valid") as caught:
        connector.push(target.push(supplier(bank_accounts=[account])))
    assert caught.value.problems[0].field == "bank_accounts.number"
    assert "0532" not in caught.value.message + repr(connector.exchanges())


def test_a_tax_number_with_wrong_check_digits(target: Platform) -> None:
    wrong = [{"uid": "t1", "country": "DE", "scheme": "VAT", "number": "DE129273399"}]
    before = len(target.records())
    with pytest.raises(Refused, match='European VAT Number "DE129273399"') as caught:
        target.connector().push(target.push(supplier(tax_registrations=wrong)))
    assert caught.value.problems[0].field == "identifiers.code" and len(target.records()) == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"payment_terms": "NET14"}, "supplier_payment_term"),
        ({"payment_terms": "ODD"}, "supplier_payment_term"),
        (
            {"country": "JP", "addresses": [{"uid": "a1", "kind": "registered", "lines": ["1"], "country": None}]},
            "country",
        ),
    ],
)
def test_what_tryton_does_not_have_is_said(target: Platform, change: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        target.connector().push(target.push(supplier(**{"tax_registrations": [], **change})))
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == (field, "unknown_reference")


def test_an_error_inside_tryton_is_read_back_and_told(target: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tryton answers `["'nosuch'", ""]`, with status 200, and has rolled back."""
    create = Api.create
    monkeypatch.setattr(Api, "create", lambda self, model, values: create(self, model, {**values, "nosuch": 1}))
    before = len(target.records())
    with pytest.raises(Refused, match="failed inside.*nosuch") as caught:
        target.connector().push(target.push(supplier()))
    assert caught.value.problems[0].code == "server_error" and len(target.records()) == before


def test_refusals_on_the_wire_are_as_trytond_worded_them(target: Platform) -> None:
    """Replayed from a running trytond 8.2.1."""
    session = api(target)
    for values, answer in (
        ({"name": "x", "code": "101"}, "The code on party must be unique."),
        (
            {"name": "x", "code": "S-9", "identifiers": [["create", [{"type": "duns", "code": "1"}]]]},
            'The value "duns" for field "Type" in record "1" of "Party Identifier" is not one of the allowed options.',
        ),
        (
            {"name": "x", "code": "S-9", "identifiers": [["create", [{"type": "eu_vat", "code": None}]]]},
            'A value is required for field "Code" in "Party Identifier".',
        ),
    ):
        with pytest.raises(Refused) as caught:
            session.create("party.party", values)
        assert caught.value.message == answer
        body = json.loads(session.client.exchanges()[-1].response)
        assert body["error"][0] == "UserError"


# Payment terms


def test_a_payment_term_is_made_changed_and_archived(target: Platform) -> None:
    made = send(target, "payment_term", TERM)
    assert (made.effect, made.verified) == ("created", True)
    assert send(target, "payment_term", TERM, key=made.key).effect == "unchanged"
    later = {**TERM, "net_days": 20, "from_end_of_month": True}
    assert send(target, "payment_term", later, key=made.key).verified
    record = target.connector().read("payment_term", made.key)
    assert record is not None and (record.fields["net_days"], record.fields["end_of_month"]) == (20, True)
    assert send(target, "payment_term", TERM, key=made.key, action="block").effect == "blocked"
    assert send(target, "payment_term", TERM, key=made.key).verified


def test_a_term_that_tryton_brings_along_is_found_by_its_name(target: Platform) -> None:
    before = len(list(target.connector().scan("payment_term")))
    outcome = send(target, "payment_term", {**TERM, "code": "NET30", "name": "30 days net", "net_days": 30})
    assert (outcome.effect, outcome.verified) == ("updated", True), "its description is now ours"
    assert len(list(target.connector().scan("payment_term"))) == before


def test_two_terms_of_one_name_are_not_guessed_at(target: Platform) -> None:
    session = api(target)
    for _ in range(2):
        session.create(
            "account.invoice.payment_term", {"name": "NET75", "lines": [["create", [{"type": "remainder"}]]]}
        )
    with pytest.raises(Refused, match="2 payment terms called “NET75”"):
        send(target, "payment_term", TERM)
    with pytest.raises(Refused, match="2 payment terms called “NET75”"):
        target.connector().push(target.push(supplier(payment_terms="NET75")))


def test_instalments_that_somebody_added_are_drift_and_repaired(target: Platform) -> None:
    key = send(target, "payment_term", TERM).key
    lines = [["create", [{"type": "remainder", "relativedeltas": []}]]]
    api(target).write("account.invoice.payment_term", int(key), {"lines": lines}, {})
    connector, rules = target.connector(), load(folder("tryton") / "mapping.yaml", "payment_term")
    record = connector.read("payment_term", key)
    assert record is not None
    assert [item.field for item in rules.compare(rules.render(TERM), record.fields)] == ["net_days"]
    assert send(target, "payment_term", TERM, key=key).verified


# Companies


def test_a_company_is_made_changed_and_archived(target: Platform) -> None:
    made = send(target, "legal_entity", ENTITY)
    assert (made.key, made.effect, made.verified) == ("NH10", "created", True)
    assert send(target, "legal_entity", ENTITY, key="NH10").effect == "unchanged"
    moved = {
        **ENTITY,
        "name": "Nordhaven Deutschland SE",
        "city": "Hamburg",
        "currency": "USD",
        "vat_id": "DE129273398",
    }
    assert send(target, "legal_entity", moved, key="NH10").verified
    assert send(target, "legal_entity", moved, key="NH10", action="block").effect == "blocked"
    record = target.connector().read("legal_entity", "NH10")
    assert record is not None and record.blocked and record.fields["currency"] == "USD"


def test_killed_between_the_party_and_its_company(target: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    target.fail("reset_before", match=r"company\.company\.create")
    with pytest.raises(Exception, match="No usable answer"):
        send(target, "legal_entity", ENTITY)
    again = send(target, "legal_entity", ENTITY)
    assert (again.key, again.verified) == ("NH10", True)
    assert len(list(target.connector().scan("legal_entity"))) == 1
    assert sum(record["key"] == "NH10" for record in target.records()) == 1


def test_other_types_are_not_taken(target: Platform) -> None:
    with pytest.raises(NotSupported):
        target.connector().read("tax_code", "1")
    assert TrytonConnector.types == ("supplier", "payment_term", "legal_entity", "cost_center", "project")
