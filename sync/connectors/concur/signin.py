"""Owns signing in to Concur: tokens of an hour, changing refresh tokens, the address to use next."""

from __future__ import annotations

from urllib.parse import urlsplit

from sync.auth import OAuth2
from sync.errors import Unauthorised
from sync.http import Client
from sync.protocol import Config

PATH = "oauth2/v0/token"


class SignIn:
    """Every token names a `geolocation`: the base address of all later calls; it may change with any token.

    With a `refresh_token` in the target's options it is used and replaced as Concur replaces it; else the
    application signs in for itself by client credentials.
    """

    def __init__(self, client: Client, config: Config) -> None:
        self._client, self._config = client, config
        refresh = str(config.options.get("refresh_token", ""))
        form = {"grant_type": "refresh_token", "refresh_token": refresh} if refresh else {}
        self._oauth = OAuth2(client, config, url=PATH, form=form, style="body", life=3600.0)

    def headers(self) -> dict[str, str]:
        self.settle()
        return self._oauth.headers()

    def renew(self) -> bool:
        return self._oauth.renew()

    def settle(self) -> None:
        """Have a token, and turn the session to where the token lives; call it before making a request."""
        place = str(self._oauth.token().extra.get("geolocation") or "")
        if not place:
            return
        if urlsplit(self._config.base_url).scheme == "https" and urlsplit(place).scheme != "https":
            raise Unauthorised(f"Signing in named an unencrypted address ({place}); it is not used.")
        self._client.base_url = place.rstrip("/") + "/"
