"""Owns the body of a webhook: type, timestamp and data, small enough for every receiver, without bank numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sync.connectors.webhook.shape import nest
from sync.mapping import Mapping
from sync.protocol import Push

LARGEST = 20_000  # bytes; the specification recommends less than 20 kB
PING = "mdm.ping.v1"


def of_push(push: Push, mapping: Mapping) -> bytes:
    """The record as it is to be held from now on. One too large goes without its document: the receiver fetches it."""
    key = push.key or push.reference
    data: dict[str, Any] = {"uid": key, "code": push.payload.get("code"), "version": push.version}
    data["status"] = push.payload.get("status")
    if push.action == "block":
        data["survivor"] = push.reference if push.reference != key else None  # a merge: who stands in its place
        return encode(f"mdm.{push.type}.blocked.v1", push.at, data)
    own = {name: value for name, value in push.payload.items() if not mapping.is_sealed(name)}
    parts = [rows.part for rows in mapping.rules.rows if not any(rule.sealed for rule in rows.fields)]
    whole = encode(f"mdm.{push.type}.upserted.v1", push.at, {**data, "document": nest(own, parts)})
    if len(whole) < LARGEST:
        return whole
    return encode(f"mdm.{push.type}.upserted.v1", push.at, {**data, "document": None})


def ping() -> bytes:
    return encode(PING, "", {})


def encode(type: str, at: str, data: dict[str, Any]) -> bytes:
    body = {"type": type, "timestamp": at or datetime.now(UTC).isoformat(), "data": data}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, default=str).encode()
