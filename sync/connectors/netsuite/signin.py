"""Owns signing in to NetSuite: OAuth 2.0 with a certificate, or token-based authentication (OAuth 1.0)."""

from __future__ import annotations

from urllib.parse import urlsplit

from sync.assertions import Assertion
from sync.auth import OAuth1, OAuth2
from sync.http import Auth, Client
from sync.protocol import Config

TOKEN_PATH = "services/rest/auth/oauth2/v1/token"
SCOPE = "rest_webservices"


def sign_in(client: Client, config: Config) -> Auth:
    """With a `private_key` the machine-to-machine flow; else an access token `id:secret` signs every request.

    Without either the client stands for its own token, which is what the sandbox expects.
    """
    options = config.options
    if options.get("private_key"):
        key_id = str(options.get("certificate_id", ""))
        proof = Assertion(config.client_id, key_id, str(options["private_key"]), SCOPE)
        return OAuth2(client, config, url=TOKEN_PATH, assertion=proof, life=3600.0)
    token, _, token_secret = str(options.get("access_token", "")).partition(":")
    return OAuth1(
        key=config.client_id,
        secret=config.secret,
        token=token or config.client_id,
        token_secret=token_secret or config.secret,
        realm=str(options.get("account", "")) or account_of(config.base_url),
    )


def account_of(url: str) -> str:
    """The account a domain belongs to: `1234567-sb1.suitetalk…` is account 1234567_SB1."""
    return (urlsplit(url).hostname or "").split(".")[0].upper().replace("-", "_")
