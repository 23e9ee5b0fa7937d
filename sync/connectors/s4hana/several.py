"""Owns several suppliers in one `$batch`: looked for, made each in a changeset of its own, read back.

A changeset is a unit of work at SAP: what it is refused with is its own answer, and the others are made all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sync.connectors.s4hana.entities import HEAD, SETS
from sync.connectors.s4hana.odata import JSON, Session, address, key_of
from sync.errors import Ambiguous, Refused, Separately, SyncError
from sync.http import Response
from sync.multipart import Part
from sync.protocol import Exchange, Push

Options = Mapping[str, str]
Question = tuple[str, Options]  # an address below the service and its options
Body = Mapping[str, Any]
_UNREADABLE = "The target's answer cannot be read."


@dataclass(frozen=True)
class Made:
    """What became of one of them: its key, or what was wrong."""

    key: str
    error: SyncError | None
    said: tuple[Exchange, ...]


class Several:
    def __init__(self, session: Session) -> None:
        self.session, self.client = session, session.client

    def found(self, asked: Sequence[Sequence[Question]]) -> list[bool]:
        """For each: may one of its questions find anything? All may where SAP refuses to be asked about several."""
        try:
            contents = iter(self._read([question for questions in asked for question in questions]))
        except Refused:
            return [True] * len(asked)
        hits = [[bool(next(contents).get("results")) for _ in questions] for questions in asked]
        return [any(hit) for hit in hits]

    def make(self, pushes: Sequence[Push], bodies: Sequence[Body]) -> list[Made]:
        """One for each body, in order. Raises nothing."""
        if not bodies:
            return []
        parts = [[_insert(push, body)] for push, body in zip(pushes, bodies, strict=True)]
        try:
            answers = self.session.batch(parts, writes=True)
        except SyncError as error:
            each = _of_one(error)
            return [Made("", each, self.client.part(body)) for body in bodies]
        made = [self._made(body, answer) for body, answer in zip(bodies, answers, strict=True)]
        if not any(one.key or isinstance(one.error, Ambiguous) for one in made):
            self.client.undone()
        return made

    def shown(self, keys: Sequence[str], options: Options) -> dict[str, dict[str, Any]]:
        """Business partners by key; nothing when one cannot be read: they are made all the same, and are looked at singly."""
        addresses = [f"{HEAD}({key_of(SETS[HEAD].keys, {'BusinessPartner': key})})" for key in keys]
        try:
            return dict(zip(keys, self._read([(path, options) for path in addresses]), strict=True))
        except SyncError:
            return {}

    def _read(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """What `d` holds in the answer to each."""
        if not questions:
            return []
        parts = [Part(f"GET {address(*question)} HTTP/1.1", JSON) for question in questions]
        responses = [self._response(answer) for answer in self.session.batch(parts, writes=False)]
        if failed := next((one for one in responses if one.status != 200), None):
            raise self.client.failure(failed)
        contents = [self.session.content(response) for response in responses]
        if not all(isinstance(content, dict) for content in contents):
            raise self.client.lost(_UNREADABLE)
        return contents

    def _made(self, body: Body, answer: Part | list[Part]) -> Made:
        said = self.client.part(body)
        try:
            response = self._response(answer)
            said = tuple(replace(one, status=response.status) for one in self.client.part(body, _shown(response)))
            if not 200 <= response.status < 300:
                raise self.client.failure(response)
            content = self.session.content(response)
            key = str(content.get("BusinessPartner") or "") if isinstance(content, dict) else ""
            if not key:
                raise self.client.lost("The answer to the create names no business partner.")
        except SyncError as error:
            return Made("", error, said)
        return Made(key, None, said)

    def _response(self, answer: Part | list[Part]) -> Response:
        """A changeset that was done is answered by one of one request, any other by a single answer in its place."""
        try:
            (part,) = answer if isinstance(answer, list) else [answer]
            return Response(part.status, part.headers, part.body)
        except ValueError:
            raise self.client.lost(_UNREADABLE) from None


def _insert(push: Push, body: Body) -> Part:
    """Without Content-ID: nothing refers to it, and a service that takes its changesets one by one refuses any."""
    content = json.dumps(body, ensure_ascii=False).encode()
    marks = {"Idempotency-Key": push.idempotency_key, "X-Correlation-ID": push.correlation_id}
    headers = {**JSON, "Content-Type": "application/json", "Content-Length": str(len(content))}
    headers |= {name: value for name, value in marks.items() if value}
    return Part(f"POST {HEAD} HTTP/1.1", headers, content)


def _of_one(error: SyncError) -> SyncError:
    """A batch that is refused as a whole says nothing of any supplier: a system may take none at all."""
    if isinstance(error, Refused):
        return Separately(f"Requests of several are not taken: each goes alone. {error.message}", status=error.status)
    return error


def _shown(response: Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text()
