"""Optimistic concurrency: ETag on every record, If-Match for changes (428 without, 412 when stale), 304 for reads."""

from __future__ import annotations

import re

from rest_framework.request import Request

from mdm.errors import HubError, StaleVersion

_TAG = re.compile(r'\s*(W/)?"([^"]*)"\s*')


class SayVersion(HubError):
    """Send If-Match with the ETag of what you read."""

    code, status = "precondition_required", 428


def quote(version: object) -> str:
    return f'"{version}"'


def _named(header: str) -> list[str]:
    return [match[2] for part in header.split(",") if (match := _TAG.fullmatch(part))]


def require(request: Request, version: object) -> None:
    """The caller must name the version it saw; a weak tag never matches here (RFC 9110 §13.1.1)."""
    header = request.headers.get("If-Match", "").strip()
    if not header:
        raise SayVersion("Send If-Match with the ETag of the version you read.")
    strong = ",".join(part for part in header.split(",") if not part.strip().startswith("W/"))
    if header != "*" and str(version) not in _named(strong):
        text = f"This is at version {version} now; you named {header[:80]}. Read it again."
        raise StaleVersion(text, current=str(version))


def unchanged(request: Request, version: object) -> bool:
    """True when the caller holds this version already (304)."""
    header = request.headers.get("If-None-Match", "").strip()
    return bool(header) and (header == "*" or str(version) in _named(header))
