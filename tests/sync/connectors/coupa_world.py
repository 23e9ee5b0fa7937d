"""A small Coupa for tests: an extract of its own, a served sandbox, a connector, a supplier of the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from openpyxl import Workbook

from sync import auth, mapping
from sync.connectors.coupa import connector as coupa
from sync.connectors.coupa.sandbox import CoupaSandbox
from sync.protocol import Config, Outcome, Push
from sync.sandbox import CLIENT_ID, SECRET, Running, serving

MAPPING = Path(coupa.__file__).with_name("mapping.yaml")
HEADER = [
    "Supplier Number",
    "Supplier Name",
    "Display Name",
    "Status",
    "Street 1",
    "Street 2",
    "City",
    "State",
    "Postal Code",
    "Country Code",
    "Tax ID",
    "DUNS",
    "Primary Contact",
    "Contact Email",
    "Contact Phone",
    "Website",
    "Payment Term",
    "Shipping Term",
    "On Hold",
]
HTTP = httpx.Client()  # one for all: a new one takes longer than a request
UID = "5f3c1f6e-7a51-4c1b-9d55-1f0f0c6f0a01"


def write_extract(file: Path, count: int = 3) -> Path:
    file.write_bytes(_workbook(count))
    return file


@cache
def _workbook(count: int) -> bytes:
    """`count` suppliers from 20001 on; the second inactive, the third on hold; two rows are no suppliers."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER)
    for place in range(count):
        sheet.append(_row(place))
    sheet.append(_row(0))  # the same number again
    sheet.append(["", "No number", *[""] * 17])
    held = BytesIO()
    book.save(held)
    return held.getvalue()


def _row(place: int) -> list[str]:
    return [
        str(20001 + place), f"Supplier {place} GmbH", "", "inactive" if place == 1 else "active", f"Ringstraße {place}",
        "", "Bremen", "HB", "28195", "DE", f"DE81{place:07d}", "", "Eva Sommer", f"ap{place}@example.com",
        "+49 421 100", "https://example.com", "Net 30", "", "Yes" if place == 2 else "No",
    ]  # fmt: skip


def document(**changes: Any) -> dict[str, Any]:
    """A supplier of the hub that no extract has."""
    found = {
        "uid": UID,
        "code": "S-000777",
        "status": "active",
        "legal_name": "Hansen & Söhne Werkzeugbau GmbH",
        "trade_names": ["Hansen Tools"],
        "country": "DE",
        "payment_terms": "NET30",
        "incoterm": "DAP",
        "website": "https://hansen.example",
        "tax_registrations": [{"uid": "t1", "country": "DE", "scheme": "VAT", "number": "DE811569869"}],
        "identifiers": [{"uid": "i1", "scheme": "DUNS", "value": "312345678"}],
        "addresses": [
            {"uid": "a1", "kind": "registered", "lines": ["Am Wall 12", "Hof"], "city": "Bremen", "postal_code": "28195"},
            {"uid": "b2c3d4e5-0000", "kind": "remit_to", "lines": ["Postfach 9"], "city": "Bremen",
             "postal_code": "28001", "country": "DE"},
        ],
        "contacts": [{"uid": "c1", "role": "accounts_receivable", "name": "Eva Sommer", "email": "ar@hansen.example"}],
        "bank_accounts": [{"uid": "k1", "iban": "DE89370400440532013000", "bic": "COBADEFFXXX"}],
    }  # fmt: skip
    return {**found, **changes}


@dataclass
class World:
    running: Running
    connector: coupa.CoupaConnector
    mapping: mapping.Mapping

    def push(self, document: dict[str, Any], key: str | None = None, **changes: Any) -> Outcome:
        return self.connector.push(self.order(document, key, **changes))

    def order(self, document: dict[str, Any], key: str | None = None, **changes: Any) -> Push:
        push = Push(
            type="supplier",
            action="upsert",
            payload=self.mapping.render(document),
            reference=document["uid"],
            idempotency_key=f"1:coupa:{document['uid']}:1",
            correlation_id="corr-1",
            key=key,
        )
        return replace(push, **changes)

    def control(self, path: str, **body: Any) -> Any:
        method = "POST" if body or path == "reset" else "GET"
        answer = HTTP.request(method, f"{self.running.control}/{path}", json=body or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def records(self) -> dict[str, dict[str, Any]]:
        return {row["key"]: row["fields"] for row in self.control("records?type=supplier")["records"]}

    def effects(self) -> list[dict[str, Any]]:
        return list(self.control("effects")["effects"])


@contextmanager
def world(folder: Path, count: int = 3, **options: Any) -> Iterator[World]:
    auth.forget_tokens()
    sandbox = CoupaSandbox(str(folder / "coupa.db"), str(write_extract(folder / "coupa.xlsx", count)))
    with serving(sandbox) as running:
        config = Config(running.url, CLIENT_ID, SECRET, timeout=1.0, options=options)
        yield World(running, coupa.CoupaConnector(config), mapping.load(MAPPING, "supplier"))
