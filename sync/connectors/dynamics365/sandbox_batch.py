"""Owns the `$batch` of the sandbox of Dynamics 365: requests in a body, one by one, and changesets as a whole.

[batch] learn.microsoft.com, fin-ops-core, data-entities/odata, *Batch requests* and *Run multiple requests in a single
transaction* (a changeset is run successfully as a whole, or none of it); the form is that of OData Version 4.0 Part 1
Plus Errata 02, which that page names: 11.7 Batch Requests, 8.2.8.3 odata.continue-on-error.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from sync import multipart
from sync.multipart import Part, Parts
from sync.sandbox import Fail, Request, Response, Sandbox
from sync.sandbox_store import Cause
from sync.sandbox_wire import planned_refusal

ADDRESS = "/data/$batch"
_WRITES = re.compile(rb"^(POST|PUT|PATCH|DELETE) ", re.M)


class BatchRoute(Sandbox):
    """No `@route`, which would be one transaction: every request is one of its own, and every changeset is."""

    heeds_preference = True  # odata.continue-on-error
    encloses_errors = False  # as Microsoft's library writes a failed changeset: a multipart with its error alone

    def is_read(self, request: Request) -> bool:
        if request.path == ADDRESS:
            return not _WRITES.search(request.body)
        return super().is_read(request)

    def next_fault(self, request: Request) -> str:
        """A batch that only reads counts as a GET: faults speak of reads and writes by their verbs."""
        verb = "GET" if self.is_read(request) else request.method
        return super().next_fault(Request(verb, request.target, request.headers, request.body))

    def answer(self, request: Request) -> Response:
        if (request.method, request.path) != ("POST", ADDRESS):
            return super().answer(request)
        try:
            return self._batch(request)
        except Fail as fail:
            return self.error(fail)

    def _batch(self, request: Request) -> Response:
        """[batch] 11.7.4: 200 and one answer for each in their order; an error ends it unless the client prefers to
        go on."""
        try:
            parts = multipart.read(request.header("content-type"), request.body)
        except ValueError as error:
            raise Fail(400, f"The batch cannot be read: {error}", code="odata") from None
        goes_on = self.heeds_preference and "odata.continue-on-error" in request.header("prefer")
        answers: list[Part | list[Part]] = []
        for part in parts:
            answers.append(self._changeset(part, request) if isinstance(part, list) else self._alone(part, request))
            if not goes_on and _failed(answers[-1]):
                break
        return _written(answers)

    def _alone(self, part: Part, around: Request) -> Part:
        request = self._request(part, around)
        return self._answered(request, self.next_fault(request), part.content_id)

    def _request(self, part: Part, around: Request) -> Request:
        """[batch] 11.7.2: the address is absolute, or begins at the server or at the service."""
        method, _, rest = part.first_line.partition(" ")
        address = urlsplit(urljoin(around.base_url + ADDRESS, rest.rpartition(" ")[0]))
        target = f"{address.path}?{address.query}" if address.query else address.path
        return Request(method, target, part.headers, part.body, around.base_url)

    def _answered(self, request: Request, fault: str, content_id: str) -> Part:
        """As it would be answered alone; of the planned faults those that are a plain answer."""
        answered = planned_refusal(self, fault) or super().answer(request)
        headers = {"Content-Type": "application/json;charset=utf-8", "OData-Version": "4.0", **answered.headers}
        line = f"HTTP/1.1 {answered.status} {HTTPStatus(answered.status).phrase}"
        return Part(line, headers, answered.encoded(), content_id)

    def _changeset(self, parts: Sequence[Part], around: Request) -> Part | list[Part]:
        """[batch] 11.7.4: one that fails is answered by a single error, and leaves nothing."""
        requests = [self._request(part, around) for part in parts]
        faults = [self.next_fault(request) for request in requests]  # before the transaction, which may be undone
        first = requests[0]
        cause = Cause("POST", ADDRESS, first.header(self.key_header), first.header("x-correlation-id"))
        made: list[Part] = []
        try:
            with self.store.transaction(cause):
                _check(parts)
                for part, request, fault in zip(parts, requests, faults, strict=True):
                    made.append(self._answered(request, fault, part.content_id))
                    if made[-1].status >= 400:
                        raise _Undone
        except _Undone:
            return made[-1:] if self.encloses_errors else made[-1]
        except Fail as fail:
            return Part(f"HTTP/1.1 {fail.status} Bad Request", {}, self.error(fail).encoded())
        return made


class _Undone(Exception):
    """A changeset has failed."""


def _check(parts: Sequence[Part]) -> None:
    """[batch] 11.7.3: what may stand in a changeset."""
    ids = {part.content_id for part in parts} - {""}
    if len(ids) != len(parts):
        raise Fail(400, "Each request in a changeset has a Content-ID of its own.", code="odata")
    if any(part.first_line.startswith("GET ") for part in parts):
        raise Fail(400, "A changeset holds no request that only reads.", code="odata")


def _failed(answer: Part | list[Part]) -> bool:
    return any(part.status >= 400 for part in (answer if isinstance(answer, list) else [answer]))


def _written(answers: Parts) -> Response:
    boundary = f"batchresponse_{uuid.uuid4()}"
    return Response(200, multipart.write(answers, boundary), {"Content-Type": multipart.content_type(boundary)})
