"""The Coupa connector over HTTP: find before create, write what differs, read back, block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.errors import Ambiguous, NotSent, NotSupported, Refused, Throttled, Unauthorised
from sync.protocol import Config
from sync.sandbox import CLIENT_ID
from tests.sync.connectors.coupa_world import UID, World, document, world


@pytest.fixture
def coupa(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as found:
        yield found


def test_check_says_what_can_be_written(coupa: World) -> None:
    health = coupa.connector.check()
    assert health.ok
    assert health.pushable["primary-address"] and health.pushable["bank_accounts"] is False
    assert "Bank numbers cannot be written" in health.message


def test_check_reports_wrong_credentials_and_missing_scope(coupa: World) -> None:
    kind = type(coupa.connector)
    wrong = kind(Config(coupa.running.url, CLIENT_ID, "wrong", timeout=2.0)).check()
    assert not wrong.ok and "authentication failed" in wrong.message
    reader = kind(
        Config(
            coupa.running.url,
            CLIENT_ID,
            coupa.running.sandbox.secret,
            options={"scope": "core.supplier.read"},
        )
    )
    health = reader.check()
    assert not health.ok and health.pushable["payment-term"] is False
    with pytest.raises(Unauthorised):
        reader.push(coupa.order(document()))


def test_create_update_unchanged(coupa: World) -> None:
    created = coupa.push(document())
    assert (created.key, created.effect, created.verified) == ("S-000777", "created", True)
    stored = coupa.records()["S-000777"]
    assert stored["custom-fields.mdm-reference"] == UID
    assert stored["payment-term.code"] == "Net 30" and stored["payment-term.days-for-net-payment"] == 30
    assert stored["primary-address.country.code"] == "DE"
    assert stored["remit-to-addresses[B2C3D4E5].street1"] == "Postfach 9"
    assert not any("iban" in str(value).lower() or "DE8937" in str(value) for value in stored.values())

    assert coupa.push(document(), key="S-000777").effect == "unchanged"
    updated = coupa.push(document(payment_terms="NET45"), key="S-000777")
    assert (updated.effect, updated.verified) == ("updated", True)
    assert [effect["kind"] for effect in coupa.effects()] == ["created", "updated"]
    assert coupa.effects()[0]["idempotency_key"] == f"1:coupa:{UID}:1"
    assert coupa.effects()[0]["correlation_id"] == "corr-1"


def test_only_what_differs_is_sent(coupa: World) -> None:
    coupa.push(document())
    coupa.control("mutate", key="S-000777", field="account-number", value="4711")
    outcome = coupa.push(document(website="https://new.example"), key="S-000777")
    put = next(item for item in outcome.exchanges if item.method == "PUT")
    assert put.request == '{"website":"https://new.example"}'
    assert coupa.records()["S-000777"]["account-number"] == "4711"


def test_a_value_taken_away_is_cleared(coupa: World) -> None:
    coupa.push(document())
    outcome = coupa.push(document(website=None, payment_terms=None, incoterm=None), key="S-000777")
    assert outcome.verified
    stored = coupa.records()["S-000777"]
    assert stored["website"] is None and "payment-term.code" not in {k for k, v in stored.items() if v}


def test_brownfield_supplier_is_linked_by_its_key(coupa: World) -> None:
    outcome = coupa.push(document(uid="golden-1"), key="20001")
    assert (outcome.key, outcome.effect, outcome.verified) == ("20001", "updated", True)
    assert len(coupa.records()) == 3
    assert coupa.records()["20001"]["custom-fields.mdm-reference"] == "golden-1"


def test_an_unknown_key_creates_nothing(coupa: World) -> None:
    with pytest.raises(Refused) as caught:
        coupa.push(document(), key="99999")
    assert caught.value.problems[0].code == "key_unknown"
    assert len(coupa.records()) == 3


def test_find_by_tax_id_links_when_the_name_agrees(coupa: World) -> None:
    twin = document(
        legal_name="SUPPLIER 0 GmbH",
        tax_registrations=[{"country": "DE", "scheme": "VAT", "number": "DE810000000"}],
    )
    assert coupa.push(twin).key == "20001"
    assert len(coupa.records()) == 3


def test_a_shared_tax_id_is_a_question_for_a_person(coupa: World) -> None:
    sibling = document(tax_registrations=[{"country": "DE", "scheme": "VAT", "number": "DE810000000"}])
    with pytest.raises(Refused, match="20001"):
        coupa.push(sibling)
    assert len(coupa.records()) == 3


def test_a_name_that_is_taken_is_refused_in_coupas_words(coupa: World) -> None:
    with pytest.raises(Refused) as caught:
        coupa.push(document(legal_name="Supplier 0 GmbH", tax_registrations=[]))
    assert [(item.field, item.code) for item in caught.value.problems] == [("name", "taken")]
    assert "Name has already been taken" in caught.value.message


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "garbage"])
def test_a_lost_answer_does_not_double(coupa: World, kind: str) -> None:
    coupa.control("faults", match="POST /api/suppliers", kind=kind, count=1)
    with pytest.raises(Ambiguous):
        coupa.push(document())
    again = coupa.push(document())
    assert (again.key, again.effect) == ("S-000777", "unchanged")
    assert len(coupa.records()) == 4


def test_a_request_that_was_never_applied_is_made_again(coupa: World) -> None:
    coupa.control("faults", match="POST /api/suppliers", kind="timeout_before", count=1)
    with pytest.raises(Ambiguous):
        coupa.push(document())
    assert coupa.push(document()).effect == "created"


def test_a_late_create_is_found_after_already_taken(coupa: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost POST arrives between our look and our second POST: the refusal leads to a look."""
    coupa.push(document())
    search = coupa.connector._search
    looks: list[str] = []

    def blind_once(reference: str, payload: dict) -> dict | None:
        looks.append(reference)
        return None if len(looks) == 1 else search(reference, payload)

    monkeypatch.setattr(coupa.connector, "_search", blind_once)
    outcome = coupa.push(document(payment_terms="NET60"))
    assert (outcome.key, outcome.effect, outcome.verified) == ("S-000777", "updated", True)
    assert len(coupa.records()) == 4


