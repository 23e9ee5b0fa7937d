"""A form sent after the session had ended: kept, sealed, until the same person has signed in again, then sent on.

Who it belongs to is told by a signed cookie that outlives the session, so nobody else at the same screen is shown it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from mdm import crypto

COOKIE, SALT = "mdm_person", "mdm.web.kept_forms"
DAYS = 30
MOST_BYTES = 200_000
_KEY = "kept_form"
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
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name != "csrfmiddlewaretoken" and isinstance(value, str)
    ]
    kept = {"person": person, "path": request.get_full_path(), "fields": fields}
    request.session[_KEY] = base64.b64encode(crypto.seal_bytes(json.dumps(kept).encode())).decode()
    return True


def of(request: HttpRequest) -> Kept | None:
    """What was kept for whoever is signed in now."""
    sealed = request.session.get(_KEY)
    if not sealed:
        return None
    kept = json.loads(crypto.open_bytes(base64.b64decode(sealed)))
    if kept["person"] != str(request.user.pk):
        return None
    return Kept(kept["path"], [(name, value) for name, value in kept["fields"]])


def forget(request: HttpRequest) -> None:
    request.session.pop(_KEY, None)
