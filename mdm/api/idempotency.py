"""Idempotency-Key: the first answer of a POST commits with its effect and is replayed for the same key and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

from django.conf import settings
from django.db import connection, transaction
from pydantic_core import to_json
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import crypto
from mdm.api.auth import client_of
from mdm.errors import CorrectInput, HubError, NotNow
from mdm.models import IdempotencyKey

HEADER = "Idempotency-Key"
_KEPT = ("Location", "ETag", "Link")


class StillRunning(NotNow):
    """Wait: the first call with this key has not answered yet."""

    code = "still_running"


class OtherBody(HubError):
    """Use a new key: this one was used for another request."""

    code, status = "idempotency_key_reused", 422


def key_of(request: Request) -> str:
    key = request.headers.get(HEADER, "").strip()
    if key and (len(key) > 255 or not key.isprintable() or not key.isascii()):
        raise CorrectInput("An Idempotency-Key has at most 255 printable ASCII characters.")
    return key


def once(request: Request, call: Callable[[], Response], *, sealed: bool = False, detached: bool = False) -> Response:
    """Run `call` in a transaction that also stores its answer; or replay the answer it gave before.

    A call that fails leaves no trace, so its key can be used again: a key commits with its effect. A `detached` call
    talks to others and must not keep a transaction open: only its answer is stored, after it.
    """
    key = key_of(request) if request.method == "POST" else ""
    if detached:
        return _alone(request, key, call, sealed) if key else call()
    with transaction.atomic():
        if not key:
            return call()
        client = client_of(request)
        if not _lock(client, key, "pg_try_advisory_xact_lock"):
            raise StillRunning("The first call with this Idempotency-Key is still running.", retry_after=1)
        return _remembered(request, client, key, call, sealed)


def _alone(request: Request, key: str, call: Callable[[], Response], sealed: bool) -> Response:
    client = client_of(request)
    if not _lock(client, key, "pg_try_advisory_lock"):
        raise StillRunning("The first call with this Idempotency-Key is still running.", retry_after=1)
    try:
        return _remembered(request, client, key, call, sealed)
    finally:
        _lock(client, key, "pg_advisory_unlock")


def _remembered(request: Request, client: str, key: str, call: Callable[[], Response], sealed: bool) -> Response:
    fingerprint = _fingerprint(request)
    stored = IdempotencyKey.objects.filter(client=client, key=key).first()
    if stored is not None:
        if not hmac.compare_digest(stored.fingerprint, fingerprint):
            raise OtherBody("This Idempotency-Key was used for another request: use a new one.")
        return _replay(stored)
    response = call()
    if response.status_code < 400:
        _store(client, key, fingerprint, response, sealed)
    return response


def _lock(client: str, key: str, function: str) -> bool:
    """A try-lock: the second caller is told instead of kept waiting."""
    number = int.from_bytes(hashlib.sha256(f"{client}\0{key}".encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [number])
        return bool(cursor.fetchone()[0])


def _fingerprint(request: Request) -> str:
    """Keyed, because a plain hash of a body with a bank number could be guessed."""
    mac = hmac.new(base64.b64decode(settings.INDEX_KEY), digestmod=hashlib.sha256)
    mac.update(f"{request.method} {request.get_full_path()}\0".encode())
    if digest := getattr(request, "_mdm_upload_digest", None):
        mac.update(digest)
    else:
        mac.update(request._request.body)
    return mac.hexdigest()


def _store(client: str, key: str, fingerprint: str, response: Response, sealed: bool) -> None:
    text = response.data if isinstance(response.data, bytes) else to_json(response.data, fallback=str)
    body = {"sealed": base64.b64encode(crypto.seal_bytes(text)).decode()} if sealed else json.loads(text)
    headers = {name: response[name] for name in _KEPT if response.has_header(name)}
    IdempotencyKey.objects.create(
        client=client, key=key, fingerprint=fingerprint, status=response.status_code, headers=headers, body=body
    )


def _replay(stored: IdempotencyKey) -> Response:
    body = stored.body
    if isinstance(body, dict) and set(body) == {"sealed"}:
        body = json.loads(crypto.open_bytes(base64.b64decode(body["sealed"])))
    return Response(body, status=stored.status, headers={**stored.headers, "Idempotent-Replayed": "true"})
