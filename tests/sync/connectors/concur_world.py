"""A small Concur for tests: an extract of its own, a served sandbox, a connector, a supplier of the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from sync import auth, mapping
from sync.connectors.concur import connector as concur
from sync.connectors.concur.sandbox import ConcurSandbox
from sync.protocol import Config, Outcome, Push
from sync.sandbox import CLIENT_ID, SECRET, Running, serving

MAPPING = Path(concur.__file__).with_name("mapping.yaml")
HTTP = httpx.Client()  # one for all: a new one takes longer than a request
UID = "7d0b2a44-2c1e-4a53-8f0e-6a9b1c2d3e4f"
IBAN = "DE89370400440532013000"


def write_extract(file: Path, count: int = 3) -> Path:
    """`count` vendors from V003001/001 on; the second not approved, the third with an IBAN; bad lines."""
    lines = [json.dumps(_vendor(place)) for place in range(count)]
    lines += [json.dumps(_vendor(0)), '{"VendorCode": "V9', json.dumps({**_vendor(7), "VendorCode": ""})]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def _vendor(place: int) -> dict[str, Any]:
    vendor: dict[str, Any] = {
        "VendorCode": f"V{3001 + place:06d}",
        "AddressCode": "001",
        "VendorName": f"Vendor {place} Inc.",
        "Address1": f"{place} Main Street",
        "City": "Chicago",
        "State": "IL",
        "PostalCode": "60601",
        "CountryCode": "US",
        "CurrencyCode": "USD",
        "TaxID": f"36-{place:07d}",
        "PaymentTerms": 30,
        "ContactPhoneNumber": "312 555 0100",
        "Approved": "N" if place == 1 else "Y",
        "Custom1": "CHICAGO",
    }
    if place == 2:
        vendor["BankAccount"] = {
            "AccountNumber": IBAN,
            "RoutingNumber": "COBADEFFXXX",
            "NameOnAccount": "Vendor 2",
        }
    return vendor


def document(**changes: Any) -> dict[str, Any]:
    """A supplier of the hub that no extract has."""
    found = {
        "uid": UID,
        "code": "S-000888",
        "status": "active",
        "legal_name": "Lakeshore Office Supply LLC",
        "country": "US",
        "currency": "USD",
        "payment_terms": "NET30",
        "tax_registrations": [{"uid": "t1", "country": "US", "scheme": "EIN", "number": "36-9999999"}],
        "addresses": [
            {"uid": "a1", "kind": "registered", "lines": ["200 Lake Shore Drive", "Suite 5"], "city": "Chicago",
             "region": "IL", "postal_code": "60611", "country": "US"},
        ],
        "contacts": [{"uid": "c1", "role": "accounts_receivable", "email": "ar@lakeshore.example", "phone": "+1 312 555"}],
        "bank_accounts": [
            {"uid": "k1", "iban": None, "account_number": "000123456789", "bank_code": "071000013", "currency": "USD",
             "country": "US", "holder": "Lakeshore Office Supply"},
        ],
    }  # fmt: skip
    return {**found, **changes}


@dataclass
class World:
    running: Running
    connector: concur.ConcurConnector
    mapping: mapping.Mapping

    def push(self, document: dict[str, Any], key: str | None = None, **changes: Any) -> Outcome:
        return self.connector.push(self.order(document, key, **changes))

    def order(self, document: dict[str, Any], key: str | None = None, **changes: Any) -> Push:
        push = Push(
            type="supplier",
            action="upsert",
            payload=changes.pop("payload", None) or self.mapping.render(document),
            reference=document["uid"],
            idempotency_key=f"1:concur:{document['uid']}:1",
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

    def accounts(self, key: str) -> list[tuple[str, str]]:
        """(number, active) of every account a vendor has there."""
        fields = self.records()[key]
        rows = sorted({name.split("]")[0] + "]" for name in fields if name.startswith("VendorBankList[")})
        return [(fields[f"{row}.AccountNumber"], fields[f"{row}.IsActive"]) for row in rows]


@contextmanager
def world(folder: Path, count: int = 3, **options: Any) -> Iterator[World]:
    auth.forget_tokens()
    sandbox = ConcurSandbox(str(folder / "concur.db"), str(write_extract(folder / "concur.ndjson", count)))
    with serving(sandbox) as running:
        config = Config(running.url, CLIENT_ID, SECRET, timeout=1.0, options=options)
        yield World(running, concur.ConcurConnector(config), mapping.load(MAPPING, "supplier"))
