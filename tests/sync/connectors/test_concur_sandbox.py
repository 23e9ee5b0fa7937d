"""The sandbox of Concur by itself: what its documents say, spoken in plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync.sandbox import CLIENT_ID, SECRET
from tests.sync.connectors.concur_world import World, world, write_extract
from tests.sync.connectors.sandbox_process import Process

VENDORS = "/api/v3.1/invoice/vendors"
BANKS = "/api/v3.1/invoice/vendor/banks"


@pytest.fixture
def concur(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, count=60) as found:
        yield found


def token(url: str, **changes: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
    return httpx.post(f"{url}/oauth2/v0/token", data={**form, **changes})


@pytest.fixture
def api(concur: World) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {token(concur.running.url).json()['access_token']}"}
    with httpx.Client(base_url=concur.running.url, headers=headers) as client:
        yield client


def vendor(**changes: Any) -> dict[str, Any]:
    found = {
        "VendorCode": "N1", "AddressCode": "MAIN", "VendorName": "New One", "CountryCode": "US", "CurrencyCode": "USD",
        "State": "IL", "PaymentTerms": 30, "PaymentMethodType": "ACH",
    }  # fmt: skip
    return {**found, **changes}


def types(answer: httpx.Response, name: str = "Vendor") -> list[str]:
    assert answer.status_code == 200
    return [record["StatusList"][0]["Type"] for record in answer.json()[name]]


def test_token(concur: World) -> None:
    url = concur.running.url
    good = token(url)
    assert good.json()["expires_in"] == "3600" and good.json()["geolocation"] == url
    assert "refresh_token" not in good.json() and good.headers["concur-correlationid"]
    assert token(url, client_secret="x").json()["code"] == 64
    assert token(url, grant_type="magic").json()["code"] == 60
    assert token(url, grant_type="refresh_token", refresh_token="x.y").json() == {
        "code": 108, "error": "invalid_grant", "error_description": "bad or expired refresh token",
    }  # fmt: skip
    first = token(url, grant_type="password", username="u", password="p").json()["refresh_token"]
    second = token(url, grant_type="refresh_token", refresh_token=first).json()["refresh_token"]
    assert second != first


def test_errors_have_concurs_shape(concur: World, api: httpx.Client) -> None:
    answer = httpx.get(concur.running.url + VENDORS)
    assert answer.status_code == 401
    assert set(answer.json()) == {"timestamp", "httpStatus", "error", "validationErrors", "path"}
    wrong = api.get(VENDORS, params={"limit": 1001}).json()
    assert wrong["validationErrors"] == [{"source": "limit", "message": "limit must be between 1 and 1000."}]
    concur.control("faults", match="GET /api", kind="429", count=1)
    busy = api.get(VENDORS)
    assert busy.status_code == 429 and busy.headers["retry-after"] == "0"
    assert busy.json()["error"]["id"] == "security.rate.limit.reached"


def test_pages(api: httpx.Client) -> None:
    url, seen = VENDORS, []
    while url:
        page = api.get(url).json()
        assert page["TotalCount"] == 60 and len(page["Vendor"]) <= 25
        seen += [item["VendorName"] for item in page["Vendor"]]
        url = page["NextPage"]
    assert len(seen) == 60 and seen == sorted(seen)
    assert api.get(VENDORS, params={"offset": "not-one-of-ours"}).status_code == 400


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"vendorCode": "V003007"}, 1),
        ({"vendorCode": "V003007", "addressCode": "002"}, 0),
        ({"vendorName": "Vendor 1", "searchType": "begins"}, 11),
        ({"vendorName": "r 11 ", "searchType": "contains"}, 1),
        ({"vendorCode": "07", "searchType": "ends"}, 1),
        ({"taxID": "36-0000005"}, 1),
        ({"approved": "False"}, 1),
        ({"custom1": "CHICAGO", "limit": "1000"}, 60),
        ({"custom20": "nobody"}, 0),
    ],
)
def test_filters(api: httpx.Client, query: dict[str, str], count: int) -> None:
    assert len(api.get(VENDORS, params={"limit": "100", **query}).json()["Vendor"]) == count


def test_partial_success_inside_200(api: httpx.Client) -> None:
    batch = [
        vendor(),
        vendor(VendorCode="N2", PaymentTerms=0),
        vendor(VendorCode="N3", CurrencyCode=""),
        vendor(),
    ]
    answer = api.post(VENDORS, json={"Vendor": batch})
    assert types(answer) == ["SUCCESS", "ERROR", "ERROR", "ERROR"]
    numbers = [record["StatusList"][0]["RecordNumber"] for record in answer.json()["Vendor"]]
    assert numbers == [1, 2, 3, 4]
    assert api.get(VENDORS, params={"vendorCode": "N1"}).json()["TotalCount"] == 1
    assert api.get(VENDORS, params={"vendorCode": "N2"}).json()["TotalCount"] == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"VendorCode": ""}, "VendorCode is required."),
        ({"AddressCode": None}, "AddressCode is required."),
        ({"CountryCode": "USA"}, "CountryCode 'USA' is not valid."),
        ({"CurrencyCode": "usd"}, "CurrencyCode 'usd' is not valid."),
        ({"PaymentTerms": 1000}, "PaymentTerms '1000' must be an integer between 1 and 999."),
        ({"PaymentTerms": "NET30"}, "PaymentTerms 'NET30' must be an integer between 1 and 999."),
        ({"PaymentMethodType": "CASH"}, "PaymentMethodType 'CASH' is not valid."),
        ({"CountryCode": "UA", "State": ""}, "State is required for this country."),
    ],
)
def test_refusals(api: httpx.Client, changes: dict[str, Any], words: str) -> None:
    answer = api.post(VENDORS, json={"Vendor": [vendor(**changes)]})
    assert [item["Message"] for item in answer.json()["Vendor"][0]["StatusList"]] == [words]


def test_update_and_delete(api: httpx.Client) -> None:
    keys = {"VendorCode": "V003001", "AddressCode": "001"}
    assert types(api.put(VENDORS, json={"Vendor": [{**keys, "City": "Evanston"}]})) == ["SUCCESS"]
    held = api.get(VENDORS, params={"vendorCode": "V003001"}).json()["Vendor"][0]
    assert (held["City"], held["State"], held["VendorName"]) == ("Evanston", "IL", "Vendor 0 Inc.")
    assert types(api.put(VENDORS, json={"Vendor": [vendor(VendorCode="NONE")]})) == ["ERROR"]
    gone = api.delete(VENDORS, params={"vendorCode": "V003001", "addressCode": "001"})
    assert types(gone) == ["SUCCESS"]
    assert api.get(VENDORS, params={"vendorCode": "V003001"}).json()["Vendor"] == []
    assert api.post(VENDORS, json={"nothing": []}).status_code == 400


def test_banks(api: httpx.Client) -> None:
    bank = {"VendorCode": "V003001", "AddressCode": "001", "AccountNumber": "123", "RoutingNumber": "071000013",
            "AccountType": "CHCK", "NameOnAccount": "V", "IsActive": "Y"}  # fmt: skip
    assert types(api.put(BANKS, json={"VendorBank": [bank, {**bank, "AccountType": "GOLD"}]}), "VendorBank") == [
        "SUCCESS",
        "ERROR",
    ]
    assert types(api.put(BANKS, json={"VendorBank": [{**bank, "NameOnAccount": "W"}]}), "VendorBank") == ["SUCCESS"]
    held = api.get(VENDORS, params={"vendorCode": "V003001"}).json()["Vendor"][0]["VendorBankList"]
    assert [(item["AccountNumber"], item["NameOnAccount"]) for item in held] == [("123", "W")]
    api.put(BANKS, json={"VendorBank": [{**bank, "IsActive": "N"}]})
    assert api.get(VENDORS, params={"vendorCode": "V003001"}).json()["Vendor"][0]["VendorBankList"] == []


def test_state_survives_a_kill(tmp_path: Path) -> None:
    seed, state = write_extract(tmp_path / "seed.ndjson"), tmp_path / "state.db"
    with Process(state, seed, "concur") as (url, process):
        headers = {"Authorization": f"Bearer {token(url).json()['access_token']}"}
        assert types(httpx.post(url + VENDORS, json={"Vendor": [vendor()]}, headers=headers)) == ["SUCCESS"]
        refresh = token(url, grant_type="password", username="u", password="p").json()["refresh_token"]
        process.kill()
    with Process(state, seed, "concur") as (url, _):
        keys = {row["key"] for row in httpx.get(f"{url}/_control/records?type=supplier").json()["records"]}
        assert keys == {"V003001/001", "V003002/001", "V003003/001", "N1/MAIN"}
        assert token(url, grant_type="refresh_token", refresh_token=refresh).status_code == 200
