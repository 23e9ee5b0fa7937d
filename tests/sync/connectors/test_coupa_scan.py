"""Scanning Coupa for drift: pages, moving records, mapped, unmapped and derived fields; the mapping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.errors import Unmapped
from tests.sync.connectors.coupa_world import World, document, world


@pytest.fixture
def coupa(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, count=120) as found:
        yield found


def scanned(coupa: World, since: str | None = None) -> dict[str, Any]:
    return {record.key: record for record in coupa.connector.scan("supplier", since)}


def test_scan_gives_every_supplier_once_blocked_ones_too(coupa: World) -> None:
    records = list(coupa.connector.scan("supplier"))
    assert len(records) == len({record.key for record in records}) == 120
    assert [record.key for record in records if record.blocked] == ["20002", "20003"]


def test_scan_survives_suppliers_that_come_and_change(coupa: World) -> None:
    scan = coupa.connector.scan("supplier")
    keys = [next(scan).key for _ in range(60)]
    coupa.control("mutate", key="20001", field="name", value="Aaa first in every order but that of ids")
    other = type(coupa)(coupa.running, type(coupa.connector)(coupa.connector._api.client.config), coupa.mapping)
    other.push(document())
    keys += [record.key for record in scan]
    assert sorted(keys) == sorted(coupa.records())


def test_scan_of_what_changed(coupa: World) -> None:
    since = max(record.changed_at for record in coupa.connector.scan("supplier"))
    coupa.control("mutate", key="20077", field="website", value="https://elsewhere.example")
    later = scanned(coupa, since)
    assert "20077" in later


def test_drift_of_mapped_unmapped_and_derived_fields(coupa: World) -> None:
    coupa.push(document())
    expected = coupa.mapping.render(document())
    for field, value in (
        ("payment-term.days-for-net-payment", 99),  # derived
        ("savings-pct", "12.5"),  # not mapped
        ("payment-method", "pcard"),  # only given when creating
        ("name", "  Hansen &  Söhne Werkzeugbau GmbH "),  # the same thing written otherwise
        ("tax-id", "de 811.569.869"),
        ("website", "hansen.example/"),
    ):
        coupa.control("mutate", key="S-000777", field=field, value=value)
    assert coupa.mapping.compare(expected, scanned(coupa)["S-000777"].fields) == []

    coupa.control("mutate", key="S-000777", field="payment-term.code", value="Net 60")
    coupa.control("mutate", key="S-000777", field="primary-address.city", value="Kiel")
    coupa.control("mutate", key="S-000777", field="on-hold", value=True)
    found = coupa.mapping.compare(expected, scanned(coupa)["S-000777"].fields)
    assert {(item.field, item.actual) for item in found} == {
        ("payment-term.code", "Net 60"),
        ("primary-address.city", "Kiel"),
        ("on-hold", True),
    }
    assert coupa.push(document(), key="S-000777").verified
    assert coupa.mapping.compare(expected, scanned(coupa)["S-000777"].fields) == []


def test_an_extra_remit_to_address_is_found(coupa: World) -> None:
    coupa.push(document())
    for leaf, value in (
        ("remit-to-code", "EVIL1"), ("street1", "Elsewhere 1"), ("city", "Kiel"), ("postal-code", "1"), ("id", 9),
    ):  # fmt: skip
        coupa.control("mutate", key="S-000777", field=f"remit-to-addresses[EVIL1].{leaf}", value=value)
    found = coupa.mapping.compare(coupa.mapping.render(document()), scanned(coupa)["S-000777"].fields)
    assert [(item.field, item.kind) for item in found] == [("remit-to-addresses[EVIL1]", "extra")]


def test_adopting_what_coupa_has(coupa: World) -> None:
    golden = document()
    assert coupa.mapping.adopt("payment-term.code", "Net 60", golden) == [{"path": "payment_terms", "value": "NET60"}]
    assert coupa.mapping.adopt("primary-address.city", "Kiel", golden) == [
        {"path": "addresses/a1/city", "value": "Kiel"}
    ]
    with pytest.raises(Unmapped):
        coupa.mapping.adopt("payment-term.code", "per contract", golden)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("IMMEDIATE", "Due on receipt"),
        ("NET30", "Net 30"),
        ("NET90", "Net 90"),
        ("2N10NET30", "2% 10 Net 30"),
    ],
)
def test_payment_terms(coupa: World, ours: str, theirs: str) -> None:
    assert coupa.mapping.render(document(payment_terms=ours))["payment-term.code"] == theirs


def test_a_term_without_counterpart_is_unmapped(coupa: World) -> None:
    with pytest.raises(Unmapped) as caught:
        coupa.mapping.render(document(payment_terms="NET7"))
    assert (caught.value.path, caught.value.value, caught.value.table) == (
        "payment_terms",
        "NET7",
        "payment_terms",
    )


def test_a_name_that_does_not_fit_is_refused_before_it_is_sent(coupa: World) -> None:
    with pytest.raises(Exception, match="longer than the 100 characters"):
        coupa.mapping.render(document(legal_name="x" * 101))
