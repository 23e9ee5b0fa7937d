"""Starts a connector and its sandbox for a test, for any folder of sync/connectors."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sync.connectors
from sync.auth import forget_tokens
from sync.mapping import Mapping, load
from sync.protocol import Config, Connector, Push, Readable
from sync.sandbox import Running, Sandbox, serving
from sync.sandboxes import sandbox_class
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
NAMES = sorted(module.name for module in pkgutil.iter_modules(sync.connectors.__path__) if module.ispkg)
REFERENCE = "0190b5a0-7e11-7cc4-9e0f-0123456789ab"
WRITES = r"^(POST|PUT|PATCH) (?!.*token)"


def folder(name: str) -> Path:
    return ROOT / "sync" / "connectors" / name


def connector_class(name: str) -> type[Any]:
    return importlib.import_module(f"sync.connectors.{name}.connector").connector


READABLE = [name for name in NAMES if issubclass(connector_class(name), Readable)]
TOLD = [name for name in NAMES if name not in READABLE]  # nobody can ask them what they hold


def extract(name: str) -> str:
    """The small extract of that platform's suppliers; a receiver that cannot be read needs none."""
    found = sorted((ROOT / "suppliers" / "demo" / "extracts" / "small").glob(f"{name}_*"))
    assert found or name in TOLD, f"suppliers/demo/extracts/small/{name}_* is missing"
    return str(found[0]) if found else ""


def nowhere(name: str) -> Connector:
    """A connector whose target does not answer."""
    address = sandbox_class(name).address("http://127.0.0.1:1")
    made: Connector = connector_class(name)(Config(address, "mdm", sandbox_class(name).default_secret, timeout=1.0))
    return made


@dataclass
class Platform:
    """One sandbox being served, and how a test talks to it."""

    name: str
    url: str
    mapping: Mapping
    running: Running | None = None
    child: subprocess.Popen[str] | None = None
    patience: float = 1.0  # how much longer than a sandbox it may take; every time-out is that much longer

    @property
    def sandbox(self) -> Sandbox:
        assert self.running is not None
        return self.running.sandbox

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait(timeout=10)

    @property
    def secret(self) -> str:
        return sandbox_class(self.name).default_secret

    def connector(self, *, timeout: float = 5.0, secret: str = "", **options: Any) -> Connector:
        address, given = sandbox_class(self.name).address(self.url), self.control("GET", "options")["options"]
        patient, all_options = timeout * self.patience, {**given, **options}
        config = Config(address, "mdm", secret or self.secret, timeout=patient, options=all_options)
        made: Connector = connector_class(self.name)(config)
        return made

    def push(self, document: dict[str, Any], **changes: Any) -> Push:
        payload = self.mapping.render(document)
        given = {"reference": REFERENCE, "idempotency_key": "1:x:1", "correlation_id": "c-1", **changes}
        return Push(type="supplier", action=given.pop("action", "upsert"), payload=payload, **given)

    def records(self) -> list[dict[str, Any]]:
        return list(self.control("GET", "records?type=supplier")["records"])

    def effects(self) -> list[dict[str, Any]]:
        return list(self.control("GET", "effects")["effects"])

    def fail(self, kind: str, *, match: str = WRITES, count: int = 1) -> None:
        self.control("POST", "faults", {"match": match, "kind": kind, "count": count})

    def control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_control/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return dict(json.load(response))


@contextmanager
def platform(name: str, state: Path, seed: Path | None = None) -> Iterator[Platform]:
    forget_tokens()
    sandbox = sandbox_class(name)(str(state), str(seed or extract(name)))
    with serving(sandbox) as running:
        yield Platform(name, running.url, load(folder(name) / "mapping.yaml", "supplier"), running)


@contextmanager
def process(name: str, state: Path) -> Iterator[Platform]:
    """The sandbox as a process of its own, started as the demo starts it."""
    forget_tokens()
    port = free_port()
    command = [sys.executable, "-m", f"sync.connectors.{name}.sandbox", "--port", str(port)]
    command += ["--state", str(state), "--seed", extract(name)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None and child.stdout.readline()  # it says so when it listens
        mapping = load(folder(name) / "mapping.yaml", "supplier")
        yield Platform(name, f"http://127.0.0.1:{port}", mapping, child=child)
    finally:
        child.terminate()
        child.wait(timeout=10)


def supplier(**changes: Any) -> dict[str, Any]:
    """A supplier every platform can hold."""
    return {
        "uid": REFERENCE,
        "legal_name": "Contract Test Werkzeugbau GmbH",
        "trade_names": [],
        "legal_form": None,
        "country": "DE",
        "group": "nordhaven",
        "status": "active",
        "payment_terms": "NET30",
        "currency": "EUR",
        "incoterm": None,
        "website": "https://contract-test.example",
        "parent": None,
        "tags": [],
        "tax_registrations": [{"uid": "t1", "country": "DE", "scheme": "VAT", "number": "DE129273398"}],
        "identifiers": [{"uid": "i1", "scheme": "DUNS", "value": "312345678"}],
        "addresses": [
            {
                "uid": "a1",
                "kind": "registered",
                "lines": ["Hauptstrasse 12"],
                "city": "Köln",
                "region": "NW",
                "postal_code": "50667",
                "country": "DE",
            }
        ],
        "contacts": [
            {
                "uid": "c1",
                "name": "Erika Muster",
                "role": "accounts_receivable",
                "email": "ar@contract-test.example",
                "phone": "+49 221 12345",
            }
        ],
        "bank_accounts": [
            {
                "uid": "b1",
                "iban": "DE89370400440532013000",
                "bic": "COBADEFFXXX",
                "account_number": "0532013000",
                "bank_code": "37040044",
                "holder": "Contract Test Werkzeugbau GmbH",
                "country": "DE",
                "currency": "EUR",
                "valid_from": None,
                "valid_to": None,
                "verification": "verified",
            }
        ],
        "extensions": [
            {
                "uid": "e1",
                "legal_entity": "NH10",
                "reconciliation_account": "0000160000",
                "payment_terms": None,
                "payment_block": False,
                "purchasing_block": False,
                "withholding_tax": None,
            }
        ],
        **changes,
    }
