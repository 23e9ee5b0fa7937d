"""The sandbox of NetSuite by itself: signatures, and the examples of Oracle's help replayed in plain HTTP.

Examples about customers are replayed with vendors, and with the subsidiary that a OneWorld account asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import oauthlib.oauth1
import pytest

import sync.auth
from sync.sandbox import CLIENT_ID, SECRET
from tests.sync.connectors.netsuite_world import HTTP, ROOT, World, signer, world
from tests.sync.connectors.sandbox_process import Process
from tests.sync.sandboxes import extract

SUITEQL = "/services/rest/query/v1/suiteql"
NEW = {"companyName": "AU Vendor", "legalName": "AU Vendor", "subsidiary": {"id": "1"}}


@pytest.fixture
def netsuite(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as found:
        yield found


def details(answer: httpx.Response) -> list[dict[str, str]]:
    found: list[dict[str, str]] = answer.json()["o:errorDetails"]
    return found


# Signatures


def signed(netsuite: World, method: str = "GET", path: str = "vendor/301", **changes: str) -> dict[str, str]:
    return signer(netsuite.running.url, **changes).sign(method, f"{netsuite.running.url}{ROOT}/{path}")


def test_a_signature_is_good_once(netsuite: World) -> None:
    url, headers = f"{netsuite.running.url}{ROOT}/vendor/301", signed(netsuite)
    assert HTTP.get(url, headers=headers).status_code == 200
    again = HTTP.get(url, headers=headers)
    assert again.status_code == 401 and again.headers["x-n-operationid"]
    # help “Error Handling in REST Web Services”, Invalid Login Information
    assert again.json() == {
        "type": "https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html",
        "title": "Unauthorized",
        "status": 401,
        "o:errorDetails": [
            {
                "detail": "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at "
                "Setup > Users/Roles > User Management > View Login Audit Trail.",
                "o:errorCode": "INVALID_LOGIN",
            }
        ],
    }


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "vendor/302"), ("DELETE", "vendor/301"), ("GET", "vendor/301?expandSubResources=true")]
)
def test_a_signature_is_for_one_request(netsuite: World, method: str, path: str) -> None:
    answer = HTTP.request(method, f"{netsuite.running.url}{ROOT}/{path}", headers=signed(netsuite))
    assert answer.status_code == 401 and "301" in netsuite.records()


@pytest.mark.parametrize(
    "changes",
    [{"key": "other"}, {"secret": "other"}, {"token": "other"}, {"token_secret": "other"}, {"realm": "OTHER"}],
)
def test_every_part_of_a_login_counts(netsuite: World, changes: dict[str, str]) -> None:
    url = f"{netsuite.running.url}{ROOT}/vendor/301"
    assert HTTP.get(url, headers=signed(netsuite, **changes)).status_code == 401


def test_a_signature_grows_old(netsuite: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sync.auth.time.time
    url = f"{netsuite.running.url}{ROOT}/vendor/301"
    for skew, status in ((-600, 401), (600, 401), (-200, 200)):
        monkeypatch.setattr(sync.auth.time, "time", lambda skew=skew: real() + skew)
        headers = signed(netsuite)
        monkeypatch.setattr(sync.auth.time, "time", real)
        assert HTTP.get(url, headers=headers).status_code == status


def test_the_client_of_oauthlib_is_let_in(netsuite: World) -> None:
    """Somebody else's client signs; a signature by HMAC-SHA1 is refused, as the help says."""
    url = f"{netsuite.running.url}{ROOT}/vendor?q=companyName%20START_WITH%20Prairie&limit=5"
    for method, status in (("HMAC-SHA256", 200), ("HMAC-SHA1", 401)):
        client = oauthlib.oauth1.Client(
            CLIENT_ID, SECRET, CLIENT_ID, SECRET, realm="127", signature_method=method, nonce="abcdef0123"
        )
        _, headers, _ = client.sign(url)
        answer = HTTP.get(url, headers=headers)
        assert answer.status_code == status
    assert HTTP.get(url).status_code == 401
    assert HTTP.get(url, headers={"Authorization": "Bearer x"}).status_code == 401
    assert HTTP.get(url, headers={"Authorization": "OAuth nonsense"}).status_code == 401


# Records


