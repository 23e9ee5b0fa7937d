"""Reading JSON bodies: size, media type, depth, and characters the database cannot hold, refused before anything else."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, TypeVar

from django.conf import settings
from pydantic import BaseModel, ValidationError
from rest_framework.request import Request

from mdm.api.operations import Operation
from mdm.api.problems import Unsupported
from mdm.errors import CorrectInput, TooLarge
from mdm.types import Problem

DEPTH = 32
ITEMS = 200_000  # values in one body
Shape = TypeVar("Shape", bound=BaseModel)


class Malformed(CorrectInput):
    """Send well-formed JSON."""

    code = "malformed"


def media_of(request: Request) -> str:
    return str(request.META.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()


def check_size(request: Request, limit: int | None) -> None:
    """By the length announced, before a byte is read."""
    most = limit or settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise Malformed("Content-Length is not a number.") from None
    if length > most:
        raise TooLarge(f"The body has {length:,} bytes; this call takes at most {most:,}.")


def check_media(request: Request, spec: Operation) -> None:
    media = media_of(request)
    if media not in spec.media():
        raise Unsupported(f"Send the body as {' or '.join(spec.media())}; you sent {media[:80] or 'no Content-Type'}.")


def read_json(request: Request, spec: Operation) -> Any:
    """The parsed body; None when there is none and the call can do without."""
    raw: bytes = request._request.body
    if not raw.strip():
        if spec.body_required:
            raise Malformed("Send a JSON object.")
        return None
    check_media(request, spec)
    try:
        value = json.loads(raw, parse_constant=_refuse, parse_float=_number)
    except RecursionError:
        raise Malformed(f"This JSON is nested more than {DEPTH} levels deep.") from None
    except ValueError as error:  # also UnicodeDecodeError, and integers of thousands of digits
        raise Malformed(f"This is not well-formed JSON: {str(error)[:200]}") from None
    _check(value)
    return value


def read_closed(request: Request, spec: Operation, shape: type[Shape]) -> Shape | None:
    """The body by its shape alone, in a third of the time; None when it must be read by `read_json`, which also has the
    words for what is wrong. Without escapes there are no characters that are no text: UTF-8 has none."""
    raw: bytes = request._request.body
    if b"\\u" in raw or len(raw) > 2 * ITEMS or media_of(request) not in spec.media():
        return None
    try:
        return shape.model_validate_json(raw)
    except ValidationError:
        return None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _check(value: Any) -> None:
    """Depth, number of values, and text that PostgreSQL cannot store; without recursion, and nearly as fast as parsing:
    a path is made only of what holds others or is refused."""
    stack: list[tuple[Any, int, str]] = [([value], 0, "")]
    seen = 0
    while stack:
        here, depth, path = stack.pop()
        if depth > DEPTH:
            raise Malformed(f"This JSON is nested more than {DEPTH} levels deep.")
        seen += len(here)
        if seen > ITEMS:
            raise TooLarge(f"The body holds more than {ITEMS:,} values.")
        for key, item in here.items() if isinstance(here, dict) else enumerate(here):
            if isinstance(key, str):
                check_text(key, path)
            kind = type(item)
            if kind is str:
                if not item.isascii() or "\x00" in item:
                    check_text(item, _below(path, key, depth))
            elif kind is dict or kind is list:
                stack.append((item, depth + 1, _below(path, key, depth)))
            elif kind is int and item.bit_length() > 64:
                problem = Problem(_below(path, key, depth), "too_large", "This number is too large.")
                raise Malformed("A number is too large.", problems=[problem])


def _below(path: str, key: str | int, depth: int) -> str:
    """The body itself has no path; it is looked at as if it stood in a list."""
    return f"{path}/{key}".lstrip("/") if depth else ""


_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


def check_text(text: str, path: str) -> None:
    if _NO_TEXT.search(text):
        clean = path.encode("utf-8", "replace").decode().replace("\x00", "")
        problem = Problem(clean, "control_character", "Remove the characters that are no text from this value.")
        raise Malformed("A text holds characters that are no text.", problems=[problem])
