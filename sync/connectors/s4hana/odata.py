"""Owns OData V2 as SAP Gateway speaks it: addresses, CSRF tokens with their session, ETags, error bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from sync.errors import FieldProblem
from sync.http import Client, Response
from sync.multipart import Part, Parts, content_type, read, write

JSON = {"Accept": "application/json"}
FORBIDDEN, NOT_FOUND = 403, 404
_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d+)?\)/$")


class Session:
    """One cookie session with one service; the CSRF token belongs to it and is fetched before a write."""

    def __init__(self, client: Client, service: str) -> None:
        self.client, self.service = client, service.rstrip("/")
        self._csrf = ""

    def get(self, path: str, options: Mapping[str, str] | None = None) -> Any:
        """The content of `d`, None when there is nothing at that address."""
        url = f"{self.service}/{address(path, options)}"
        response = self.client.request("GET", url, headers=JSON, accept={NOT_FOUND})
        return None if response.status == NOT_FOUND else self.content(response)

    def results(self, path: str, options: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        found = self.get(path, options)
        return list(found.get("results", [])) if isinstance(found, dict) else []

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create; the created entity."""
        response = self._write("POST", path, {}, json=dict(body))
        content = self.content(response)
        if not isinstance(content, dict):
            raise self.client.unreadable(response)
        return content

    def patch(self, path: str, body: Mapping[str, Any], etag: str) -> None:
        """Change only what is in `body`, if the entity is still as we read it (`*` where it has no ETag)."""
        self._write("PATCH", path, {"If-Match": etag or "*"}, json=dict(body))

    def batch(self, parts: Parts, *, writes: bool) -> list[Part | list[Part]]:
        """Several requests in one; an answer for each, in their order."""
        boundary = f"batch_{uuid4().hex}"
        headers = {"Content-Type": content_type(boundary), "Accept": "multipart/mixed"}
        response = self._write("POST", "$batch", headers, content=write(parts, boundary), writes=writes)
        try:
            answers = read(response.header("content-type"), response.body)
        except ValueError:
            answers = []
        if len(answers) != len(parts):  # its body speaks of all of them, and is nobody's evidence
            raise self.client.lost("The target's answer cannot be read.", status=response.status)
        return answers

    def content(self, response: Response) -> Any:
        """What `d` holds."""
        if not response.body:
            return None
        try:
            return response.json()["d"]
        except (ValueError, KeyError, TypeError):
            raise self.client.unreadable(response) from None

    def _write(self, method: str, path: str, headers: Mapping[str, str], **body: Any) -> Response:
        for attempt in (1, 2):
            if not self._csrf:
                self._fetch_csrf()
            sent = {**JSON, **headers, "X-CSRF-Token": self._csrf}
            url = f"{self.service}/{path}"
            response = self.client.request(method, url, headers=sent, accept={FORBIDDEN}, **body)
            if response.status != FORBIDDEN:
                return response
            if response.header("x-csrf-token").lower() != "required" or attempt == 2:
                break
            self._csrf = ""  # the session ended; nothing was done, so it may be sent again
        raise self.client.failure(response)

    def _fetch_csrf(self) -> None:
        headers = {**JSON, "X-CSRF-Token": "Fetch"}
        self._csrf = self.client.request("GET", f"{self.service}/", headers=headers).header("x-csrf-token")


def address(path: str, options: Mapping[str, str] | None = None) -> str:
    """Below the service, with its system query options."""
    query = "&".join(f"${name}={quote(value, safe=',/()')}" for name, value in (options or {}).items())
    return f"{path}?{query}" if query else path


def literal(value: Any) -> str:
    """A string in a filter or a key: quotes are doubled."""
    return "'" + str(value).replace("'", "''") + "'"


def key_of(names: tuple[str, ...], entity: Mapping[str, Any]) -> str:
    """`'0000012345'` for one key, `BusinessPartner='1',BankIdentification='0001'` for several."""
    if len(names) == 1:
        return quote(literal(entity.get(names[0], "")), safe="'")
    return ",".join(f"{name}={_key_literal(entity.get(name))}" for name in names)


def address_of(name: str, keys: tuple[str, ...], entity: Mapping[str, Any]) -> str:
    """Where an entity is written to: as the system itself says it, else built from its keys."""
    uri = str((entity.get("__metadata") or {}).get("uri", ""))
    segment = uri.rpartition("/")[2]
    return segment if segment.startswith(f"{name}(") else f"{name}({key_of(keys, entity)})"


def iso(value: str) -> str:
    """`/Date(0)/` -> `1970-01-01`; with the time when it is not midnight; other texts as they are."""
    found = _DATE.match(value)
    if not found:
        return value
    try:
        moment = datetime.fromtimestamp(int(found[1]) / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return value
    midnight = moment.time().isoformat() == "00:00:00"
    return moment.date().isoformat() if midnight else moment.replace(tzinfo=None).isoformat("T", "seconds")


def _key_literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith("/Date("):
        moment = iso(value)
        return "datetime" + quote(literal(moment if "T" in moment else f"{moment}T00:00:00"), safe="'")
    return quote(literal("" if value is None else value), safe="'")


def explain(response: Response) -> tuple[str, tuple[FieldProblem, ...]]:
    """SAP's own words: the message, and every detail with the property it is about."""
    try:
        answer = json.loads(response.body)
        error = answer["error"]
    except (ValueError, KeyError, TypeError):
        return "", ()
    if not isinstance(error, dict):  # the token endpoint speaks OAuth2, not OData
        return str(answer.get("error_description") or error), ()
    message = error.get("message", "")
    words = str(message.get("value", "") if isinstance(message, dict) else message)
    inner = error.get("innererror")
    details = inner.get("errordetails", []) if isinstance(inner, dict) else []
    problems = tuple(
        FieldProblem(
            field=str(detail.get("propertyref") or detail.get("target") or ""),
            code=str(detail.get("code", "")),
            message=str(detail.get("message", "")),
        )
        for detail in details
        if isinstance(detail, dict) and detail.get("severity", "error") == "error"
    )
    return words, problems or (FieldProblem(str(error.get("target") or ""), str(error.get("code", "")), words),)