def test_upsert_creates_then_updates(netsuite: World) -> None:
    """help “Using the Upsert Operation”: PUT …/eid:CID002, sent twice."""
    made = netsuite.call("PUT", "vendor/eid:CID002", NEW)
    assert made.status_code == 204 and made.content == b""
    id = made.headers["location"].rpartition("/")[2]
    again = netsuite.call("PUT", "vendor/eid:CID002", {"legalName": "AU Vendor Pty Ltd"})
    assert again.status_code == 204 and again.headers["location"] == made.headers["location"]
    stored = netsuite.records()[id]
    assert (stored["externalId"], stored["legalName"], stored["companyName"]) == (
        "CID002",
        "AU Vendor Pty Ltd",
        "AU Vendor",
    )
    assert netsuite.call("PUT", "vendor/301", NEW).status_code == 405, "only by external id"


def test_external_ids(netsuite: World) -> None:
    """help “Using External IDs”: POST with externalId in the body, GET by eid:."""
    assert netsuite.call("POST", "vendor", {**NEW, "externalId": "CID001", "isPerson": False}).status_code == 204
    shown = netsuite.call("GET", "vendor/eid:CID001").json()
    assert (shown["externalId"], shown["companyName"]) == ("CID001", "AU Vendor")
    twin = netsuite.call("POST", "vendor", {**NEW, "entityId": "other", "externalId": "CID001"})
    assert twin.status_code == 400 and details(twin)[0]["o:errorPath"] == "externalId"


def test_vendor(netsuite: World) -> None:
    """help “Vendor”: GET vendor/94, here 301; POST {"id", "legalName"}, which names no company here."""
    shown = netsuite.call("GET", "vendor/301").json()
    assert shown["terms"]["id"] == "2" and shown["terms"]["refName"] == "Net 30"
    assert set(shown["addressBook"]) == {"links"}, "sublists only when they are asked for"
    lines = netsuite.call("GET", "vendor/301?expandSubResources=true").json()["addressBook"]["items"]
    assert lines[0]["addressBookAddress"]["country"] == {"id": "DE"} and lines[0]["defaultBilling"] is True
    short = netsuite.call("POST", "vendor", {"id": "95", "legalName": "AU Vendor"}, strict=False)
    assert [item["o:errorPath"] for item in details(short)] == ["companyName", "subsidiary"]
    missing = netsuite.call("GET", "vendor/94")
    assert missing.status_code == 404 and details(missing)[0]["o:errorCode"] == "NONEXISTENT_ID"


def test_term(netsuite: World) -> None:
    """help “Term”, Creating a Standard Term: names in small letters are understood."""
    body = {
        "dateDriven": False,
        "name": "St Term name",
        "daysuntilnetdue": 15,
        "discountpercent": 5,
        "daysuntilexpiry": 3,
    }
    made = netsuite.call("POST", "term", body)
    shown = netsuite.call("GET", "term/" + made.headers["location"].rpartition("/")[2]).json()
    assert (shown["daysUntilNetDue"], shown["discountPercent"], shown["daysUntilExpiry"]) == (15, 5, 3)


@pytest.mark.parametrize("record", ["department", "classification"])
def test_department_and_class(netsuite: World, record: str) -> None:
    """help “Department” and “Class”, Code Sample: several subsidiaries at once, ids as numbers."""
    sample = {
        "isInactive": False,
        "name": "REST test 1693820309",
        "subsidiary": {"items": [{"id": 2}, {"id": 4}]},
        "parent": {"id": 1},
        "includeChildren": True,
    }
    made = netsuite.call("POST", record, sample)
    shown = netsuite.call("GET", f"{record}/" + made.headers["location"].rpartition("/")[2]).json()
    assert (shown["name"], shown["isInactive"], shown["includeChildren"]) == ("REST test 1693820309", False, True)
    assert [one["id"] for one in shown["subsidiary"]["items"]] == ["2", "4"] and shown["parent"]["id"] == "1"
    wrong = netsuite.call("POST", record, {**sample, "name": "other", "subsidiary": {"items": [{"id": 99}]}})
    assert wrong.status_code == 400 and details(wrong)[0]["o:errorPath"] == "subsidiary"
    assert netsuite.call("POST", record, sample).status_code == 400, "names are unique"


def test_account(netsuite: World) -> None:
    """help “Account” (SOAP): number, name and type; a type that is none is refused."""
    body = {"acctNumber": "477000", "acctName": "Travel", "acctType": {"id": "Expense"}}
    made = netsuite.call("POST", "account", body)
    shown = netsuite.call("GET", "account/" + made.headers["location"].rpartition("/")[2]).json()
    assert (shown["acctNumber"], shown["acctType"]["id"]) == ("477000", "Expense")
    wrong = netsuite.call("POST", "account", {**body, "acctNumber": "477001", "acctType": {"id": "Cost"}})
    assert details(wrong)[0]["o:errorPath"] == "acctType"


