"""Owns the sandbox's `$batch`: several requests of API_BUSINESS_PARTNER in one, each answered as if it came alone.

[batch] help.sap.com, SAP Gateway Foundation, “$batch Processing”: reads and changesets in their order, 202 for the whole;
[luw] SAP Knowledge Base 3359766: each changeset is a unit of work, and one that fails stops no other;
[odata] odata.org, OData 2.0, “Batch Processing”: one error stands in the place of a changeset that failed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from sync.connectors.s4hana.entities import SERVICE
from sync.multipart import Part, content_type, read, write
from sync.sandbox import Fail, Request, Response
from sync.sandbox_store import Store

BATCH = f"{SERVICE}/$batch"
Alone = Callable[[Request], Response]


def is_batch(request: Request) -> bool:
    return request.method == "POST" and request.path == BATCH


def only_reads(request: Request) -> bool:
    """Whether it is a batch without changesets."""
    try:
        return is_batch(request) and not any(isinstance(item, list) for item in _items(request))
    except Fail:
        return False


def answer(request: Request, alone: Alone, store: Store) -> Response:
    """[batch] Everything in its order; a changeset is one transaction. Fail when the whole cannot be read: then nothing
    was done."""
    answers = [
        _changeset(request, item, alone, store) if isinstance(item, list) else _answered(alone(_inner(request, item)))
        for item in _checked(request)
    ]
    boundary = secrets.token_hex(16).upper()
    headers = {"Content-Type": content_type(boundary), "dataserviceversion": "2.0"}
    return Response(202, write(answers, boundary), headers)


class _Undone(Exception):
    def __init__(self, response: Response) -> None:
        self.response = response


def _changeset(request: Request, parts: list[Part], alone: Alone, store: Store) -> Part | list[Part]:
    """[luw] All of it or nothing, whatever becomes of the others."""
    answers = []
    try:
        with store.transaction():
            for part in parts:
                response = alone(_inner(request, part))
                if response.status >= 400:
                    raise _Undone(response)
                answers.append(_answered(response, part.content_id))
    except _Undone as undone:
        return _answered(undone.response)  # [odata]
    return answers


def _items(request: Request) -> list[Part | list[Part]]:
    try:
        return read(request.header("content-type"), request.body)
    except ValueError as error:
        raise Fail(400, f"Malformed batch request: {error}") from None


def _checked(request: Request) -> list[Part | list[Part]]:
    """[batch] Changesets hold no reads, and what changes something stands in a changeset."""
    items = _items(request)
    for item in items:
        within = isinstance(item, list)
        for part in item if isinstance(item, list) else [item]:
            method = _inner(request, part).method
            if (method == "GET") == within:
                raise Fail(400, f"{method} is not allowed {'within' if within else 'outside of'} a changeset")
    return items


def _inner(request: Request, part: Part) -> Request:
    """[odata] Its address is absolute, or below the service."""
    method, _, rest = part.first_line.partition(" ")
    target, _, version = rest.partition(" ")
    url = urlsplit(target)
    path = url.path if url.path.startswith("/") else f"{SERVICE}/{url.path}"
    if not version.startswith("HTTP/") or not path.startswith(f"{SERVICE}/"):
        raise Fail(400, f"Malformed request line in a batch: {part.first_line}")
    return Request(method, f"{path}?{url.query}", part.headers, part.body, request.base_url)


def _answered(response: Response, content_id: str = "") -> Part:
    body = response.encoded()
    headers = {"Content-Type": "application/json;charset=utf-8"} if body else {}
    headers |= {**response.headers, "Content-Length": str(len(body)), "dataserviceversion": "2.0"}
    return Part(f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}", headers, body, content_id)
