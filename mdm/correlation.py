"""One id that follows a request to its event, deliveries, attempts and the target; echoed on every answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

_current: ContextVar[str] = ContextVar("correlation_id", default="")
_SAFE = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def current() -> str:
    """The id of the work going on, a fresh one when nothing set it."""
    value = _current.get()
    if not value:
        value = str(uuid.uuid4())
        _current.set(value)
    return value


def adopt(value: str) -> str:
    """Continue under an id that came from outside; anything unsafe for a header or log line is replaced."""
    safe = value if _SAFE.fullmatch(value or "") else str(uuid.uuid4())
    _current.set(safe)
    return safe


class CorrelationMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        value = adopt(request.headers.get("X-Correlation-ID", ""))
        response = self.get_response(request)
        response["X-Correlation-ID"] = value
        if parent := request.headers.get("traceparent"):
            response["traceparent"] = parent if re.fullmatch(r"[0-9a-f-]{1,64}", parent) else ""
        return response
