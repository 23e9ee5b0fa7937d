"""A small Dynamics 365 for tests: requests past the connector, suppliers with companies, raw records."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from sync import multipart
from sync.connectors.dynamics365.connector import MAPPING
from sync.mapping import load
from sync.multipart import Parts
from sync.protocol import Connector, Push
from sync.sandbox import CLIENT_ID, SECRET
from tests.sync.sandboxes import REFERENCE, Platform, supplier

PARTY = "000000501"


def in_companies(*legal_entities: str, **changes: Any) -> dict[str, Any]:
    """The supplier of the contract tests, with an extension for each of these legal entities."""
    extension = supplier()["extensions"][0]
    found = [{**extension, "uid": f"e{place}", "legal_entity": name} for place, name in enumerate(legal_entities, 1)]
    return supplier(extensions=found, **changes)


def push_of(document: dict[str, Any], values: dict[str, Any] | None = None, **changes: Any) -> Push:
    type = changes.pop("type", "supplier")
    payload = load(MAPPING, type).render(document, values)
    given = {"reference": REFERENCE, "idempotency_key": "1:x:1", "correlation_id": "c-1", "action": "upsert", **changes}
    return Push(type=type, payload=payload, **given)


def raw(d365: Platform, key: str, type: str = "supplier") -> dict[str, Any]:
    found = d365.control("GET", f"records?type={type}")["records"]
    return next(dict(record["fields"]) for record in found if record["key"] == key)


def keys(d365: Platform) -> list[str]:
    return [record["key"] for record in d365.records()]


def ask(d365: Platform, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """One request of somebody else to the sandbox: status and answer."""
    content = None if body is None else json.dumps(body).encode()
    try:
        with _open(d365, method, path, content, headers) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        return error.code, json.load(error)


def ask_batch(d365: Platform, parts: Parts, **headers: str) -> Any:
    """Several requests of somebody else in one: the answers, or the status when there are none."""
    sent = {"Content-Type": multipart.content_type("batch_1"), **headers}
    try:
        with _open(d365, "POST", "$batch", multipart.write(parts, "batch_1"), sent) as response:
            return multipart.read(response.headers["Content-Type"], response.read())
    except HTTPError as error:
        return error.code


def _open(d365: Platform, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> Any:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
    form["scope"] = f"{d365.url}/.default"
    data = "&".join(f"{name}={quote(value)}" for name, value in form.items()).encode()
    with urllib.request.urlopen(f"{d365.url}/tenant/oauth2/v2.0/token", data=data, timeout=10) as response:
        token = json.load(response)["access_token"]
    sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(f"{d365.url}/data/{path}", data=content, method=method, headers=sent)
    return urllib.request.urlopen(request, timeout=10)


def said(connector: Connector) -> list[tuple[str, str]]:
    """(method, address below the service) of what was just said, without the token request."""
    return [
        (one.method, one.url.partition("/data/")[2].partition("?")[0])
        for one in connector.exchanges()
        if "/data/" in one.url
    ]
