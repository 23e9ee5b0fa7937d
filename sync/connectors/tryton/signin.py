"""Owns signing in to Tryton: a session per connector, opened with login and password, opened again when it ended."""

from __future__ import annotations

import base64

from sync.errors import SyncError, Unauthorised
from sync.http import Client
from sync.protocol import Config


class SignIn:
    """`common.db.login` answers `[user id, session key, …]`; both travel with the login in every later request."""

    def __init__(self, client: Client, config: Config, path: str) -> None:
        self._client, self._config, self._path = client, config, path
        self._header = ""

    def headers(self) -> dict[str, str]:
        if not self._header:
            self._header = self._login()
        return {"Authorization": self._header}

    def renew(self) -> bool:
        self._header = ""
        return True

    def _login(self) -> str:
        login = self._config.client_id
        body = {"id": 0, "method": "common.db.login", "params": [login, {"password": self._config.secret}]}
        answer = self._client.json("POST", self._path, json=body, auth=False, writes=False, secret=True)
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, list) or len(result) < 2:
            raise self._refused(answer)
        session = base64.b64encode(f"{login}:{result[0]}:{result[1]}".encode()).decode()
        return f"Session {session}"

    def _refused(self, answer: object) -> SyncError:
        """Tryton may ask for more than a password (a code sent by message): the hub cannot answer that."""
        error = answer.get("error") if isinstance(answer, dict) else None
        kind = str(error[0]) if isinstance(error, list) and error else "no session"
        return Unauthorised(f"Signing in failed: Tryton answered {kind}. The user must sign in by password alone.")
