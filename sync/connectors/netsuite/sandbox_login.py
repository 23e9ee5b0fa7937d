"""Owns the sandbox's judgement of signatures: token-based authentication, checked by oauthlib.

docs.oracle.com NetSuite help, “The Authorization Headers” and “Error Messages for RESTlets, SOAP Web Services, and
REST Web Services”: OAuth 1.0 with HMAC-SHA256, realm is the account, a nonce of 6 to 64 characters.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from oauthlib.oauth1 import RequestValidator, ResourceEndpoint  # type: ignore[import-untyped]

from sync.connectors.netsuite.wire import account_of
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
