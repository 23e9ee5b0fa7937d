"""Every error as `application/problem+json` (RFC 9457): the hub's own, the REST framework's, Django's, and the unforeseen."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from pydantic import ValidationError
from rest_framework import exceptions
from rest_framework.response import Response

from mdm import correlation
from mdm.errors import CorrectInput, HubError
from mdm.types import Problem

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("mdm.api")

_WORDS = {
    "missing": "This field is needed.",
    "extra_forbidden": "There is no such field.",
    "string_type": "This must be text.",
    "bool_parsing": "This must be true or false.",
    "bool_type": "This must be true or false.",
    "int_parsing": "This must be a whole number.",
    "int_type": "This must be a whole number.",
    "float_parsing": "This must be a number.",
    "float_type": "This must be a number.",
    "date_parsing": "This must be a date such as 2026-01-31.",
    "date_from_datetime_parsing": "This must be a date such as 2026-01-31.",
    "datetime_parsing": "This must be a time such as 2026-01-31T12:00:00Z.",
    "datetime_from_date_parsing": "This must be a time such as 2026-01-31T12:00:00Z.",
    "timezone_aware": "Say the time zone: 2026-01-31T12:00:00Z.",
    "uuid_parsing": "This must be a uid.",
    "uuid_type": "This must be a uid.",
    "list_type": "This must be a list.",
    "dict_type": "This must be an object.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
}


class Unsupported(HubError):
    """Send the body in a media type this call takes."""

    code, status = "unsupported_media_type", 415


class NoSuchCall(HubError):
    """Look at /api/v1/docs/: no call has this address."""

    code, status = "no_such_call", 404


def answer(
    status: int,
    code: str,
    detail: str,
    *,
    path: str = "",
    problems: Iterable[Problem] = (),
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> Response:
    """The one shape of an error. `code` is stable; `errors` say where, in the paths of the body that was sent."""
    body: dict[str, Any] = {
        "type": f"urn:mdm:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
        "code": code,
        "errors": [problem.as_json() for problem in problems],
        "correlation_id": correlation.current(),
    }
    for name, value in extra.items():
        body.setdefault(name, value)
    return Response(body, status=status, headers=headers, content_type=MEDIA_TYPE)


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """What the REST framework asks for every exception: nothing leaves as HTML, nothing shows a stack trace."""
    request = context.get("request")
    path = request.path if request is not None else ""
    if isinstance(error, HubError):
        if error.status >= 500:
            log.error("A call broke a wall of the hub: %s", error.message, exc_info=error)
        extra = {
            name: value for name, value in error.extra.items() if isinstance(value, str | int | float | bool | list)
        }
        headers = {"Retry-After": str(extra["retry_after"])} if "retry_after" in extra else None
        return answer(
            error.status, error.code, error.message, path=path, problems=error.problems, headers=headers, **extra
        )
    if isinstance(error, exceptions.APIException):
        return _of_framework(error, path)
    return _of_django(error, path)


def _of_framework(error: exceptions.APIException, path: str) -> Response:
    headers: dict[str, str] = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(max(1, int(wait)))
    code = {
        "NotAuthenticated": "not_authenticated",
        "AuthenticationFailed": "not_authenticated",
        "MethodNotAllowed": "method_not_allowed",
        "Throttled": "throttled",
        "ParseError": "malformed",
        "UnsupportedMediaType": "unsupported_media_type",
        "PermissionDenied": "not_allowed",
    }.get(type(error).__name__, str(getattr(error, "default_code", "error")))
    detail = error.detail if isinstance(error.detail, str) else "This call was refused."
    return answer(error.status_code, code, detail, path=path, headers=headers)


def _of_django(error: Exception, path: str) -> Response:
    if isinstance(error, Http404):
        return answer(404, "not_found", "There is no such thing.", path=path)
    if isinstance(error, PermissionDenied):
        return answer(403, "not_allowed", str(error) or "You may not do this.", path=path)
    if isinstance(error, RequestDataTooBig):
        return answer(413, "too_large", "The body is larger than this call takes.", path=path)
    if isinstance(error, SuspiciousOperation | BadRequest | MultiPartParserError | UnreadablePostError):
        return answer(400, "malformed", "This request is malformed.", path=path)
    if isinstance(error, IntegrityError):
        log.warning("A call met a database rule: %s", error)
        text = "Somebody changed the same thing at the same moment. Read it again, then repeat the call."
        return answer(409, "conflict", text, path=path)
    if isinstance(error, OperationalError | InterfaceError):
        log.error("The database does not answer: %s", error)
        text = "The database does not answer. Nothing was changed; try again."
        return answer(503, "unavailable", text, path=path, headers={"Retry-After": "5"})
    kind = "The database refused a call" if isinstance(error, DatabaseError) else "A call failed"
    log.error(kind, exc_info=error)
    text = "The hub made a mistake; nothing was changed. Its log has the details under the correlation id."
    return answer(500, "internal", text, path=path)


def problems_of(error: ValidationError) -> list[Problem]:
    """What pydantic found, in our words, under paths such as `items/0/uid`."""
    found = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        path = "/".join(str(step) for step in item["loc"])
        found.append(Problem(path, item["type"], _WORDS.get(item["type"], item["msg"])))
    return found


def correct(problems: list[Problem]) -> CorrectInput:
    words = "One value needs correction." if len(problems) == 1 else f"{len(problems)} values need correction."
    return CorrectInput(words, problems=problems)
