"""Owns the sandbox's judgement of signatures: of requests, checked by oauthlib, and of client assertions.

docs.oracle.com NetSuite help, “The Authorization Headers” and “Error Messages for RESTlets, SOAP Web Services, and
REST Web Services”: OAuth 1.0 with HMAC-SHA256, realm is the account, a nonce of 6 to 64 characters. “The Request
Token Structure”: a JWT by PS256 or ES256 with kid, iss, scope, aud, iat, exp.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from oauthlib.oauth1 import RequestValidator, ResourceEndpoint  # type: ignore[import-untyped]

from sync.connectors.netsuite.signin import SCOPE, account_of
from sync.sandbox import Request

LIFE_S = 300  # how far a timestamp may be from now; a nonce is remembered twice as long


class Door:
    """Lets a signed request in once. `token` and `token_secret` may be set apart from the client's."""

    def __init__(self, key: str, secret: str) -> None:
        self.key, self.secret, self.token, self.token_secret = key, secret, key, secret
        self._judge = _Judge(self)
        self._endpoint = ResourceEndpoint(self._judge)

    def admits(self, request: Request) -> bool:
        url = request.base_url + request.target
        headers = {"Authorization": request.header("authorization")}
        try:
            valid, _ = self._endpoint.validate_protected_resource_request(
                url, request.method, None, headers, realms=[account_of(request.base_url)]
            )
        except ValueError:  # an address or a header that nobody could have signed
            return False
        return bool(valid)


def accepts(jwt: str, certificates: dict[str, Any], *, issuer: str, audience: str) -> bool:
    """A client assertion of this integration for this endpoint, signed with the key of a known certificate."""
    try:
        head, claims, signature = jwt.split(".")
        said, claimed = json.loads(_decoded(head)), json.loads(_decoded(claims))
        _verify(certificates[said["kid"]], said["alg"], _decoded(signature), f"{head}.{claims}".encode())
        life = int(claimed["exp"]) - int(claimed["iat"])
        fresh = 0 < life < 3600 and int(claimed["iat"]) - LIFE_S < time.time() < int(claimed["exp"])
        named = (claimed["iss"], claimed["aud"]) == (issuer, audience) and SCOPE in claimed["scope"]
    except (ValueError, KeyError, TypeError, InvalidSignature):
        return False
    return bool(fresh and named)


def _verify(key: Any, algorithm: str, signature: bytes, content: bytes) -> None:
    digest = hashes.SHA256()
    if algorithm == "PS256" and isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, content, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    elif algorithm == "ES256" and isinstance(key, ec.EllipticCurvePublicKey) and len(signature) == 64:
        halves = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(*halves), content, ec.ECDSA(digest))
    else:
        raise ValueError(f"{algorithm} does not fit the certificate.")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class _Judge(RequestValidator):
    allowed_signature_methods = ("HMAC-SHA256",)
    timestamp_lifetime = LIFE_S
    enforce_ssl = False  # loopback
    dummy_client = dummy_access_token = "nobody"

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def check_client_key(self, client_key: str) -> bool:
        return bool(client_key)

    def check_access_token(self, request_token: str) -> bool:
        return bool(request_token)

    def check_nonce(self, nonce: str) -> bool:
        return 6 <= len(nonce) <= 64 and nonce.isascii() and nonce.isalnum()

    def validate_timestamp_and_nonce(
        self,
        client_key: str,
        timestamp: str,
        nonce: str,
        request: Any,
        request_token: str | None = None,
        access_token: str | None = None,
    ) -> bool:
        now = time.monotonic()
        with self._lock:
            for old in [key for key, at in self._seen.items() if at < now - 2 * LIFE_S]:
                del self._seen[old]
            fresh = nonce not in self._seen
            self._seen[nonce] = now
        return fresh

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == self._door.key

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        return token == self._door.token

    def validate_realms(
        self, client_key: str, token: str, request: Any, uri: str | None = None, realms: list[str] | None = None
    ) -> bool:
        return request.realm in (realms or [])

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return self._door.secret

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return self._door.token_secret
