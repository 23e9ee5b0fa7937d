"""Owns OData V4 as SAP's newer services speak it: plain JSON, days as they are, actions; the session is that of V2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.connectors.s4hana.odata import Session
from sync.http import Response


class Session4(Session):
    """The same cookies and CSRF tokens, without the envelope `d`."""

    def results(self, path: str, options: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        found = self.get(path, options)
        return [row for row in found.get("value", []) if isinstance(row, dict)] if isinstance(found, dict) else []

    def send(self, path: str, body: Mapping[str, Any]) -> None:
        """Create, or call an action; what came of it is read afterwards."""
        self._write("POST", path, {}, json=dict(body))

    def content(self, response: Response) -> Any:
        if not response.body:
            return None
        try:
            return response.json()
        except ValueError:
            raise self.client.unreadable(response) from None


def entity_key(values: Mapping[str, str], days: frozenset[str]) -> str:
    """`ControllingArea='A000',ValidityEndDate=9999-12-31`: days stand without quotes."""
    texts = {name: value if name in days else "'" + value.replace("'", "''") + "'" for name, value in values.items()}
    return ",".join(f"{name}={text}" for name, text in texts.items())
