"""Owns signing in: Basic, OAuth1 signatures, OAuth2 tokens kept in memory, renewed early, shared within a process."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlsplit

from sync.assertions import TYPE, Assertion
from sync.errors import Refused, Unauthorised
from sync.http import Client
from sync.protocol import Config

EARLY = 60.0  # seconds before the end of its life at which a token is renewed


@dataclass(frozen=True)
class Token:
    """A bearer token; `extra` is the rest of the token answer (Concur's geolocation and refresh_token, …)."""

    value: str = field(repr=False)
    renew_at: float  # on the monotonic clock
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    fetched: float = 0.0  # on the monotonic clock


class BasicAuth:
    def __init__(self, config: Config) -> None:
        raw = f"{config.client_id}:{config.secret}".encode()
        self._header = "Basic " + base64.b64encode(raw).decode()

    def headers(self) -> dict[str, str]:
        return {"Authorization": self._header}

    def renew(self) -> bool:
        return False


class OAuth1:
    """RFC 5849 with HMAC-SHA256 and a token that was given out beforehand: every request is signed for itself.

    Bodies that are forms would have to be signed too; they are not, so send JSON.
    """

    def __init__(self, *, key: str, secret: str, token: str, token_secret: str, realm: str) -> None:
        self._key, self._token, self._realm = key, token, realm
        self._secret = f"{_percent(secret)}&{_percent(token_secret)}".encode()

    def headers(self) -> dict[str, str]:
        return {}

    def renew(self) -> bool:
        """Once more with another nonce and the time as it is now; the credentials stay the same."""
        return True

    def sign(self, method: str, url: str) -> dict[str, str]:
        signed = {
            "oauth_consumer_key": self._key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(time.time())),
            "oauth_token": self._token,
            "oauth_version": "1.0",
        }
        signed["oauth_signature"] = self._signature(method, url, signed)
        shown = {"realm": self._realm, **signed}
        return {"Authorization": "OAuth " + ", ".join(f'{name}="{_percent(text)}"' for name, text in shown.items())}

    def _signature(self, method: str, url: str, signed: Mapping[str, str]) -> str:
        parts = urlsplit(url)
        default = {"http": 80, "https": 443}.get(parts.scheme)
        port = f":{parts.port}" if parts.port and parts.port != default else ""
        place = f"{parts.scheme}://{parts.hostname}{port}{parts.path or '/'}"
        query = parse_qsl(parts.query, keep_blank_values=True)
        pairs = sorted((_percent(name), _percent(text)) for name, text in (*query, *signed.items()))
        base = "&".join(_percent(text) for text in (method.upper(), place, "&".join(f"{n}={v}" for n, v in pairs)))
        return base64.b64encode(hmac.new(self._secret, base.encode(), hashlib.sha256).digest()).decode()


class OAuth2:
    """Any grant whose form can be written down; client credentials unless `form` says otherwise.

    `client` is the connector's own client: token requests show up among its exchanges, without their bodies.
    `life` caps what `expires_in` promises; `style` says where the client's id and secret travel. With an
    `assertion` neither travels: a signed statement stands for them, a new one for every token.
    """

    def __init__(
        self,
        client: Client,
        config: Config,
        *,
        url: str = "",
        form: Mapping[str, str] | None = None,
        scope: str = "",
        style: Literal["header", "body"] = "header",
        life: float = 20 * 3600.0,
        assertion: Assertion | None = None,
    ) -> None:
        self._client, self._config, self._assertion = client, config, assertion
        self._url = config.token_url or url
        self._form = {"grant_type": "client_credentials", **(form or {})}
        if scope:
            self._form["scope"] = scope
        self._style, self._life = style, life
        proof = (assertion.key_id, assertion.private_key) if assertion else (config.secret,)
        self._key = _digest(client.url(self._url), config.client_id, *proof, repr(sorted(self._form.items())))

    def token(self) -> Token:
        """The token in hand, or a new one when it is about to end."""
        with _lock_of(self._key):
            known = _tokens.get(self._key)
            if known is None or time.monotonic() >= known.renew_at or known.fetched < _not_before.get():
                known = _tokens[self._key] = self._fetch()
            return known

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token().value}"}

    def renew(self) -> bool:
        """Drop the token the target no longer takes."""
        with _lock_of(self._key):
            _tokens.pop(self._key, None)
        return True

    def _fetch(self) -> Token:
        form, headers = dict(self._form), {"Accept": "application/json"}
        known = _refresh.get(self._key)
        if known and form["grant_type"] == "refresh_token":
            form["refresh_token"] = known  # some platforms change it with every use
        if self._assertion:
            signed = self._assertion.sign(self._client.url(self._url))
            form.update(client_assertion_type=TYPE, client_assertion=signed)
        elif self._style == "header":
            headers.update(BasicAuth(self._config).headers())
        else:
            form.update(client_id=self._config.client_id, client_secret=self._config.secret)
        try:
            answer = self._client.json("POST", self._url, data=form, headers=headers, auth=False, writes=False)
        except Refused as error:  # token endpoints answer 400 invalid_client or invalid_grant
            raise Unauthorised(f"Signing in failed: {error.message}", status=error.status) from None
        if not isinstance(answer, dict) or not answer.get("access_token"):
            raise Unauthorised("Signing in failed: the token endpoint answered without a token.")
        if answer.get("refresh_token"):
            _refresh[self._key] = str(answer["refresh_token"])
        return _token(answer, self._life)


@contextmanager
def anew() -> Iterator[None]:
    """Inside, tokens fetched before are not taken: what is tried are the credentials themselves."""
    mark = _not_before.set(time.monotonic())
    try:
        yield
    finally:
        _not_before.reset(mark)


def forget_tokens() -> None:
    """Drop every token of this process (after a change of credentials, and between tests)."""
    _tokens.clear()
    _refresh.clear()


def _token(answer: Mapping[str, Any], cap: float) -> Token:
    try:
        promised = float(answer.get("expires_in") or 0)
    except (TypeError, ValueError):
        promised = 0.0
    life = min(promised, cap) if promised > 0 else min(300.0, cap)
    early = min(EARLY, life / 5)  # a token of 30 s must not be renewed before every request
    extra = {key: value for key, value in answer.items() if key != "access_token"}
    now = time.monotonic()
    return Token(str(answer["access_token"]), now + life - early, extra, fetched=now)


def _percent(text: str) -> str:
    return quote(text, safe="-._~")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _lock_of(key: str) -> threading.Lock:
    with _guard:
        return _locks.setdefault(key, threading.Lock())


_guard = threading.Lock()
_locks: dict[str, threading.Lock] = {}
_tokens: dict[str, Token] = {}
_refresh: dict[str, str] = {}
_not_before: ContextVar[float] = ContextVar("not_before", default=0.0)
