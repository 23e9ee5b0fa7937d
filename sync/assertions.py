"""Owns signed assertions (RFC 7523): how a client proves itself to a token endpoint with a private key."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from sync.errors import Unauthorised

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE_S = 300  # it is used at once


@dataclass(frozen=True)
class Assertion:
    """What is claimed, and the key that signs it: RSA (PS256) or P-256 (ES256), as PEM without a passphrase."""

    issuer: str
    key_id: str  # under which the other side keeps the certificate
    private_key: str = field(repr=False)
    scope: str = ""

    def sign(self, audience: str) -> str:
        """A JWT for this token endpoint, good for five minutes."""
        key, now = self._key(), int(time.time())
        claims = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + LIFE_S, "jti": secrets.token_hex(8)}
        head = {"typ": "JWT", "alg": "PS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256", "kid": self.key_id}
        signed = f"{_part(head)}.{_part({**claims, **({'scope': self.scope} if self.scope else {})})}"
        return f"{signed}.{_encoded(_signature(key, signed.encode()))}"

    def _key(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        try:
            key = serialization.load_pem_private_key(self.private_key.encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise Unauthorised("The private key cannot be read; give it as PEM, without a passphrase.") from None
        if isinstance(key, rsa.RSAPrivateKey):
            return key
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return key
        raise Unauthorised("The private key has to be RSA, or EC on the curve P-256.")


def _signature(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, content: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        digest = hashes.SHA256()
        return key.sign(content, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    r, s = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _part(content: dict[str, Any]) -> str:
    return _encoded(json.dumps(content, separators=(",", ":")).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
