"""The NetSuite connector over HTTP: upsert by external id, address lines, references, scans, the other types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sync.auth import forget_tokens
from sync.errors import Ambiguous, NotSent, NotSupported, Refused, Throttled, Unauthorised, Unmapped
from sync.protocol import Config
from sync.sandbox import CLIENT_ID, SECRET
from tests.sync.connectors.netsuite_world import UID, World, address, document, entity, term, world
from tests.sync.test_signing import pem

SEEDED = 12


@pytest.fixture
def netsuite(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as found:
        yield found


def lines(fields: dict[str, Any], leaf: str) -> dict[str, Any]:
    """Line id -> one leaf of the address lines."""
    found = {}
    for name, value in fields.items():
        if name.startswith("addressBook[") and name.endswith(f"].{leaf}"):
            found[name[len("addressBook[") :].partition("]")[0]] = value
    return found


# Signing in


def test_check_says_what_can_be_written(tmp_path: Path) -> None:
    with world(tmp_path) as netsuite:
        health = netsuite.connector.check()
        assert health.ok and health.pushable["taxRegistration"] and health.pushable["terms"]
        assert health.pushable["bank_accounts"] is False and "Bank accounts" in health.message
        assert health.missing == ()


def test_check_tells_an_account_without_suitetax(tmp_path: Path) -> None:
    with world(tmp_path, suitetax=False) as netsuite:
        health = netsuite.connector.check()
        assert health.ok and health.pushable["taxRegistration"] is False and "SuiteTax" in health.message


def test_a_token_of_its_own(netsuite: World) -> None:
    netsuite.sandbox.door.token, netsuite.sandbox.door.token_secret = "tok", "tok-secret"
    assert netsuite.another(access_token="tok:tok-secret").check().ok
    health = netsuite.another().check()
    assert not health.ok and "Login Audit Trail" in health.message and "access_token" in health.message
    with pytest.raises(Unauthorised):
        netsuite.another(access_token="tok:other").read("supplier", "301")


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    return {"rsa": rsa.generate_private_key(65537, 2048), "ec": ec.generate_private_key(ec.SECP256R1())}


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_certificate_signs_in(netsuite: World, keys: dict[str, Any], kind: str) -> None:
    forget_tokens()
    netsuite.sandbox.certificates["cert-1"] = keys[kind].public_key()
    connector = netsuite.another(private_key=pem(keys[kind]), certificate_id="cert-1")
    outcome = connector.push(netsuite.order(document()))
    assert outcome.verified and [item.url for item in outcome.exchanges if "/token" in item.url]
    assert "Bearer " not in repr(outcome.exchanges) and "eyJ" not in repr(outcome.exchanges)
    netsuite.sandbox.tokens.clear()  # an hour is over
    assert connector.push(netsuite.order(document(payment_terms="NET60"))).verified


def test_certificates_that_do_not_fit(netsuite: World, keys: dict[str, Any]) -> None:
    forget_tokens()
    netsuite.sandbox.certificates["cert-1"] = keys["rsa"].public_key()
    for key, id in ((keys["ec"], "cert-1"), (keys["rsa"], "cert-2")):
        with pytest.raises(Unauthorised, match="assertion is invalid"):
            netsuite.another(private_key=pem(key), certificate_id=id).read("supplier", "301")
    with pytest.raises(Unauthorised, match="PEM"):
        netsuite.another(private_key="not a key", certificate_id="cert-1").read("supplier", "301")


def test_the_realm_is_the_account(netsuite: World) -> None:
    assert netsuite.another(account="127").check().ok
    with pytest.raises(Unauthorised):
        netsuite.another(account="7654321_SB1").read("supplier", "301")


def test_evidence_names_the_operation_and_shows_no_signature(netsuite: World) -> None:
    said = netsuite.push(document()).exchanges
    assert said and all("x-n-operationid: " in item.response for item in said)
    assert "oauth_" not in repr(said)


# Creating and finding


def test_a_create_is_an_upsert_by_external_id(netsuite: World) -> None:
    outcome = netsuite.push(document())
    assert (outcome.effect, outcome.verified) == ("created", True)
    writes = [item.method + " " + item.url.rpartition("/v1/")[2] for item in outcome.exchanges if item.method != "GET"]
    assert writes == [f"PUT vendor/eid:MDM-{UID}"]
    stored = netsuite.records()[outcome.key]
    assert stored["externalId"] == f"MDM-{UID}" and stored["entityId"] == "S-000888"
    assert (stored["terms.id"], stored["currency.id"], stored["subsidiary.id"]) == ("2", "1", "6")
    assert "DE8937" not in repr(stored) and "0532013000" not in repr(stored)


def test_the_same_create_twice_makes_one_vendor(netsuite: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a connector that found nothing, because the first was still on its way, cannot make a second."""
    first = netsuite.push(document())
    monkeypatch.setattr(netsuite.connector, "_search", lambda *given: None)
    again = netsuite.push(document(payment_terms="NET60"))
    assert again.key == first.key and len(netsuite.records()) == SEEDED + 1
    assert netsuite.records()[first.key]["terms.id"] == "3"


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "garbage", "timeout_before"])
def test_a_lost_answer_does_not_double(netsuite: World, kind: str) -> None:
    netsuite.control("faults", match="^PUT ", kind=kind, count=1)
    with pytest.raises(Ambiguous):
        netsuite.push(document())
    assert netsuite.push(document()).verified and len(netsuite.records()) == SEEDED + 1
    assert sum(effect["kind"] == "created" for effect in netsuite.effects()) == 1