def test_a_reference_to_nothing(netsuite: World) -> None:
    """help “Error Handling in REST Web Services”, Request with an Invalid Body."""
    answer = netsuite.call("POST", "vendor", {**NEW, "terms": {"id": 9999}})
    assert answer.json() == {
        "type": "https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html#sec10.4.1",
        "title": "Bad Request",
        "status": 400,
        "o:errorDetails": [
            {
                "detail": "Error while accessing resource: You have entered an Invalid Field Value 9999 for the following "
                "field: terms",
                "o:errorCode": "INVALID_CONTENT",
                "o:errorPath": "terms",
            }
        ],
    }


def test_updating_and_replacing_a_sublist(netsuite: World) -> None:
    """help “Updating a Sublist” and “Replacing a Sublist”: lines with a known key are updated, the rest added; with
    `replace` what is not named goes."""

    def streets() -> list[str]:
        items = netsuite.call("GET", "vendor/301?expandSubResources=true").json()["addressBook"]["items"]
        return [item["addressBookAddress"]["addr1"] for item in items]

    def line(street: str, **more: str) -> dict[str, Any]:
        return {**more, "addressBookAddress": {"addr1": street, "country": {"id": "DE"}}}

    body = {"addressBook": {"items": [line("replaced line 1", id="10301"), line("inserted line 1")]}}
    assert netsuite.call("PATCH", "vendor/301", body).status_code == 204
    assert streets() == ["replaced line 1", "inserted line 1"]
    assert (
        netsuite.call("PATCH", "vendor/301", {"addressBook": {"items": [line("inserted line 2")]}}).status_code == 204
    )
    assert streets() == ["replaced line 1", "inserted line 1", "inserted line 2"]
    body = {"addressBook": {"items": [line("kept", id="10301")]}}
    assert netsuite.call("PATCH", "vendor/301?replace=addressBook", body).status_code == 204
    assert streets() == ["kept"]
    wrong = netsuite.call("PATCH", "vendor/301", {"addressBook": {"items": [line("x", id="77")]}})
    assert details(wrong)[0]["o:errorPath"] == "addressBook.items[0].id"
    wrong = netsuite.call("PATCH", "vendor/301?replace=addresses", {})
    assert details(wrong)[0]["o:errorQueryParam"] == "replace"


def test_strictness_is_a_header(netsuite: World) -> None:
    """Without it a name that is not known, or a value of the wrong kind, goes by in silence: hence ours."""
    odd = {
        "notAField": "x",
        "isInactive": "yes",
        "phone": "312 555 0199",
        "addressBook": {"items": [{"colour": "red"}]},
    }
    assert netsuite.call("PATCH", "vendor/304", odd, strict=False).status_code == 204
    stored = netsuite.records()["304"]
    assert stored["phone"] == "312 555 0199" and stored["isInactive"] is False
    for wrong, place in (({"notAField": 1}, "notAField"), ({"isInactive": "yes"}, "isInactive"), ({"id": "9"}, "id")):
        refused = netsuite.call("PATCH", "vendor/304", wrong)
        assert refused.status_code == 400 and details(refused)[0]["o:errorPath"] == place
    refused = netsuite.call("PATCH", "vendor/304", {"addressBook": {"items": [{"colour": "red"}]}})
    assert details(refused)[0]["o:errorPath"] == "addressBook.items[0].colour"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"companyName": None}, "companyName"),
        ({"companyName": "x" * 84}, "companyName"),
        ({"subsidiary": {"id": "2"}}, "subsidiary"),
        ({"phone": "123"}, "phone"),
        ({"email": "nobody"}, "email"),
        ({"entityId": "V00302"}, "entityId"),
        ({"addressBook": {"items": [{"addressBookAddress": {"country": {"id": "ZZ"}}}]}}, "country"),
        ({"addressBook": "none"}, "addressBook"),
    ],
)
def test_refusals(netsuite: World, changes: dict[str, Any], place: str) -> None:
    before = netsuite.records()["304"]
    answer = netsuite.call("PATCH", "vendor/304", changes)
    assert answer.status_code == 400 and place in details(answer)[0]["o:errorPath"]
    assert netsuite.records()["304"] == before


# Lists and queries