def test_a_failed_read_is_not_ambiguous(coupa: World) -> None:
    coupa.control("faults", match="GET /api/suppliers", kind="500", count=1)
    with pytest.raises(NotSent):
        coupa.push(document())


def test_throttled_has_a_floor(coupa: World) -> None:
    coupa.control("faults", match="GET /api/suppliers", kind="429", count=1)
    with pytest.raises(Throttled) as caught:
        coupa.push(document())
    assert caught.value.retry_after >= 1


def test_a_token_that_ends_is_renewed(coupa: World) -> None:
    coupa.connector.check()
    coupa.running.sandbox.tokens.clear()
    assert coupa.push(document()).effect == "created"


def test_coupas_refusal_keeps_its_words(coupa: World) -> None:
    coupa.control("faults", match="POST /api/suppliers", kind="refuse", count=1)
    with pytest.raises(Refused, match="not allowed"):
        coupa.push(document())


def test_a_supplier_without_contact_needs_the_fallback(tmp_path: Path) -> None:
    with world(tmp_path) as coupa, pytest.raises(Refused, match="Primary contact can't be blank"):
        coupa.push(document(contacts=[]))
    (tmp_path / "second").mkdir()
    with world(tmp_path / "second", fallback_contact="suppliers@nordhaven.example") as coupa:
        outcome = coupa.push(document(contacts=[]))
        assert outcome.effect == "created" and outcome.verified
        assert coupa.push(document(contacts=[]), key=outcome.key).effect == "unchanged"


def test_block_and_unblock(coupa: World) -> None:
    coupa.push(document())
    blocked = coupa.push(document(), key="S-000777", action="block", payload={})
    assert (blocked.effect, blocked.verified) == ("blocked", True)
    record = coupa.connector.read("supplier", "S-000777")
    assert record is not None and record.blocked
    again = coupa.push(document(), key="S-000777", action="block", payload={})
    assert again.effect == "unchanged"
    assert coupa.push(document(status="blocked"), key="S-000777").effect == "unchanged"
    assert coupa.push(document(), key="S-000777").effect == "updated"
    record = coupa.connector.read("supplier", "S-000777")
    assert record is not None and not record.blocked


def test_blocking_touches_only_its_own_key(coupa: World) -> None:
    coupa.push(document(), key="20001")
    missing = coupa.push(document(), key="99999", action="block", payload={})
    assert missing.effect == "unchanged"
    assert coupa.push(document(), key="20003", action="block", payload={}).key == "20003"
    assert coupa.records()["20001"]["on-hold"] is False
    assert coupa.records()["20001"]["custom-fields.mdm-reference"] == UID


def test_remit_to_addresses_come_change_and_go(coupa: World) -> None:
    coupa.push(document())
    registered, remit = document()["addresses"]
    moved = {**remit, "city": "Oldenburg"}
    second = {**remit, "uid": "f6f7f8f9-0000", "lines": ["Postfach 10"], "postal_code": "28002"}
    assert coupa.push(document(addresses=[registered, moved, second]), key="S-000777").verified
    stored = coupa.records()["S-000777"]
    assert stored["remit-to-addresses[B2C3D4E5].city"] == "Oldenburg"
    assert stored["remit-to-addresses[F6F7F8F9].street1"] == "Postfach 10"

    assert coupa.push(document(addresses=[registered]), key="S-000777").verified
    record = coupa.connector.read("supplier", "S-000777")
    assert record is not None and not any(name.startswith("remit-to") for name in record.fields)
    assert coupa.records()["S-000777"]["remit-to-addresses[B2C3D4E5].active"] is False

    assert coupa.push(document(), key="S-000777").verified  # the same one again is switched on, not added twice
    assert coupa.records()["S-000777"]["remit-to-addresses[B2C3D4E5].active"] is True


def test_unknown_types_are_not_supported(coupa: World) -> None:
    with pytest.raises(NotSupported):
        coupa.connector.read("tax_code", "1")


def test_evidence_shows_no_secret(coupa: World) -> None:
    said = repr(coupa.push(document()).exchanges)
    assert coupa.running.sandbox.secret not in said and "Bearer" not in said
    assert "oauth2/token" in said