def test_references_outside_the_alphabet_are_carried_as_a_digest(netsuite: World) -> None:
    odd = document(uid="a|b c")
    outcome = netsuite.push(odd)
    stored = netsuite.records()[outcome.key]["externalId"]
    assert stored.startswith("MDM-") and stored.replace("-", "").isalnum() and "|" not in stored
    assert netsuite.push(odd).effect == "unchanged"


def test_the_vendor_id_links_a_vendor_that_was_there(netsuite: World) -> None:
    outcome = netsuite.push(document(code="V00304"))
    assert (outcome.key, outcome.effect, outcome.verified) == ("304", "updated", True)
    assert netsuite.records()["304"]["externalId"] == f"MDM-{UID}" and len(netsuite.records()) == SEEDED


def test_the_external_id_of_another_integration_stays(netsuite: World) -> None:
    outcome = netsuite.push(document(code="V00302"))
    assert outcome.key == "302" and outcome.verified
    assert netsuite.records()["302"]["externalId"] == "SF_0013"
    record = netsuite.connector.read("supplier", "302")
    assert record is not None and record.reference == ""
    assert netsuite.push(document(code="V00302"), key="302").effect == "unchanged"


def test_a_vendor_id_of_another_record_of_ours_is_not_taken_over(netsuite: World) -> None:
    key = netsuite.push(document()).key
    with pytest.raises(Refused, match="already exists") as caught:
        netsuite.push(document(uid="somebody-else", tax_registrations=[]))
    assert caught.value.problems[0].field == "entityId"
    assert netsuite.records()[key]["externalId"] == f"MDM-{UID}"


def test_find_by_tax_id_only_when_more_agrees(netsuite: World) -> None:
    """Two vendors of one group share their number: 304 and 305."""
    number = [{"uid": "t1", "country": "US", "scheme": "EIN", "number": "36-4410275"}]
    linked = netsuite.push(document(legal_name="PRAIRIE CREST SUPPLY", tax_registrations=number))
    assert linked.key == "305"
    with pytest.raises(Refused, match="304 “Prairie Crest Janitorial”") as caught:
        netsuite.push(document(uid="u2", code="S-2", tax_registrations=number))
    assert caught.value.problems[0].code == "maybe_there_already"
    assert len(netsuite.records()) == SEEDED


def test_accounts_that_number_vendors_themselves(netsuite: World) -> None:
    outcome = netsuite.another(numbering="auto").push(netsuite.order(document()))
    assert netsuite.records()[outcome.key]["entityId"] == "Lakeshore Office Supply LLC"


def test_a_name_with_a_quote_is_no_way_into_the_filter(netsuite: World) -> None:
    assert netsuite.push(document(code='x" OR entityId IS "V00301')).effect == "created"


# Changing