def test_pages(netsuite: World) -> None:
    """help “Collection Paging”: ?limit=…, links, hasMore, and ids only."""
    page = netsuite.call("GET", "vendor?limit=5").json()
    assert (page["count"], page["hasMore"], page["offset"], page["totalResults"]) == (5, True, 0, 12)
    assert [link["rel"] for link in page["links"]] == ["next", "self"]
    assert all(set(item) == {"links", "id"} for item in page["items"])
    seen = [item["id"] for item in page["items"]]
    while page["hasMore"]:
        following = page["links"][0]["href"].partition("/v1/")[2]
        page = netsuite.call("GET", following).json()
        seen += [item["id"] for item in page["items"]]
    assert sorted(seen) == sorted(netsuite.records())
    for wrong in ("limit=0", "limit=1001", "offset=x"):
        answer = netsuite.call("GET", f"vendor?{wrong}")
        assert answer.status_code == 400 and details(answer)[0]["o:errorQueryParam"] == wrong.partition("=")[0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('entityId IS "V00304"', 1),
        ("email START_WITH ar@prairie", 2),
        ('companyName CONTAIN "Prairie Crest"', 2),
        ("taxIdNum EMPTY", 2),
        ("isInactive IS true", 1),
        ("subsidiary EQUAL 6 AND terms EQUAL 9", 1),
        ('companyName IS "This AND That"', 0),
    ],
)
def test_filters(netsuite: World, query: str, found: int) -> None:
    """help “Record Collection Filtering”."""
    answer = netsuite.call("GET", str(httpx.URL("vendor", params={"q": query})))
    assert answer.json()["totalResults"] == found


@pytest.mark.parametrize("query", ["colour IS red", "companyName LIKE x", "companyName"])
def test_filters_that_are_none(netsuite: World, query: str) -> None:
    answer = netsuite.call("GET", str(httpx.URL("vendor", params={"q": query})))
    assert answer.status_code == 400 and details(answer)[0]["o:errorQueryParam"] == "q"


def test_suiteql(netsuite: World) -> None:
    """help “Using SuiteQL with SuiteTalk REST Web Services”: the example's query, of vendors."""
    body = {"q": "SELECT email, COUNT(*) as count FROM vendor GROUP BY email"}
    answer = netsuite.call("POST", f"{SUITEQL}?limit=4", body, Prefer="transient")
    page = answer.json()
    assert (page["count"], page["hasMore"], page["totalResults"]) == (4, True, 11)
    rows = netsuite.call("POST", SUITEQL, body, Prefer="transient").json()["items"]
    assert {"links": [], "email": "ar@prairiecrest.example", "count": "2"} in rows
    assert {"links": [], "count": "1"} in rows, "a column without a value is left out"
    without = netsuite.call("POST", SUITEQL, body)
    assert without.status_code == 400 and details(without)[0]["o:errorHeader"] == "Prefer"


@pytest.mark.parametrize(
    "query", ["DROP TABLE vendor", "SELECT 1; SELECT 2", "SELECT nothing FROM vendor", "SELECT id FROM elsewhere"]
)
def test_suiteql_takes_one_good_select(netsuite: World, query: str) -> None:
    answer = netsuite.call("POST", SUITEQL, {"q": query}, Prefer="transient")
    assert answer.status_code == 400 and "Invalid search query" in details(answer)[0]["detail"]


def test_metadata(netsuite: World) -> None:
    """help “Getting Metadata”; what is there depends on the account's features."""
    accept = {"Accept": "application/schema+json"}
    known = netsuite.call("GET", "metadata-catalog/vendor", **accept).json()["properties"]
    assert {"id", "companyName", "terms", "addressBook", "taxRegistration", "lastModifiedDate"} <= set(known)
    netsuite.sandbox.suitetax = False
    assert "taxRegistration" not in netsuite.call("GET", "metadata-catalog/vendor", **accept).json()["properties"]


def test_state_survives_a_kill(tmp_path: Path) -> None:
    with Process(tmp_path / "state.db", extract("netsuite"), "netsuite") as (url, process):
        place = f"{url}{ROOT}/vendor/eid:KEPT"
        assert HTTP.put(place, json=NEW, headers=signer(url).sign("PUT", place)).status_code == 204
        process.kill()
    with Process(tmp_path / "state.db", extract("netsuite"), "netsuite") as (url, _):
        place = f"{url}{ROOT}/vendor/eid:KEPT"
        assert HTTP.get(place, headers=signer(url).sign("GET", place)).json()["companyName"] == "AU Vendor"
