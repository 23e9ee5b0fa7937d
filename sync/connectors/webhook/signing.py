"""Owns the signature of a webhook: HMAC-SHA256 over id, timestamp and body, one for every secret (Standard Webhooks 1.0.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # bytes of a secret
MOST = 3  # secrets at once; more is no rotation


class BadSecret(ValueError):
    """The text is no secret; it is never part of the message."""


def read_secrets(text: str) -> tuple[bytes, ...]:
    """The keys of `whsec_…`, or of several with blanks between: the new one first, the one to be replaced behind it."""
    words = text.split()
    if not 1 <= len(words) <= MOST:
        raise BadSecret("The target needs a secret whsec_…; during a rotation two, with a blank between.")
    return tuple(_key(word) for word in words)


def sign(keys: Sequence[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature`: one signature per key, so that a receiver that knows any of them is served."""
    content = f"{id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_digest(key, content)}" for key in keys)


def _digest(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def _key(word: str) -> bytes:
    encoded = word.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not word.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise BadSecret(f"A secret is whsec_ and the base64 of {SHORTEST} to {LONGEST} random bytes; this one is not.")
    return key