def test_only_what_differs_is_sent(netsuite: World) -> None:
    key = netsuite.push(document()).key
    outcome = netsuite.push(document(payment_terms="NET45"), key=key)
    assert (outcome.effect, outcome.verified) == ("updated", True)
    assert [item.request for item in outcome.exchanges if item.method == "PATCH"] == ['{"terms":{"id":"9"}}']


def test_what_is_taken_away_is_cleared(netsuite: World) -> None:
    key = netsuite.push(document(website="https://lakeshore.example")).key
    bare = document(payment_terms=None, contacts=[], tax_registrations=[], website=None)
    outcome = netsuite.push(bare, key=key)
    assert outcome.verified
    assert '"terms":null' in next(item.request for item in outcome.exchanges if item.method == "PATCH")
    stored = netsuite.records()[key]
    assert not {"terms.id", "email", "phone", "taxIdNum", "url"} & set(stored)


def test_a_wrong_reference_is_refused_in_netsuites_words(netsuite: World) -> None:
    payload = {**netsuite.mapping().render(document()), "terms.id": "9999"}
    with pytest.raises(Refused) as caught:
        netsuite.push(document(), payload=payload)
    problem = caught.value.problems[0]
    assert (problem.field, problem.code) == ("terms", "INVALID_CONTENT")
    assert "Invalid Field Value 9999 for the following field: terms" in problem.message


def test_a_legal_entity_without_a_subsidiary_is_a_gap_in_the_value_map(netsuite: World) -> None:
    with pytest.raises(Unmapped) as caught:
        netsuite.mapping().render(document(extensions=[{"legal_entity": "NH77"}]))
    assert (caught.value.table, caught.value.value) == ("subsidiaries", "NH77")


def test_lengths_are_refused_before_anything_is_sent(netsuite: World) -> None:
    with pytest.raises(Refused, match="83 characters"):
        netsuite.mapping().render(document(legal_name="x" * 84))


def test_block_and_unblock(netsuite: World) -> None:
    key = netsuite.push(document()).key
    assert (blocked := netsuite.push(document(), key=key, action="block")).effect == "blocked" and blocked.verified
    assert netsuite.records()[key]["isInactive"] is True
    assert netsuite.push(document(), key=key, action="block").effect == "unchanged"
    assert netsuite.push(document(), key=key).effect == "updated"
    assert netsuite.push(document(), key="99999", action="block").effect == "unchanged"


# Addresses


def test_addresses_come_and_change_line_by_line(netsuite: World) -> None:
    two = [address("a1", "200 Lake Shore Drive"), address("a2", "PO Box 9", kind="remit_to", postal_code="60680")]
    key = netsuite.push(document(addresses=two)).key
    before = lines(netsuite.records()[key], "addressBookAddress.addr1")
    assert sorted(before.values()) == ["200 Lake Shore Drive", "PO Box 9"]
    moved = [address("a1", "1 N State Street", postal_code="60602"), two[1]]
    outcome = netsuite.push(document(addresses=moved), key=key)
    assert outcome.verified and any("?replace=addressBook" in item.url for item in outcome.exchanges)
    after = lines(netsuite.records()[key], "addressBookAddress.addr1")
    assert set(after) == set(before), "a line that moved is the same line"
    assert sorted(after.values()) == ["1 N State Street", "PO Box 9"]
    assert netsuite.differences(document(addresses=moved), key) == []


def test_their_lines_and_what_we_do_not_map_of_ours_stay(netsuite: World) -> None:
    netsuite.control("mutate", key="304", field="addressBook[10304].addressBookAddress.attention", value="Ms. Ode")
    theirs = {"label": "Depot", "addressBookAddress": {"addr1": "9 Dock Road", "zip": "60616", "country": {"id": "US"}}}
    assert netsuite.call("PATCH", "vendor/304", {"addressBook": {"items": [theirs]}}).status_code == 204
    ours = document(
        code="V00304", addresses=[address("a1", "2240 W Fulton Street", city="Cicero", postal_code="60612")]
    )
    outcome = netsuite.push(ours)
    assert outcome.verified
    sent = next(item.request for item in outcome.exchanges if item.method == "PATCH")
    assert "Ms. Ode" in sent and "9 Dock Road" in sent, "right whether NetSuite fills lines in or replaces them"
    stored = netsuite.records()["304"]
    assert sorted(lines(stored, "addressBookAddress.addr1").values()) == ["2240 W Fulton Street", "9 Dock Road"]
    assert stored["addressBook[10304].addressBookAddress.city"] == "Cicero"
    assert stored["addressBook[10304].addressBookAddress.attention"] == "Ms. Ode"
    extra = [item for item in netsuite.differences(ours, "304") if item.kind == "extra"]
    assert [item.actual["addressBookAddress.addr1"] for item in extra] == ["9 Dock Road"]


