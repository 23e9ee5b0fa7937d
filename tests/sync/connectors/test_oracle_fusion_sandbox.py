"""The Oracle Fusion sandbox as documented: versions, queries, pages, links, tags, refusals, and the documents' examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from sync.connectors.oracle_fusion.sandbox_queries import read_terms
from sync.sandbox import CLIENT_ID, SECRET, Fail
from tests.sync.sandboxes import Platform, platform

ROOT = "/fscmRestApi/resources/11.13.18.05"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform("oracle_fusion", tmp_path_factory.mktemp("oracle") / "state.sqlite") as running:
        yield running


@pytest.fixture(scope="module")
def session(served: Platform) -> Iterator[httpx.Client]:
    headers = {"REST-Framework-Version": "4"}
    with httpx.Client(base_url=served.url + ROOT, auth=(CLIENT_ID, SECRET), headers=headers) as client:
        yield client


@pytest.fixture
def api(served: Platform, session: httpx.Client) -> httpx.Client:
    served.control("POST", "reset", {})
    return session


def get(api: httpx.Client, path: str, **params: str) -> dict[str, Any]:
    answer = api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def one(api: httpx.Client, number: str = "10004", **params: str) -> dict[str, Any]:
    (item,) = get(api, "/suppliers", q=f"SupplierNumber='{number}'", **params)["items"]
    return dict(item)


def path_of(item: dict[str, Any], rel: str = "self", name: str = "") -> str:
    link = next(link for link in item["links"] if link["rel"] == rel and (not name or link["name"] == name))
    return urlsplit(link["href"]).path.removeprefix(ROOT)


def refused(answer: httpx.Response, field: str = "", status: int = 400) -> str:
    body = answer.json()
    assert answer.status_code == status and body["status"] == str(status) and body["title"]
    (detail,) = body["o:errorDetails"]
    assert detail.get("o:errorPath", "") == (f"/{field}" if field else "")
    return str(detail["detail"])


# Signing in


def test_token(served: Platform) -> None:
    form = {"grant_type": "client_credentials", "scope": "urn:opc:resource:consumer::all"}
    url = f"{served.url}/oauth2/v1/token"
    good = httpx.post(url, data=form, auth=(CLIENT_ID, SECRET)).json()
    assert good["token_type"] == "Bearer" and good["expires_in"] == 3600
    headers = {"Authorization": f"Bearer {good['access_token']}"}
    assert httpx.get(f"{served.url}{ROOT}/suppliers", headers=headers).status_code == 200
    assert httpx.post(url, data=form, auth=(CLIENT_ID, "x")).json()["error"] == "invalid_client"
    assert httpx.post(url, data={**form, "scope": ""}, auth=(CLIENT_ID, SECRET)).status_code == 400
    assert httpx.get(f"{served.url}{ROOT}/suppliers").status_code == 401


# “Set the REST Framework Version”


def test_version_1_takes_queries_by_example_and_later_ones_expressions(api: httpx.Client) -> None:
    old, example = {"REST-Framework-Version": "1"}, "SupplierNumber=10004;Supplier=Wiesenthal Pumpentechnik GmbH"
    expression = "SupplierNumber='10004' and Supplier='Wiesenthal Pumpentechnik GmbH'"
    assert api.get("/suppliers", params={"q": example}, headers=old).json()["count"] == 1
    assert get(api, "/suppliers", q=expression)["count"] == 1
    assert api.get("/suppliers", params={"q": expression}, headers=old).status_code == 400
    assert api.get("/suppliers", params={"q": example}).status_code == 400


def test_version_3_shows_children_as_collections(api: httpx.Client) -> None:
    assert one(api, expand="addresses,sites")["addresses"]["items"][0]["City"] == "Duisburg"
    params = {"q": "SupplierNumber='10004'", "expand": "addresses"}
    answer = api.get("/suppliers", params=params, headers={"REST-Framework-Version": "2"})
    assert answer.json()["items"][0]["addresses"][0]["City"] == "Duisburg"


def test_version_4_refuses_in_json_and_earlier_ones_in_plain_text(api: httpx.Client) -> None:
    words = refused(api.post("/suppliers", json={"Supplier": "X"}), "TaxOrganizationTypeCode")
    answer = api.post("/suppliers", json={"Supplier": "X"}, headers={"REST-Framework-Version": "3"})
    assert answer.text == words and answer.headers["content-type"] == "text/plain"


# Queries and pages


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("Supplier='O''Dowd & Sons Freight, Inc.'", 1),
        ("SupplierNumber in ('10004','10007','1')", 2),
        ("SupplierTypeCode='SERVICES' and BusinessRelationshipCode!='PROSPECTIVE'", 2),
        ("SupplierId > 0 and LastUpdateDate >= '2021-03-01T08:00:00.000+00:00'", 12),
        ("LastUpdateDate > '2021-03-01T08:00:00.000+00:00'", 0),
        ("DUNSNumber='0'", 0),
    ],
)
def test_queries(api: httpx.Client, query: str, count: int) -> None:
    assert get(api, "/suppliers", q=query, totalResults="true")["totalResults"] == count


@pytest.mark.parametrize("query", ["Nonsense='1'", "Supplier~'1'", "Supplier='1' or Supplier='2'", "Supplier"])
def test_queries_that_cannot_be_read(api: httpx.Client, query: str) -> None:
    assert api.get("/suppliers", params={"q": query}).status_code == 400


def test_a_finder_nobody_defined() -> None:
    with pytest.raises(Fail):
        read_terms("suppliers", {"finder": "Nonsense;A=1"}, 4)
    (term,) = read_terms("externalBankAccounts", {"finder": "SearchExternalBankAccount;Intent=Supplier"}, 4)
    assert (term.name, term.values) == ("Intent", ("Supplier",))


def test_limit_offset_and_has_more(api: httpx.Client) -> None:
    first = get(api, "/suppliers", limit="5", onlyData="true", fields="SupplierNumber")
    assert (first["count"], first["hasMore"], first["limit"], first["offset"]) == (5, True, 5, 0)
    assert first["items"][0] == {"SupplierNumber": "10004"}
    last = get(api, "/suppliers", limit="5", offset="10")
    assert (last["count"], last["hasMore"]) == (2, False)
    assert get(api, "/suppliers")["limit"] == 25
    assert get(api, "/suppliers", limit="10000")["limit"] == 500


def test_fields_and_expand_cannot_be_combined(api: httpx.Client) -> None:
    item = one(api, fields="SupplierId,Supplier", expand="addresses", onlyData="true")
    assert list(item) == ["SupplierId", "Supplier"]


# Addresses of items


def test_items_are_found_by_their_links_only(api: httpx.Client) -> None:
    item = one(api)
    assert str(item["SupplierId"]) not in path_of(item)
    assert get(api, path_of(item))["SupplierNumber"] == "10004"
    assert api.get(f"/suppliers/{item['SupplierId']}").status_code == 404
    assert get(api, path_of(item, "child", "sites"))["items"][0]["ProcurementBU"] == "NH10"
    assert [link["rel"] for link in one(api, links="self")["links"]] == ["self"]


def test_nothing_can_be_deleted(api: httpx.Client) -> None:
    assert api.delete(path_of(one(api))).status_code == 405


# Data consistency


def test_tags(api: httpx.Client) -> None:
    item = one(api)
    path, tag = path_of(item), item["links"][0]["properties"]["changeIndicator"]
    assert api.get(path).headers["etag"] == f'"{tag}"'
    assert api.patch(path, json={"Alias": "A"}, headers={"If-Match": f'"{tag}"'}).status_code == 200
    answer = api.patch(path, json={"Alias": "B"}, headers={"If-Match": f'"{tag}"'})
    assert "changed after it was read" in refused(answer, status=412)
    assert api.patch(path, json={"Alias": "C"}).json()["Alias"] == "C"  # without a condition
    address = path_of(get(api, path_of(item, "child", "addresses"))["items"][0])
    other = api.get(address).headers["etag"]
    assert api.patch(address, json={"City": "Essen"}, headers={"If-Match": other}).json()["City"] == "Essen"


# The documents' examples


def test_create_one_supplier(api: httpx.Client) -> None:
    """Meanings instead of codes, as in the examples; the number comes from the range."""
    body = {
        "Supplier": "Manufacturer Engine",
        "TaxOrganizationType": "Corporation",
        "SupplierType": "Services",
        "BusinessRelationship": "Prospective",
        "DUNSNumber": "123557789",
        "OneTimeSupplierFlag": False,
        "TaxpayerCountry": "United States",
        "TaxpayerId": "98-22654",
        "addresses": [{"AddressName": "Headquarter", "Country": "United States", "AddressLine1": "Example Road"}],
    }
    answer = api.post("/suppliers", json=body)
    made = answer.json()
    assert answer.status_code == 201 and made["SupplierNumber"] == "10053"
    assert (made["TaxOrganizationTypeCode"], made["BusinessRelationshipCode"]) == ("CORPORATION", "PROSPECTIVE")
    assert (made["TaxpayerCountryCode"], made["Status"], made["InactiveDate"]) == ("US", "ACTIVE", None)
    (address,) = get(api, path_of(made, "child", "addresses"))["items"]
    assert (address["CountryCode"], address["InactiveDate"]) == ("US", "4712-12-31")
    assert "already exists" in refused(api.post("/suppliers", json=body), "Supplier")


def test_create_and_update_one_address(api: httpx.Client) -> None:
    body = {
        "AddressName": "Headquarter Tower3",
        "Country": "United States",
        "AddressLine1": "Example Road 19990",
        "City": "Redwood City",
        "State": "CA",
        "PostalCode": "94065",
        "AddressPurposeOrderingFlag": True,
        "AddressPurposeRemitToFlag": True,
        "AddressPurposeRFQOrBiddingFlag": False,
    }
    made = api.post(path_of(one(api), "child", "addresses"), json=body).json()
    assert made["FormattedAddress"] == "Example Road 19990,Redwood City,CA,94065"
    change = {"AddressName": "Headquarters five", "AddressLine2": "Suite 1298830", "AddressPurposeRemitToFlag": False}
    changed = api.patch(path_of(made), json=change).json()
    assert {name: changed[name] for name in change} == change and changed["City"] == "Redwood City"


def test_create_and_update_one_site(api: httpx.Client) -> None:
    body = {
        "SupplierSite": "REST-DS2",
        "ProcurementBUId": 300000046987012,
        "SupplierAddressName": "HAUPTSITZ",
        "SitePurposeSourcingOnlyFlag": False,
        "SitePurposePayFlag": True,
        "HoldAllNewPurchasingDocumentsFlag": True,
        "PurchasingHoldReason": "Test Reason",
        "InvoiceCurrencyCode": "USD",
        "PaymentTerms": "1/10 NET 30",
        "HoldAllInvoicesFlag": True,
        "assignments": [{"ClientBU": "US1 Business Unit", "BillToBU": "US1 Business Unit"}],
    }
    sites = path_of(one(api), "child", "sites")
    made = api.post(sites, json=body).json()
    assert (made["ProcurementBU"], made["PaymentTerms"]) == ("US1 Business Unit", "1/10 Net 30")
    change = {"SupplierSite": "REST14", "HoldAllNewPurchasingDocumentsFlag": False, "PurchasingHoldReason": ""}
    changed = api.patch(path_of(made), json=change).json()
    assert changed["HoldAllNewPurchasingDocumentsFlag"] is False and changed["PurchasingHoldReason"] is None
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"PaymentTerms": "Net 37"}, "PaymentTerms"),
        ({"SupplierAddressName": "NOWHERE"}, "SupplierAddressName"),
        ({"ProcurementBUId": 1}, "ProcurementBU"),
    ]
    for wrong, field in wrongs:
        refused(api.post(sites, json={**body, "SupplierSite": "Z", **wrong}), field)


def test_bank_account_step_by_step(api: httpx.Client) -> None:
    """“Manage Bank Accounts”: external payee, bank account with its owner, assignment; the number is shown in part."""
    supplier = one(api, "10015")
    party = supplier["SupplierPartyId"]
    payee = {"PayeePartyIdentifier": party, "PaymentFunctionCode": "PAYABLES_DISB", "Intent": "Supplier"}
    payee = api.post("/paymentsExternalPayees", json=payee).json()
    body = {
        "BankAccountNumber": "123456676765",
        "CountryCode": "US",
        "BankName": "DUMMY",
        "BankNumber": None,
        "BankBranchName": "DUMMY_0999",
        "BankBranchNumber": None,
        "CurrencyCode": "USD",
        "AccountType": "SAVINGS",
        "AllowInternationalPaymentIndicator": "Y",
        "accountOwners": [{"AccountOwnerPartyIdentifier": party, "Intent": "Supplier"}],
    }
    account = api.post("/externalBankAccounts", json=body).json()
    assert account["BankAccountNumber"] == "XXXXXXXX6765" and account["VendorId"] == supplier["SupplierId"]
    assert "already exists" in refused(api.post("/externalBankAccounts", json=body), "BankAccountNumber")
    use = {
        "PaymentPartyId": payee["PayeeId"],
        "PaymentInstrumentId": account["BankAccountId"],
        "PaymentInstrumentType": "BANKACCOUNT",
        "PaymentFlow": "DISBURSEMENTS",
    }
    made = api.post("/instrumentAssignments", json=use).json()
    assert made["MaskedBankAccountNumber"] == "XXXXXXXX6765"
    refused(api.post("/instrumentAssignments", json=use), "PaymentInstrumentId")
    refused(api.post("/instrumentAssignments", json={**use, "PaymentPartyId": 1}), "PaymentPartyId")
    ended = api.patch(path_of(made), json={"EndDate": "2026-12-31"}).json()
    assert ended["EndDate"] == "2026-12-31"
    assert get(api, "/externalBankAccounts", q="BankAccountNumber='123456676765'")["count"] == 0  # numbers are masked


def test_create_and_update_a_tax_registration(api: httpx.Client) -> None:
    supplier = one(api, "10018")
    body = {
        "PartyTypeCode": "THIRD_PARTY",
        "PartyNumber": supplier["RegistryId"],
        "TaxRegimeCode": "US SALES AND USE TAX",
    }
    made = api.post("/taxRegistrations", json=body).json()
    assert made["PartyName"] == supplier["Supplier"]
    assert (
        api.patch(path_of(made), json={"RegistrationNumber": "67794246-AL"}).json()["RegistrationNumber"]
        == "67794246-AL"
    )
    query = f"PartyTypeCode='THIRD_PARTY' and PartyNumber in ('{supplier['RegistryId']}')"
    assert get(api, "/taxRegistrations", q=query)["count"] == 1
    refused(api.post("/taxRegistrations", json={**body, "TaxRegimeCode": "MARS VAT"}), "TaxRegimeCode")
    refused(api.post("/taxRegistrations", json={**body, "PartyNumber": "1"}), "PartyNumber")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"Supplier": "x" * 361}, "Supplier"),
        ({"Supplier": None}, "Supplier"),
        ({"SupplierNumber": "1"}, "SupplierNumber"),
        ({"Status": "INACTIVE"}, "Status"),
        ({"SupplierName": "x"}, "SupplierName"),
        ({"InactiveDate": "tomorrow"}, "InactiveDate"),
        ({"OneTimeSupplierFlag": "Y"}, "OneTimeSupplierFlag"),
        ({"BusinessRelationshipCode": "FRIEND"}, "BusinessRelationshipCode"),
        ({"TaxOrganizationType": "Club"}, "TaxOrganizationType"),
    ],
)
def test_what_an_update_refuses(api: httpx.Client, body: dict[str, Any], field: str) -> None:
    refused(api.patch(path_of(one(api)), json=body), field)


@pytest.mark.parametrize("iban", ["DE00370400440532013000", "DE", "not an iban"])
def test_ibans_are_checked(api: httpx.Client, iban: str) -> None:
    owner = {"AccountOwnerPartyIdentifier": one(api)["SupplierPartyId"]}
    refused(
        api.post("/externalBankAccounts", json={"IBAN": iban, "CountryCode": "DE", "accountOwners": [owner]}), "IBAN"
    )
