"""Forms kept in the session, sealed: one sent after the session had ended, and a proposal that was just discarded.

The first waits until the same person has signed in again, then it is sent on; who it belongs to is told by a signed cookie
that outlives the session, so nobody else at the same screen is shown it. The second can be brought back for half an hour.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict

from mdm import crypto

COOKIE, SALT = "mdm_person", "mdm.web.kept_forms"
DAYS = 30
MOST_BYTES = 200_000
_KEY, _ASIDE = "kept_form", "put_aside"
ASIDE_S = 1800
_NEVER = ("/login/", "/logout/", "/admin/")  # what they take is not typed twice willingly, or is secret


@dataclass(frozen=True)
class Kept:
    path: str
    fields: list[tuple[str, str]]


def remember_person(response: HttpResponse, user: Any) -> None:
    response.set_signed_cookie(
        COOKIE,
        str(user.pk),
        salt=SALT,
        max_age=DAYS * 86400,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def keep(request: HttpRequest) -> bool:
    """Keep the form of a stranger who was somebody here before; False when there is nothing to keep.

    Only browsers that send the cookie are heard, and a foreign site cannot make them (SameSite), so nobody can plant
    a form for somebody else to send.
    """
    if request.method != "POST" or request.path.startswith(_NEVER) or "multipart" in (request.content_type or ""):
        return False
    person = request.get_signed_cookie(COOKIE, default="", salt=SALT, max_age=DAYS * 86400)
    length = request.headers.get("Content-Length", "")
    if not person or not length.isdigit() or int(length) > MOST_BYTES:
        return False
    request.session[_KEY] = _sealed({"person": person, "path": request.get_full_path(), "fields": _fields(request)})
    return True


def _fields(request: HttpRequest) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name != "csrfmiddlewaretoken" and isinstance(value, str)
    ]


def _sealed(kept: dict[str, Any]) -> str:
    return base64.b64encode(crypto.seal_bytes(json.dumps(kept).encode())).decode()


def _opened(sealed: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(crypto.open_bytes(base64.b64decode(sealed)))
    return kept


def of(request: HttpRequest) -> Kept | None:
    """What was kept for whoever is signed in now."""
    sealed = request.session.get(_KEY)
    if not sealed:
        return None
    kept = _opened(sealed)
    if kept["person"] != str(request.user.pk):
        return None
    return Kept(kept["path"], [(name, value) for name, value in kept["fields"]])


def forget(request: HttpRequest) -> None:
    request.session.pop(_KEY, None)


def put_aside(request: HttpRequest, type_path: str) -> None:
    """Keep what is discarded; only the last one, of one record type, and nothing huge."""
    fields = _fields(request)
    if sum(len(name) + len(value) for name, value in fields) > MOST_BYTES:
        return
    kept = {"type": type_path, "at": time.time(), "fields": fields}
    request.session[_ASIDE] = _sealed(kept)


def taken_aside(request: HttpRequest, type_path: str) -> QueryDict | None:
    """What was discarded in the last half hour, as it was sent."""
    sealed = request.session.get(_ASIDE)
    kept = _opened(sealed) if sealed else None
    if kept is None or kept["type"] != type_path or time.time() - kept["at"] > ASIDE_S:
        return None
    return QueryDict(urlencode([tuple(field) for field in kept["fields"]]))


def drop_aside(request: HttpRequest) -> None:
    request.session.pop(_ASIDE, None)
