"""Owns the signature of a webhook: HMAC-SHA256 over id, timestamp and body, one for every secret (Standard Webhooks 1.0.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # bytes of a secret


class BadSecret(ValueError):
    """The text is no secret; it is never part of the message."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """The key that `whsec_…` stands for."""
    encoded = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise BadSecret(f"A secret is whsec_ and the base64 of {SHORTEST} to {LONGEST} random bytes; this one is not.")
    return key


def sign(keys: Sequence[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature`: one signature per key, so that a receiver that knows any of them is served."""
    content = f"{id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_digest(key, content)}" for key in keys)


def headers(keys: Sequence[bytes], *, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """What the receiver checks: the id makes a repeat harmless, the time an old copy worthless."""
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(keys, id, timestamp, body),
    }


def _digest(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
