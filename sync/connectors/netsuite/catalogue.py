"""Owns discovery: which fields and sublists of a record this account really has, from its metadata catalog."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.connectors.netsuite.shape import top_of
from sync.connectors.netsuite.wire import MAX_PAGE_BODY, RECORDS
from sync.http import Client

KEEP_S = 600.0


@dataclass(frozen=True)
class Catalogue:
    """The properties of one record. Features of the account and its role decide: OneWorld, SuiteTax, currencies."""

    properties: frozenset[str]

    def keep_known(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The payload without what this account has no place for."""
        return {name: value for name, value in payload.items() if top_of(name) in self.properties}


def discover(client: Client, record: str, *, fresh: bool = False) -> Catalogue:
    """What the record has here; asked once in ten minutes per process unless `fresh`."""
    key = (client.base_url, client.config.client_id, record)
    with _guard:
        known = _known.get(key)
    if known and not fresh and time.monotonic() < known[0]:
        return known[1]
    response = client.request(
        "GET",
        f"{RECORDS}/metadata-catalog/{record}",
        headers={"Accept": "application/schema+json"},
        max_body=MAX_PAGE_BODY,
    )
    try:
        catalogue = Catalogue(frozenset(response.json()["properties"]))
    except (ValueError, KeyError, TypeError):
        raise client.unreadable(response) from None
    with _guard:
        _known[key] = (time.monotonic() + KEEP_S, catalogue)
    return catalogue


def forget() -> None:
    """Drop what was discovered (between tests)."""
    with _guard:
        _known.clear()


_guard = threading.Lock()
_known: dict[tuple[str, str, str], tuple[float, Catalogue]] = {}
