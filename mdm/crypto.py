"""Sealing of secret values (bank numbers): AES-256-GCM with key ids, and a keyed blind index to find and compare them.

A sealed value is a small JSON object that may stand in any stored document:
`{"ct": base64(nonce + ciphertext), "kid": key id, "bix": hex HMAC-SHA256, "head": first 4, "last4": last 4}`;
of a short number less is shown (`shown_of`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from functools import lru_cache
from typing import Any, TypeGuard

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_AAD = b"mdm/sealed/1"
_NOISE = re.compile(r"[\s.\-/]")
_LONG = 15  # the shortest IBAN there is; national account numbers are shorter


class UnknownKey(Exception):
    """A value was sealed with a key this process was not given: add it to MDM_MASTER_KEYS."""


@lru_cache(maxsize=4)
def _ciphers(spec: str) -> dict[str, AESGCM]:
    pairs = (entry.split(":", 1) for entry in spec.split(",") if entry)
    return {kid: AESGCM(hashlib.sha256(base64.b64decode(key)).digest()) for kid, key in pairs}


def normalise_number(plain: str) -> str:
    """Upper case, without blanks and separators: how numbers are compared and sealed."""
    return _NOISE.sub("", plain).upper()


def blind_index(plain: str) -> str:
    """Hex HMAC of the normalised number; equal numbers give equal indexes, nothing else can be read from it."""
    key = base64.b64decode(settings.INDEX_KEY)
    return hmac.new(key, normalise_number(plain).encode(), hashlib.sha256).hexdigest()[:40]


def seal_bytes(plain: bytes) -> bytes:
    """For whole rows and file chunks: `kid` NUL nonce ciphertext."""
    kid, cipher = next(iter(_ciphers(settings.MASTER_KEYS).items()))
    nonce = os.urandom(12)
    return kid.encode() + b"\0" + nonce + cipher.encrypt(nonce, plain, _AAD)


def open_bytes(sealed: bytes | memoryview) -> bytes:
    kid, _, rest = bytes(sealed).partition(b"\0")
    return _cipher(kid.decode()).decrypt(rest[:12], rest[12:], _AAD)


def seal(plain: str) -> dict[str, str]:
    number = normalise_number(plain)
    kid, cipher = next(iter(_ciphers(settings.MASTER_KEYS).items()))
    nonce = os.urandom(12)
    ct = base64.b64encode(nonce + cipher.encrypt(nonce, number.encode(), _AAD)).decode()
    head, last = shown_of(number)
    return {"ct": ct, "kid": kid, "bix": blind_index(number), "head": head, "last4": last}


def shown_of(number: str) -> tuple[str, str]:
    """What people may see of a number: both ends of a long one (an IBAN); of a short one never enough to guess the rest."""
    if len(number) >= _LONG:
        return number[:4], number[-4:]
    return "", number[-4:] if len(number) >= 9 else number[-2:] if len(number) >= 5 else ""


def open_sealed(sealed: dict[str, str]) -> str:
    raw = base64.b64decode(sealed["ct"])
    return _cipher(sealed["kid"]).decrypt(raw[:12], raw[12:], _AAD).decode()


def _cipher(kid: str) -> AESGCM:
    try:
        return _ciphers(settings.MASTER_KEYS)[kid]
    except KeyError:
        raise UnknownKey(f"No key “{kid}” in MDM_MASTER_KEYS.") from None


def is_sealed(value: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and "ct" in value and "bix" in value


def mask(value: Any) -> Any:
    """`DE89…3000` for a sealed value, anything else as it is."""
    return f"{value['head']}…{value['last4']}" if is_sealed(value) else value


def mask_tree(value: Any) -> Any:
    """A copy of any JSON with every sealed value masked: what leaves the hub for people and subscribers."""
    if is_sealed(value):
        return mask(value)
    if isinstance(value, dict):
        return {key: mask_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_tree(item) for item in value]
    return value


def open_tree(value: Any) -> Any:
    """A copy with every sealed value in plain text: only for the moment of sending or of a logged reveal."""
    if is_sealed(value):
        return open_sealed(value)
    if isinstance(value, dict):
        return {key: open_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [open_tree(item) for item in value]
    return value
