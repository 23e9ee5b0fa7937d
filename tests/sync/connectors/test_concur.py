"""The Concur connector over HTTP: partial success, banks, lost answers, codes, blocking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync.errors import Ambiguous, NotSent, Refused, Throttled, Unauthorised
from sync.protocol import Config
from sync.sandbox import CLIENT_ID, SECRET
from tests.sync.connectors.concur_world import IBAN, UID, World, document, world

KEY = "S000888/001"


@pytest.fixture
def concur(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as found:
        yield found


def test_check_says_what_can_be_written(concur: World) -> None:
    health = concur.connector.check()
    assert health.ok and health.pushable["VendorBankList"]
    assert health.pushable["VendorBankList (IBAN)"] is False and "IBAN" in health.message
    wrong = type(concur.connector)(Config(concur.running.url, CLIENT_ID, "wrong", timeout=1.0)).check()
    assert not wrong.ok and "Incorrect credentials" in wrong.message


def test_create_update_unchanged(concur: World) -> None:
    created = concur.push(document())
    assert (created.key, created.effect, created.verified) == (KEY, "created", True)
    stored = concur.records()[KEY]
    assert stored["Custom20"] == UID and stored["PaymentTerms"] == 30
    assert stored["Address1"] == "200 Lake Shore Drive, Suite 5"
    assert concur.accounts(KEY) == [("000123456789", "Y")]

    assert concur.push(document(), key=KEY).effect == "unchanged"
    updated = concur.push(document(payment_terms="NET45"), key=KEY)
    assert (updated.effect, updated.verified) == ("updated", True)
    assert concur.effects()[0]["idempotency_key"] == f"1:concur:{UID}:1"


def test_an_update_keeps_what_is_not_ours(concur: World) -> None:
    outcome = concur.push(document(bank_accounts=[]), key="V003001/001")
    assert (outcome.effect, outcome.verified) == ("updated", True)
    stored = concur.records()["V003001/001"]
    assert stored["Custom1"] == "CHICAGO" and stored["Custom20"] == UID
    assert len(concur.records()) == 3


def test_a_value_taken_away_is_cleared(concur: World) -> None:
    concur.push(document())
    outcome = concur.push(document(contacts=[], tax_registrations=[]), key=KEY)
    assert outcome.verified and concur.records()[KEY]["TaxID"] == ""


def test_a_record_refused_inside_200_is_refused(concur: World) -> None:
    payload = {**concur.mapping.render(document()), "PaymentTerms": 1000, "CountryCode": "us"}
    with pytest.raises(Refused) as caught:
        concur.push(document(), payload=payload)
    assert [item.field for item in caught.value.problems] == ["CountryCode", "PaymentTerms"]
    assert "must be an integer between 1 and 999" in caught.value.message
    assert caught.value.status == 200 and len(concur.records()) == 3


def test_partial_success_vendor_yes_bank_no(concur: World) -> None:
    payload = concur.mapping.render(document())
    row = next(name for name in payload if name.endswith(".NameOnAccount"))
    with pytest.raises(Refused, match="NameOnAccount is required"):
        concur.push(document(), payload={**payload, row: None})
    assert KEY in concur.records() and concur.accounts(KEY) == []
    fixed = concur.push(document())
    assert (fixed.effect, fixed.verified) == ("updated", True)
    assert concur.accounts(KEY) == [("000123456789", "Y")]


def test_a_200_without_our_record_is_ambiguous(concur: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = concur.running.sandbox
    monkeypatch.setattr(sandbox, "_create_one", lambda record, place: {"VendorCode": "OTHER", "StatusList": []})
    with pytest.raises(Ambiguous):
        concur.push(document())


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "garbage"])
@pytest.mark.parametrize("request_line", ["POST /api/v3.1/invoice/vendors", "PUT /api/v3.1/invoice/vendor/banks"])
def test_a_lost_answer_does_not_double(concur: World, kind: str, request_line: str) -> None:
    concur.control("faults", match=request_line, kind=kind, count=1)
    with pytest.raises(Ambiguous):
        concur.push(document())
    again = concur.push(document())
    assert again.key == KEY and again.verified
    assert len(concur.records()) == 4 and concur.accounts(KEY) == [("000123456789", "Y")]
    assert concur.push(document(), key=KEY).effect == "unchanged"


def test_a_late_create_is_found_after_already_exists(concur: World, monkeypatch: pytest.MonkeyPatch) -> None:
    concur.push(document())
    search = concur.connector._search
    looks: list[str] = []

    def blind_once(reference: str, payload: Any) -> Any:
        looks.append(reference)
        return None if len(looks) == 1 else search(reference, payload)

    monkeypatch.setattr(concur.connector, "_search", blind_once)
    outcome = concur.push(document(payment_terms="NET60"))
    assert (outcome.key, outcome.effect, outcome.verified) == (KEY, "updated", True)


def test_the_code_of_another_record_is_not_taken_over(concur: World) -> None:
    concur.push(document())
    with pytest.raises(Refused, match="already exist"):
        concur.push(document(uid="somebody-else", tax_registrations=[]))
    assert concur.records()[KEY]["Custom20"] == UID


def test_find_by_tax_id(concur: World) -> None:
    number = [{"country": "US", "scheme": "EIN", "number": "36-0000000"}]
    linked = concur.push(document(legal_name="VENDOR 0, INC", tax_registrations=number, bank_accounts=[]))
    assert linked.key == "V003001/001"
    with pytest.raises(Refused, match="V003002/001"):
        concur.push(document(uid="u2", code="S-2", tax_registrations=[{"scheme": "EIN", "number": "36-0000001"}]))
    assert len(concur.records()) == 3


def test_hyphens_in_codes_are_refused(concur: World) -> None:
    payload = {**concur.mapping.render(document()), "VendorCode": "S-000888"}
    with pytest.raises(Refused) as caught:
        concur.push(document(), payload=payload)
    assert (caught.value.problems[0].field, caught.value.problems[0].code) == ("VendorCode", "hyphen")
    assert not any(item.method == "POST" and "vendors" in item.url for item in concur.connector.exchanges())


def test_a_vendor_deleted_there_is_a_question_for_a_person(concur: World) -> None:
    token = httpx.post(
        f"{concur.running.url}/oauth2/v0/token",
        data={"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET},
    ).json()["access_token"]
    answer = httpx.delete(
        f"{concur.running.url}/api/v3.1/invoice/vendors",
        params={"vendorCode": "V003001", "addressCode": "001"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.json()["Vendor"][0]["StatusList"][0]["Type"] == "SUCCESS"
    assert concur.connector.read("supplier", "V003001/001") is None
    with pytest.raises(Refused) as caught:
        concur.push(document(), key="V003001/001")
    assert caught.value.problems[0].code == "key_unknown"
    assert len(concur.records()) == 2


def test_bank_accounts_come_change_and_go(concur: World) -> None:
    concur.push(document())
    old = document()["bank_accounts"][0]
    concur.push(document(bank_accounts=[{**old, "holder": "Lakeshore LLC"}]), key=KEY)
    assert concur.accounts(KEY) == [("000123456789", "Y")]
    other = concur.push(document(bank_accounts=[{**old, "account_number": "000987654321"}]), key=KEY)
    assert other.verified
    assert concur.accounts(KEY) == [("000123456789", "N"), ("000987654321", "Y")]
    assert "000987654321" not in repr(other.exchanges)


def test_ibans_are_neither_sent_nor_touched(concur: World) -> None:
    with_iban = document(
        bank_accounts=[{"uid": "k2", "iban": IBAN, "bic": "COBADEFFXXX", "account_number": "0532013000"}]
    )
    assert not any(name.startswith("VendorBankList") for name in concur.mapping.render(with_iban))
    outcome = concur.push(with_iban, key="V003003/001")
    assert outcome.verified and concur.accounts("V003003/001") == [(IBAN, "Y")]
    record = concur.connector.read("supplier", "V003003/001")
    assert record is not None and IBAN not in repr(record)


def test_block_and_unblock(concur: World) -> None:
    concur.push(document())
    blocked = concur.push(document(), key=KEY, action="block")
    assert (blocked.effect, blocked.verified) == ("blocked", True)
    assert concur.records()[KEY]["Approved"] == "N"
    assert concur.push(document(), key=KEY, action="block").effect == "unchanged"
    assert concur.push(document(status="blocked"), key=KEY).effect == "unchanged"
    assert concur.push(document(), key=KEY).effect == "updated"
    assert concur.push(document(), key="V999999/001", action="block").effect == "unchanged"


def test_throttling_has_a_floor_although_concur_says_zero(concur: World) -> None:
    concur.control("faults", match="GET /api", kind="429", count=1)
    with pytest.raises(Throttled) as caught:
        concur.push(document())
    assert caught.value.retry_after >= 5


def test_failures_name_the_correlation_id(concur: World) -> None:
    concur.control("faults", match="GET /api", kind="500", count=1)
    with pytest.raises(NotSent, match="Concur correlation id [0-9a-f-]{36}"):
        concur.push(document())
    assert all("concur-correlationid: " in item.response for item in concur.connector.exchanges())


def test_refresh_tokens_are_replaced(concur: World) -> None:
    form = {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "grant_type": "password",
        "username": "u",
        "password": "p",
    }
    first = httpx.post(f"{concur.running.url}/oauth2/v0/token", data=form).json()
    config = Config(
        concur.running.url, CLIENT_ID, SECRET, timeout=1.0, options={"refresh_token": first["refresh_token"]}
    )
    connector = type(concur.connector)(config)
    assert connector.check().ok
    concur.running.sandbox.tokens.clear()  # every access token ends; the refresh token in hand is a later one
    assert connector.check().ok
    bad = type(concur.connector)(Config(concur.running.url, CLIENT_ID, SECRET, options={"refresh_token": "old.token"}))
    with pytest.raises(Unauthorised):
        bad.read("supplier", KEY)


def test_later_calls_go_where_the_token_lives(tmp_path: Path) -> None:
    """The token endpoint names another host name of the same machine as `geolocation`."""
    with world(tmp_path) as concur:
        port = concur.running.server.server_address[1]
        sandbox: Any = concur.running.sandbox
        plain = sandbox.token

        def elsewhere(request: Any) -> Any:
            response = plain(request)
            response.body["geolocation"] = f"http://localhost:{port}"
            return response

        sandbox._routes = [(m, p, elsewhere if p.match("/oauth2/v0/token") else h) for m, p, h in sandbox._routes]
        assert concur.push(document()).verified
        urls = [item.url for item in concur.push(document(), key=KEY).exchanges]
        assert urls and all(url.startswith(f"http://localhost:{port}/api/") for url in urls)


def test_an_unencrypted_geolocation_is_not_followed(concur: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = type(concur.connector)(Config("https://us.api.concursolutions.test", CLIENT_ID, SECRET))
    sign_in = connector._api.sign_in
    token = type("Token", (), {"value": "t", "extra": {"geolocation": "http://elsewhere.test"}})()
    monkeypatch.setattr(sign_in._oauth, "token", lambda: token)
    with pytest.raises(Unauthorised, match="unencrypted"):
        sign_in.settle()
