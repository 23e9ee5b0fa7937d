"""The sandbox of Coupa by itself: what its documents say, spoken in plain HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync.sandbox import CLIENT_ID, SECRET
from tests.sync.connectors.coupa_world import World, world, write_extract
from tests.sync.connectors.sandbox_process import Process


@pytest.fixture
def coupa(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, count=120) as found:
        yield found


def token(url: str, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "scope": "core.supplier.read core.supplier.write",
    }
    return httpx.post(f"{url}/oauth2/token", data={**form, **changes})


@pytest.fixture
def api(coupa: World) -> Iterator[httpx.Client]:
    headers = {
        "Authorization": f"Bearer {token(coupa.running.url).json()['access_token']}",
        "Accept": "application/json",
    }
    limits = httpx.Limits(max_connections=60)
    with httpx.Client(base_url=f"{coupa.running.url}/api/", headers=headers, limits=limits) as client:
        yield client


def new(**changes: Any) -> dict[str, Any]:
    """The example “Supplier Create - Active and Detail”, as JSON."""
    return {
        "name": "CDW",
        "number": "cdw2323",
        "status": "active",
        "po-method": "prompt",
        "account-number": "2323",
        "tax-id": "283923",
        "invoice-matching-level": "3-way",
        "payment-term": {"code": "Net 30"},
        "primary-contact": {"email": "joe.smith@cdw.com", "name-given": "Joe", "phone-work": {"number": "4442932"}},
        "primary_address": {
            "street1": "1234 Concur Drive",
            "city": "San Mateo",
            "postal_code": "93325",
            "country": {"code": "US"},
        },
        **changes,
    }


def test_token(coupa: World) -> None:
    good = token(coupa.running.url).json()
    assert good["expires_in"] == 86399 and good["token_type"] == "bearer"
    assert token(coupa.running.url, client_secret="x").json()["error"] == "invalid_client"
    assert token(coupa.running.url, scope="core.everything").json()["error"] == "invalid_scope"
    assert httpx.get(f"{coupa.running.url}/api/suppliers").status_code == 401


def test_a_token_is_good_for_its_scopes_only(coupa: World) -> None:
    reader = token(coupa.running.url, scope="core.supplier.read").json()["access_token"]
    headers = {"Authorization": f"Bearer {reader}"}
    assert httpx.get(f"{coupa.running.url}/api/suppliers", headers=headers).status_code == 200
    assert httpx.post(f"{coupa.running.url}/api/suppliers", headers=headers, json=new()).status_code == 403


def test_fifty_rows_a_page(api: httpx.Client) -> None:
    sizes = [len(api.get("suppliers", params={"offset": offset}).json()) for offset in (0, 50, 100, 150)]
    assert sizes == [50, 50, 20, 0]
    assert len(api.get("suppliers", params={"limit": 200}).json()) == 50


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("number=20007", 1),
        ("name=Supplier 6 GmbH", 1),
        ("id=1007", 1),
        ("number[in]=20001,20002,nothing", 2),
        ("name[contains]=plier 11", 11),
        ("name[starts_with]=Supplier 11", 11),
        ("status=inactive", 1),
        ("status[not_eq]=active", 1),
        ("on_hold=true", 1),
        ("payment_term[code]=Net 30&number[in]=20001", 1),
        ("primary-address[city]=Bremen&id[gt]=1110", 10),
        ("duns[blank]=false", 0),
        ("updated_at[gt]=2099-01-01T00%3A00%3A00%2B01%3A00", 0),
        ("created_at[gt_or_eq]=2010-01-15&id[lt_or_eq]=1002", 2),
    ],
)
def test_filters(api: httpx.Client, query: str, count: int) -> None:
    assert len(api.get(f"suppliers?{query}").json()) == count


def test_a_query_that_cannot_be_read_says_so(api: httpx.Client) -> None:
    answer = api.get("suppliers?nonsense=1")
    assert answer.status_code == 400 and "nonsense" in answer.text
    assert api.get("suppliers?updated_at[gt]=yesterday").status_code == 400


def test_fields_and_order(api: httpx.Client) -> None:
    params = {"fields": '["id","number",{"payment_term":["code"]}]', "order_by": "number", "dir": "desc"}
    first = api.get("suppliers", params=params).json()[0]
    assert first == {"id": 1120, "number": "20120", "payment-term": {"code": "Net 30"}}
    assert api.get("suppliers/1001", params={"return_object": "limited"}).json() == {"id": 1001}


def test_create_and_update(api: httpx.Client) -> None:
    made = api.post("suppliers", json=new())
    assert made.status_code == 201
    supplier = made.json()
    assert supplier["primary-address"]["postal-code"] == "93325"
    assert supplier["payment-term"] == {
        "code": "Net 30", "days-for-net-payment": 30, "days-for-discount-payment": None, "discount-rate": None,
    }  # fmt: skip
    changed = api.put(f"suppliers/{supplier['id']}", json={"po-method": "mark_as_sent", "name": "Petra (US)"}).json()
    assert (changed["po-method"], changed["name"], changed["tax-id"]) == (
        "mark_as_sent",
        "Petra (US)",
        "283923",
    )
    assert api.put(f"suppliers/{supplier['id']}", json={"number": "1-112"}).json()["number"] == "1-112"
    assert len(api.get("suppliers?number=1-112").json()) == 1
    assert api.get("suppliers?number=cdw2323").json() == []


def test_the_example_of_a_draft_needs_no_contact(api: httpx.Client) -> None:
    body = new()
    for name in ("number", "status", "primary-contact", "primary_address"):
        del body[name]
    made = api.post("suppliers", json=body)
    assert made.status_code == 201 and made.json()["status"] == "draft"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "Name can't be blank"),
        ({"name": "x" * 101}, "Name is too long (maximum is 100 characters)"),
        ({"name": "Supplier 0 GmbH"}, "Name has already been taken"),
        ({"number": "20001"}, "Number has already been taken"),
        ({"payment-term": {"code": "Net 31"}}, "Payment term is invalid"),
        ({"invoice-matching-level": "5-way"}, "Invoice matching level is not included in the list"),
        ({"invoice-matching-level": None}, "Invoice matching level can't be blank"),
        ({"primary-contact": {}}, "Primary contact can't be blank"),
        ({"primary_address": {}}, "Primary address can't be blank"),
        ({"po-method": "email"}, "Po email can't be blank"),
    ],
)
def test_refusals(api: httpx.Client, changes: dict[str, Any], words: str) -> None:
    answer = api.post("suppliers", json=new(**changes))
    assert answer.status_code == 400
    assert answer.json() == {"errors": {"supplier": [words]}}


def test_xml_when_asked_for(api: httpx.Client) -> None:
    xml = {"Accept": "application/xml"}
    shown = api.get("suppliers/1001", headers=xml)
    assert '<id type="integer">1001</id>' in shown.text and "<code>Net 30</code>" in shown.text
    empty = api.get("suppliers?number=none", headers=xml)
    assert empty.status_code == 404 and "<error>No results match your search criteria.</error>" in empty.text
    wrong = api.post("suppliers", json=new(name=""), headers=xml)
    assert "<errors><error>Name can't be blank</error></errors>" in wrong.text


def test_what_coupa_does_not_have(api: httpx.Client) -> None:
    assert api.delete("suppliers/1001").status_code == 405
    assert api.get("suppliers/999999").status_code == 404
    assert "etag" not in api.get("suppliers/1001").headers


def test_remit_to_addresses(api: httpx.Client) -> None:
    body = {"remit-to-code": "REMIT2", "street1": "123 test street", "city": "Pleasanton", "postal-code": "94566",
            "country": {"code": "US"}}  # fmt: skip
    made = api.post("suppliers/1001/addresses", json=body)
    assert made.status_code == 201 and made.json()["active"] is True
    assert api.post("suppliers/1001/addresses", json=body).status_code == 400
    ended = api.put(f"suppliers/1001/addresses/{made.json()['id']}", json={"active": False})
    assert ended.json()["active"] is False
    assert len(api.get("suppliers/1001/addresses").json()) == 1
    assert api.post("suppliers/1001/addresses", json={"remit-to-code": "X"}).status_code == 400


def test_rate_limit(coupa: World, api: httpx.Client) -> None:
    """25 a second pass, 20 wait, the rest is refused."""
    with ThreadPoolExecutor(60) as pool:
        statuses = list(pool.map(lambda _: api.get("suppliers/1001").status_code, range(150)))
    assert statuses.count(429) >= 20 and statuses.count(200) >= 21
    assert set(statuses) == {200, 429}
    started = time.monotonic()
    assert all(api.get("suppliers/1001").status_code == 200 for _ in range(10))
    assert time.monotonic() - started > 0.3


def test_state_survives_a_kill(tmp_path: Path) -> None:
    seed, state = write_extract(tmp_path / "seed.xlsx"), tmp_path / "state.db"
    with Process(state, seed) as (url, process):
        headers = {"Authorization": f"Bearer {token(url).json()['access_token']}"}
        assert httpx.post(f"{url}/api/suppliers", json=new(), headers=headers).status_code == 201
        process.kill()
    with Process(state, seed) as (url, process):
        records = httpx.get(f"{url}/_control/records?type=supplier").json()["records"]
        assert "cdw2323" in {row["key"] for row in records} and len(records) == 4
        headers = {"Authorization": f"Bearer {token(url).json()['access_token']}"}
        body = json.dumps(new(name="Next", number="next"))
        assert httpx.post(f"{url}/api/suppliers", content=body, headers=headers).json()["id"] == 1005
