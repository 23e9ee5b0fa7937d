"""Scanning Concur for drift: pages, moving records, mapped, unmapped and derived fields; the mapping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync.errors import Refused, Unmapped
from tests.sync.connectors.concur_world import World, document, world

KEY = "S000888/001"


@pytest.fixture
def concur(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, count=120, page_size=25) as found:
        yield found


def scanned(concur: World) -> dict[str, Any]:
    return {record.key: record for record in concur.connector.scan("supplier")}


def test_scan_gives_every_vendor_once_blocked_ones_too(concur: World) -> None:
    records = list(concur.connector.scan("supplier"))
    assert len(records) == len({record.key for record in records}) == 120
    assert [record.key for record in records if record.blocked] == ["V003002/001"]


def test_scan_survives_vendors_that_come_and_change(concur: World) -> None:
    scan = concur.connector.scan("supplier")
    keys = [next(scan).key for _ in range(40)]
    concur.control("mutate", key="V003001/001", field="VendorName", value="zzz last by name")
    other = type(concur)(concur.running, type(concur.connector)(concur.connector._api.client.config), concur.mapping)
    other.push(document())  # S000888 stands before all the others and moves them by one
    keys += [record.key for record in scan]
    assert len(keys) == len(set(keys))
    assert set(concur.records()) - set(keys) == {KEY}  # it came behind us; the next run sees it


def test_drift_of_mapped_unmapped_and_derived_fields(concur: World) -> None:
    concur.push(document())
    expected = concur.mapping.render(document())
    for field, value in (
        ("Country", "United States"),  # derived
        ("Custom7", "something of theirs"),  # not mapped
        ("VendorName", "Lakeshore  Office Supply LLC"),  # the same thing written otherwise
        ("TaxID", "369999999"),
        ("PaymentTerms", "30"),
        ("Approved", "true"),
    ):
        concur.control("mutate", key=KEY, field=field, value=value)
    assert concur.mapping.compare(expected, scanned(concur)[KEY].fields) == []

    account = next(name for name in concur.records()[KEY] if name.endswith(".AccountNumber"))
    changed = {"PaymentTerms": 60, "City": "Evanston", "Approved": "N", account: "000666666666"}
    for field, other in changed.items():
        concur.control("mutate", key=KEY, field=field, value=other)
    found = concur.mapping.compare(expected, scanned(concur)[KEY].fields)
    assert sorted((item.field.split("[")[0], item.kind) for item in found) == [
        ("Approved", "different"),
        ("City", "different"),
        ("PaymentTerms", "different"),
        ("VendorBankList", "extra"),
        ("VendorBankList", "missing"),
    ]
    assert all(item.sealed for item in found if item.field.startswith("VendorBankList"))
    assert concur.push(document(), key=KEY).verified
    assert concur.mapping.compare(expected, scanned(concur)[KEY].fields) == []
    assert concur.accounts(KEY) == [("000666666666", "N"), ("000123456789", "Y")]


def test_the_next_page_stays_on_the_same_server(concur: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox: Any = concur.running.sandbox
    plain = sandbox.vendors

    def elsewhere(request: Any) -> Any:
        response = plain(request)
        response.body["NextPage"] = "http://169.254.169.254/latest"
        return response

    monkeypatch.setattr(sandbox, "_routes", [(m, p, elsewhere if h == plain else h) for m, p, h in sandbox._routes])
    with pytest.raises(Exception, match="another server"):
        list(concur.connector.scan("supplier"))


@pytest.mark.parametrize(("ours", "theirs"), [("IMMEDIATE", 1), ("NET10", 10), ("NET30", 30), ("NET90", 90)])
def test_payment_terms_are_days(concur: World, ours: str, theirs: int) -> None:
    assert concur.mapping.render(document(payment_terms=ours))["PaymentTerms"] == theirs
    assert concur.mapping.adopt("PaymentTerms", theirs, document(payment_terms="NET45")) == [
        {"path": "payment_terms", "value": ours}
    ]


def test_a_discount_has_no_counterpart(concur: World) -> None:
    with pytest.raises(Unmapped) as caught:
        concur.mapping.render(document(payment_terms="2N10NET30"))
    assert caught.value.table == "payment_terms"
    hub_rows = {"payment_terms": {"2N10NET30": 30}}  # somebody decides that the discount may be lost
    assert concur.mapping.render(document(payment_terms="2N10NET30"), hub_rows)["PaymentTerms"] == 30


@pytest.mark.parametrize(
    ("currency", "country", "expected"), [("CHF", "DE", "CHF"), (None, "DE", "EUR"), (None, "US", "USD")]
)
def test_currency_comes_from_the_country_when_there_is_none(
    concur: World, currency: str | None, country: str, expected: str
) -> None:
    assert concur.mapping.render(document(currency=currency, country=country))["CurrencyCode"] == expected


def test_adopting_a_currency_names_the_currency(concur: World) -> None:
    golden = document(currency=None, country="DE")
    assert concur.mapping.adopt("CurrencyCode", "USD", golden) == [{"path": "currency", "value": "USD"}]


def test_a_supplier_without_country_is_refused_before_it_is_sent(concur: World) -> None:
    with pytest.raises(Refused) as caught:
        concur.mapping.render(document(country=None, currency=None, addresses=[]))
    assert {item.code for item in caught.value.problems} == {"required"}


def test_codes_have_no_hyphen(concur: World) -> None:
    assert concur.mapping.render(document())["VendorCode"] == "S000888"


def test_reset_brings_the_extract_back(concur: World) -> None:
    concur.push(document())
    concur.control("reset")
    assert len(concur.records()) == 120 and concur.effects() == []
    assert httpx.get(f"{concur.running.control}/faults").json() == {"faults": []}