def test_there_is_one_default_billing_address(netsuite: World) -> None:
    outcome = netsuite.push(
        document(addresses=[address("a1", "1 A Street"), address("a2", "2 B Street", kind="remit_to")])
    )
    flags = lines(netsuite.records()[outcome.key], "defaultBilling")
    labels = lines(netsuite.records()[outcome.key], "label")
    assert {labels[id] for id, flag in flags.items() if flag} == {"Registered"}


# Taxes


VAT = [{"uid": "t1", "country": "DE", "scheme": "VAT", "number": "DE129273398"}]


def test_registrations_where_suitetax_is_on(netsuite: World) -> None:
    key = netsuite.push(document(tax_registrations=VAT)).key
    stored = netsuite.records()[key]
    row = next(name for name in stored if name.endswith("].taxRegistrationNumber"))
    assert stored[row] == "DE129273398" and stored["taxIdNum"] == "DE129273398"
    changed = [{**VAT[0], "number": "DE136695976"}]
    outcome = netsuite.push(document(tax_registrations=changed), key=key)
    assert outcome.verified and any("?replace=taxRegistration" in item.url for item in outcome.exchanges)
    assert netsuite.records()[key][row] == "DE136695976"


def test_only_the_tax_id_where_it_is_off(tmp_path: Path) -> None:
    with world(tmp_path, suitetax=False) as netsuite:
        outcome = netsuite.push(document(tax_registrations=VAT))
        assert outcome.verified and netsuite.records()[outcome.key]["taxIdNum"] == "DE129273398"
        assert "taxRegistration" not in repr(netsuite.records()[outcome.key])
        assert netsuite.differences(document(tax_registrations=VAT), outcome.key) == []


