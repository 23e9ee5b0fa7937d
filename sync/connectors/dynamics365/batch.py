"""Owns Finance's `$batch`: several requests in one, each answered by itself.

What makes one thing goes into one changeset, which Finance applies as a whole or not at all; changesets stand and fall
by themselves.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

from sync import multipart
from sync.connectors.dynamics365.wire import LIST_LIMIT, NOT_FOUND, ROOT, Api
from sync.errors import Ambiguous, Separately, SyncError
from sync.http import Response
from sync.multipart import Part, Parts
from sync.protocol import Exchange

ADDRESS = f"{ROOT}/$batch"
_ENTITY = {"Accept": "application/json;odata.metadata=minimal", "OData-Version": "4.0"}
Answered = Part | list[Part]


class Changeset(NamedTuple):
    """`entities`: (entity set, what to make in it); `headers` go with each."""

    entities: Sequence[tuple[str, Mapping[str, Any]]]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Made:
    """What became of a changeset: `error` when nothing of it was made, or nobody knows; its own piece of what was said."""

    error: SyncError | None
    said: tuple[Exchange, ...]


class Batch:
    def __init__(self, api: Api) -> None:
        self._api, self._client = api, api.client

    def get(self, urls: Sequence[str]) -> list[Response]:
        """What stands at these addresses, in their order; not found is an answer, every other refusal is raised."""
        if not urls:
            return []
        parts = [Part(f"GET {self._client.url(url)} HTTP/1.1", _ENTITY) for url in urls]
        response, found = self._send(parts, writes=False)
        answers = [_response(item) for item in found if isinstance(item, Part)]
        if bad := next((one for one in answers if one.status >= 300 and one.status != NOT_FOUND), None):
            raise self._client.failure(bad)
        if len(answers) != len(urls):
            raise self._unreadable(response)
        return answers

    def create(self, changesets: Sequence[Changeset]) -> list[Made]:
        """Raises nothing: what the whole request fails with is said of each."""
        if not changesets:
            return []
        numbers = map(str, count(1))  # a number of its own for every request in the body
        parts = [list(self._creations(changeset, numbers)) for changeset in changesets]
        try:
            response, found = self._send(parts, writes=True)
        except SyncError as error:
            return [Made(error, self._said(changeset)) for changeset in changesets]
        ended = bool(found) and _failed(found[-1]) is not None
        missing: list[Answered | None] = [None] * (len(parts) - len(found))
        made = [
            Made(self._error(sent, answered, response, ended), self._said(changeset, answered))
            for changeset, sent, answered in zip(changesets, parts, [*found, *missing], strict=True)
        ]
        if not any(one.error is None or isinstance(one.error, Ambiguous) for one in made):
            self._client.undone()
        return made

    def _creations(self, changeset: Changeset, numbers: Iterator[str]) -> Iterator[Part]:
        headers = {"Content-Type": "application/json", **_ENTITY, **changeset.headers}
        for entity_set, entity in changeset.entities:
            line = f"POST {self._client.url(self._api.url(entity_set))} HTTP/1.1"
            yield Part(line, headers, json.dumps(entity, ensure_ascii=False).encode(), next(numbers))

    def _send(self, parts: Parts, *, writes: bool) -> tuple[Response, list[Answered]]:
        """An answer that is not whole is one that cannot be read, for all of them."""
        boundary = f"batch_{uuid.uuid4()}"
        headers = {
            "Content-Type": multipart.content_type(boundary),
            "Accept": "multipart/mixed",
            "Prefer": "odata.continue-on-error",
        }
        content = multipart.write(parts, boundary)
        response = self._client.request(
            "POST", ADDRESS, content=content, headers=headers, writes=writes, max_body=LIST_LIMIT
        )
        try:
            found = multipart.read(response.header("content-type"), response.body)
            readable = len(found) <= len(parts) and all(one.status for item in found for one in _each(item))
        except ValueError:
            readable = False
        if not readable:
            raise self._unreadable(response)
        return response, found

    def _error(self, sent: list[Part], answered: Answered | None, response: Response, ended: bool) -> SyncError | None:
        """`ended`: the last thing that was answered is an error."""
        if answered is None and ended:  # as documented of a server that does not go on after one
            return Separately("Finance stopped at another record of the same request: each goes alone.")
        ours = {"", *(one.content_id for one in sent)}
        if answered is None or any(one.content_id not in ours for one in _each(answered)):
            return self._unreadable(response)
        if failed := _failed(answered):
            return self._client.failure(_response(failed))
        return None if len(_each(answered)) == len(sent) else self._unreadable(response)

    def _unreadable(self, response: Response) -> SyncError:
        """Without the body: what is said of one shows nothing of the others."""
        return self._client.lost("The target's answer cannot be read.", status=response.status)

    def _said(self, changeset: Changeset, answered: Answered | None = None) -> tuple[Exchange, ...]:
        request = [{"method": "POST", "url": name, "body": dict(entity)} for name, entity in changeset.entities]
        return self._client.part(request, None if answered is None else [_shown(one) for one in _each(answered)])


def _each(answered: Answered) -> list[Part]:
    return answered if isinstance(answered, list) else [answered]


def _failed(answered: Answered) -> Part | None:
    """The error that stands for all of a changeset: in its place, as OData has it, or within it, as Microsoft's own
    library writes it."""
    return next((one for one in _each(answered) if one.status >= 300), None)


def _response(part: Part) -> Response:
    return Response(part.status, part.headers, part.body)


def _shown(part: Part) -> dict[str, Any]:
    text = part.body.decode("utf-8", "replace")
    try:
        return {"status": part.status, "body": json.loads(text) if text else None}
    except ValueError:
        return {"status": part.status, "body": text}
