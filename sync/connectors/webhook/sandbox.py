"""Owns the sandbox of a webhook: a subscriber that verifies, takes every id once and keeps what it was told.

It follows the specification Standard Webhooks 1.0.0; the paths and the words of its refusals are its own.
"""

from __future__ import annotations

import base64
import hmac
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from sync import signing
from sync.connectors.webhook import message
from sync.connectors.webhook.shape import flatten
from sync.sandbox import Fail, Request, Response, Sandbox, main, route

TOLERANCE_S = 300  # how far a timestamp may be from now; older is a replay
_TAKEN = "taken"  # the type under which ids are remembered


class WebhookSandbox(Sandbox):
    """`secret` may be one or several, as a receiver knows them in the middle of a rotation."""

    name: ClassVar[str] = "webhook"
    title: ClassVar[str] = "Webhook subscriber"
    default_secret: ClassVar[str] = signing.PREFIX + base64.b64encode(b"mdm-sandbox-secret of a webhook").decode()
    key_header: ClassVar[str] = "webhook-id"
    refuse_field: ClassVar[str] = "legal_name"

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """A subscriber starts out knowing nothing."""
        return iter(())

    def error(self, fail: Fail) -> Response:
        body: dict[str, Any] = {"message": fail.message}
        if fail.field:
            body["errors"] = [{"field": fail.field, "code": fail.code or "invalid", "message": fail.message}]
        headers = {**fail.headers, "Location": "/elsewhere"} if 300 <= fail.status < 400 else dict(fail.headers)
        return Response(fail.status, body, headers)

    @route("POST", "/.*")
    def receive(self, request: Request) -> Response:
        """Standard Webhooks, *Verifying signatures* and *Webhook headers*: signature, timestamp, the id once."""
        id = self._verified(request)
        event = request.json()
        if event["type"] == message.PING or self.store.get(_TAKEN, id):
            return Response(204)
        self.store.put(_TAKEN, id, {"type": event["type"]}, log=False)
        type, data = event["type"].split(".")[1], event["data"]
        known = self.store.get(type, data["uid"])
        fields = flatten(data["document"]) if data.get("document") else dict(known.fields) if known else {}
        fields |= {name: data[name] for name in ("code", "status") if data[name] is not None}
        self.store.put(type, data["uid"], {**fields, "version": data["version"]})
        return Response(204)

    def settled(self, request: Request) -> bool:
        """An id that was taken once is answered as then."""
        return self.store.get(_TAKEN, request.header("webhook-id")) is not None

    def _verified(self, request: Request) -> str:
        id, sent = request.header("webhook-id"), request.header("webhook-timestamp")
        if not id or not sent.isdigit():
            raise Fail(400, "The headers webhook-id and webhook-timestamp are missing.")
        if abs(time.time() - int(sent)) > TOLERANCE_S:
            raise Fail(400, "The timestamp is too far from now.")
        known = [signing.key_of(secret) for secret in self.secret.split()]
        ours = signing.sign(known, id, int(sent), request.body).split()
        theirs = request.header("webhook-signature").split()
        if not any(hmac.compare_digest(one.encode(), other.encode()) for one in ours for other in theirs):
            raise Fail(401, "No signature fits.")
        return id


if __name__ == "__main__":
    sys.exit(main(WebhookSandbox))