def test_what_the_account_does_not_have_is_left_out_and_said(netsuite: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account in one currency: its catalog knows no currency of a vendor, and naming one is an error."""
    from sync.connectors.netsuite import sandbox_rules

    vendor = sandbox_rules.RECORDS["vendor"]
    poorer = {name: kind for name, kind in vendor.fields.items() if name not in ("currency.id", "incoterm.id")}
    monkeypatch.setitem(sandbox_rules.RECORDS, "vendor", type(vendor)(**{**vars(vendor), "fields": poorer}))
    health = netsuite.connector.check()
    assert health.ok and health.pushable["currency"] is False and health.missing == ("currency", "incoterm")
    outcome = netsuite.push(document())
    assert outcome.verified and "currency.id" not in netsuite.records()[outcome.key]


def test_nothing_is_passed_over_in_silence(netsuite: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of the wrong kind, or a field that went away since the catalog was read, is an error to NetSuite only
    because the connector asks for it."""
    from sync.connectors.netsuite import sandbox_rules

    payload = {**netsuite.mapping().render(document()), "isInactive": "no"}
    with pytest.raises(Refused, match="Invalid value 'no' for the property isInactive"):
        netsuite.push(document(), payload=payload)
    vendor = sandbox_rules.RECORDS["vendor"]
    fewer = {name: kind for name, kind in vendor.fields.items() if name != "currency.id"}
    monkeypatch.setitem(sandbox_rules.RECORDS, "vendor", type(vendor)(**{**vars(vendor), "fields": fewer}))
    with pytest.raises(Refused, match="Unknown or read-only property: currency"):
        netsuite.push(document())
    assert len(netsuite.records()) == SEEDED


# Limits and failures


def test_too_many_at_once(netsuite: World) -> None:
    """NetSuite's 429 does not say how long to wait."""
    netsuite.connector.check()
    taken = [netsuite.sandbox.threads.acquire(blocking=False) for _ in range(15)]
    assert all(taken)
    answer = netsuite.call("GET", "vendor/301")
    assert answer.status_code == 429 and "retry-after" not in answer.headers
    assert answer.json()["o:errorDetails"][0]["o:errorCode"] == "CONCURRENCY_LIMIT_EXCEEDED"
    with pytest.raises(Throttled) as caught:
        netsuite.push(document())
    assert caught.value.retry_after >= 5
    for _ in taken:
        netsuite.sandbox.threads.release()
    assert netsuite.push(document()).verified


def test_a_failed_look_is_not_a_lost_write(netsuite: World) -> None:
    netsuite.control("faults", match="GET /services/rest/record/v1/vendor", kind="500", count=1)
    with pytest.raises(NotSent, match="Planned fault"):
        netsuite.push(document())
    assert netsuite.effects() == []


def test_a_vendor_deleted_there_is_a_question_for_a_person(netsuite: World) -> None:
    assert netsuite.call("DELETE", "vendor/301").status_code == 204
    assert netsuite.connector.read("supplier", "301") is None
    with pytest.raises(Refused) as caught:
        netsuite.push(document(), key="301")
    assert caught.value.problems[0].code == "key_unknown" and len(netsuite.records()) == SEEDED - 1


def test_keys_that_are_none_are_not_asked_for(netsuite: World) -> None:
    for key in ("abc", "../subsidiary/1", "301/addressBook", "eid:a|b"):
        assert netsuite.connector.read("supplier", key) is None
    assert [item for item in netsuite.connector.exchanges() if "vendor" in item.url] == []


def test_other_types_are_not_taken(netsuite: World) -> None:
    with pytest.raises(NotSupported):
        netsuite.connector.read("tax_code", "1")


# Scanning


def test_suiteql_tells_the_same_as_reading_each(tmp_path: Path) -> None:
    with world(tmp_path, suitetax=False, page_size=5) as netsuite:
        netsuite.push(document(addresses=[address(f"a{n}", f"{n} Row", kind="ordering") for n in range(1, 8)]))
        scanned = list(netsuite.connector.scan("supplier"))
        assert len(scanned) == SEEDED + 1 and any(record.blocked for record in scanned)
        for record in scanned:
            assert netsuite.connector.read("supplier", record.key) == record
        assert sum("addr1" in name for name in scanned[0].fields | scanned[-1].fields) >= 7


def test_suiteql_asks_twice_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, suitetax=False, page_size=6) as netsuite:
        client, said = netsuite.connector._api.client, []
        keep = client.exchanges
        monkeypatch.setattr(client, "exchanges", lambda: said.extend(keep()) or ())
        assert len(list(netsuite.connector.scan("supplier"))) == SEEDED
        said += keep()
        assert [item.method for item in said].count("POST") == 5  # two pages of two, and one that is empty
        assert not any("vendor/3" in item.url for item in said)


def test_only_what_changed_since(tmp_path: Path) -> None:
    with world(tmp_path, suitetax=False) as netsuite:
        assert len(list(netsuite.connector.scan("supplier", "2020-01-01T00:00:00Z"))) == SEEDED
        assert list(netsuite.connector.scan("supplier", "2999-01-01T00:00:00Z")) == []
        with pytest.raises(ValueError):
            list(netsuite.connector.scan("supplier", "2020' OR '1"))


def test_with_suitetax_every_vendor_is_read(tmp_path: Path) -> None:
    with world(tmp_path, page_size=5) as netsuite:
        netsuite.push(document(tax_registrations=VAT))
        scanned = {record.key: record for record in netsuite.connector.scan("supplier")}
        assert len(scanned) == SEEDED + 1
        assert any("taxRegistrationNumber" in name for record in scanned.values() for name in record.fields)


# Payment terms


