"""A small NetSuite for tests: a served sandbox, a connector, records of the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from sync import mapping
from sync.auth import OAuth1
from sync.connectors.netsuite import catalogue
from sync.connectors.netsuite import connector as netsuite
from sync.connectors.netsuite.sandbox import NetSuiteSandbox
from sync.protocol import Config, Outcome, Push
from sync.sandbox import CLIENT_ID, SECRET, Running, serving
from tests.sync.sandboxes import extract

HTTP = httpx.Client()  # one for all: a new one takes longer than a request
UID = "7d0b2a44-2c1e-4a53-8f0e-6a9b1c2d3e4f"
ROOT = "/services/rest/record/v1"
TIMEOUT_S = 1.5  # what answers does so in a hundredth of that, unless the machine is busy with other tests
STRICT = {"X-NetSuite-PropertyNameValidation": "Error", "X-NetSuite-PropertyValueValidation": "Error"}


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
        "addresses": [address("a1", "200 Lake Shore Drive", lines=["200 Lake Shore Drive", "Suite 5"])],
        "contacts": [{"uid": "c1", "role": "accounts_receivable", "email": "ar@lakeshore.example", "phone": "312 555 0100"}],
        "bank_accounts": [{"uid": "k1", "iban": "DE89370400440532013000", "account_number": "0532013000"}],
        "extensions": [{"uid": "e1", "legal_entity": "NH90"}],
    }  # fmt: skip
    return {**found, **changes}


def address(uid: str, street: str, **changes: Any) -> dict[str, Any]:
    found = {"uid": uid, "kind": "registered", "lines": [street], "city": "Chicago", "region": "IL",
             "postal_code": "60611", "country": "US"}  # fmt: skip
    return {**found, **changes}


def term(**changes: Any) -> dict[str, Any]:
    found = {"uid": UID, "code": "NET20", "status": "active", "name": "Net 20", "net_days": 20, "discount_days": None,
             "discount_percent": None, "from_end_of_month": False}  # fmt: skip
    return {**found, **changes}


def entity(**changes: Any) -> dict[str, Any]:
    found = {"uid": UID, "code": "NH50", "status": "active", "name": "Nordhaven Polska", "country": "PL",
             "currency": "PLN", "city": "Poznań", "vat_id": None, "lei": None}  # fmt: skip
    return {**found, **changes}


@dataclass
class World:
    running: Running
    connector: netsuite.NetSuiteConnector

    @property
    def sandbox(self) -> NetSuiteSandbox:
        assert isinstance(self.running.sandbox, NetSuiteSandbox)
        return self.running.sandbox

    def mapping(self, type: str = "supplier") -> mapping.Mapping:
        return mapping.load(netsuite.MAPPING, type)

    def another(self, **options: Any) -> netsuite.NetSuiteConnector:
        return netsuite.NetSuiteConnector(
            Config(self.running.url, CLIENT_ID, SECRET, timeout=TIMEOUT_S, options=options)
        )

    def push(self, document: dict[str, Any], key: str | None = None, **changes: Any) -> Outcome:
        return self.connector.push(self.order(document, key, **changes))

    def order(self, document: dict[str, Any], key: str | None = None, **changes: Any) -> Push:
        type = changes.pop("type", "supplier")
        push = Push(
            type=type,
            action="upsert",
            payload=changes.pop("payload", None) or self.mapping(type).render(document),
            reference=document["uid"],
            idempotency_key=f"1:netsuite:{document['uid']}:1",
            correlation_id="corr-1",
            key=key,
        )
        return replace(push, **changes)

    def differences(self, document: dict[str, Any], key: str, type: str = "supplier") -> list[Any]:
        record = self.connector.read(type, key)
        assert record is not None
        table = self.mapping(type)
        parts = [part for part in table.parts if self.sandbox.suitetax or part != "taxRegistration"]
        return table.compare(table.render(document), record.fields, parts=parts)

    def control(self, path: str, **body: Any) -> Any:
        method = "POST" if body or path == "reset" else "GET"
        answer = HTTP.request(method, f"{self.running.control}/{path}", json=body or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def records(self, type: str = "supplier") -> dict[str, dict[str, Any]]:
        return {row["key"]: row["fields"] for row in self.control(f"records?type={type}")["records"]}

    def effects(self) -> list[dict[str, Any]]:
        return list(self.control("effects")["effects"])

    def call(self, method: str, path: str, body: Any = None, *, strict: bool = True, **headers: str) -> httpx.Response:
        """A request of our own, signed; `path` below the record service unless it begins with /services."""
        url = self.running.url + (path if path.startswith("/services") else f"{ROOT}/{path}")
        request = HTTP.build_request(method, url, json=body, headers={**(STRICT if strict else {}), **headers})
        request.headers.update(signer(self.running.url).sign(method, str(request.url)))
        return HTTP.send(request)


def signer(url: str, **changes: str) -> OAuth1:
    given = {"key": CLIENT_ID, "secret": SECRET, "token": CLIENT_ID, "token_secret": SECRET, "realm": "127"}
    return OAuth1(**{**given, **changes})


@contextmanager
def world(folder: Path, *, suitetax: bool = True, **options: Any) -> Iterator[World]:
    catalogue.forget()
    sandbox = NetSuiteSandbox(str(folder / "netsuite.db"), str(extract("netsuite")))
    sandbox.suitetax = suitetax
    with serving(sandbox) as running:
        config = Config(running.url, CLIENT_ID, SECRET, timeout=TIMEOUT_S, options=options)
        yield World(running, netsuite.NetSuiteConnector(config))