def test_a_term_is_made_changed_and_blocked(netsuite: World) -> None:
    made = netsuite.push(term(), type="payment_term")
    assert (made.effect, made.verified) == ("created", True)
    stored = netsuite.records("payment_term")[made.key]
    assert (stored["name"], stored["daysUntilNetDue"], stored["externalId"]) == ("Net 20", 20, f"MDM-{UID}")
    assert netsuite.push(term(), type="payment_term").effect == "unchanged"
    discount = term(discount_days=10, discount_percent="2.50")
    changed = netsuite.push(discount, made.key, type="payment_term")
    assert (changed.effect, changed.verified) == ("updated", True)
    stored = netsuite.records("payment_term")[made.key]
    assert (stored["discountPercent"], stored["daysUntilExpiry"]) == (2.5, 10)
    assert netsuite.push(term(), made.key, type="payment_term").verified
    assert netsuite.push(term(), made.key, type="payment_term", action="block").effect == "blocked"
    held = netsuite.connector.read("payment_term", made.key)
    assert held is not None and held.blocked and held.reference == UID


def test_a_term_that_was_there_is_linked_by_its_name(netsuite: World) -> None:
    before = len(netsuite.records("payment_term"))
    outcome = netsuite.push(term(name="Net 30", net_days=30), type="payment_term")
    assert (outcome.key, outcome.verified) == ("2", True) and len(netsuite.records("payment_term")) == before
    assert netsuite.connector.find("payment_term", UID, {}) is not None


def test_a_term_from_the_end_of_the_month_has_no_counterpart(netsuite: World) -> None:
    with pytest.raises(Unmapped) as caught:
        netsuite.mapping("payment_term").render(term(from_end_of_month=True))
    assert caught.value.table == "counting"


def test_no_discount_is_adopted_as_none(netsuite: World) -> None:
    ours = term(discount_days=10, discount_percent="2.00")
    changes = netsuite.mapping("payment_term").adopt("discountPercent", 0, ours)
    assert changes == [{"path": "discount_percent", "value": None}]


def test_terms_and_subsidiaries_are_scanned_page_by_page(tmp_path: Path) -> None:
    with world(tmp_path, page_size=4) as netsuite:
        terms = {record.key: record for record in netsuite.connector.scan("payment_term")}
        assert len(terms) == 10 and terms["6"].fields["discountPercent"] == 2
        names = {record.fields["name"] for record in netsuite.connector.scan("legal_entity")}
        assert len(names) == 6 and "Nordhaven Group" in names


# Legal entities


def test_a_subsidiary_is_made_changed_and_blocked(netsuite: World) -> None:
    made = netsuite.push(entity(), type="legal_entity")
    assert (made.effect, made.verified) == ("created", True)
    stored = netsuite.records("legal_entity")[made.key]
    assert (stored["country.id"], stored["currency.id"], stored["parent.id"]) == ("PL", "6", "1")
    assert (stored["mainAddress.city"], stored["mainAddress.country.id"]) == ("Poznań", "PL")
    moved = netsuite.push(entity(city="Gdynia"), made.key, type="legal_entity")
    assert (moved.effect, moved.verified) == ("updated", True)
    stored = netsuite.records("legal_entity")[made.key]
    assert (stored["mainAddress.city"], stored["mainAddress.country.id"]) == ("Gdynia", "PL")
    blocked = netsuite.push(entity(status="blocked"), made.key, type="legal_entity")
    assert blocked.verified and netsuite.records("legal_entity")[made.key]["isInactive"] is True


def test_a_subsidiary_that_was_there_is_linked_by_its_name(netsuite: World) -> None:
    there = entity(name="Nordhaven Iberia", country="ES", currency="EUR", city="Bilbao")
    outcome = netsuite.push(there, type="legal_entity")
    assert (outcome.key, outcome.effect, outcome.verified) == ("5", "updated", True)
    assert len(netsuite.records("legal_entity")) == 6


def test_a_lost_create_of_a_subsidiary_does_not_double(netsuite: World) -> None:
    netsuite.control("faults", match="^PUT ", kind="timeout_after", count=1)
    with pytest.raises(Ambiguous):
        netsuite.push(entity(), type="legal_entity")
    again = netsuite.push(entity(), type="legal_entity")
    assert again.effect == "unchanged" and len(netsuite.records("legal_entity")) == 7


def test_nobody_there() -> None:
    from sync.connectors.netsuite.connector import connector

    health = connector(Config("http://127.0.0.1:1", CLIENT_ID, SECRET, timeout=1.0)).check()
    assert not health.ok and "could not be reached" in health.message
