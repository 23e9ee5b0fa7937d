"""API tokens: made, shown once, checked by hash, revoked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mdm.errors import CorrectInput, NotAllowed
from mdm.models import ApiToken
from mdm.permissions import allows, known_scopes, scopes_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PREFIX = "mdm_"


def hash_of(plain: str) -> str:
    """SHA-256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(plain.encode()).hexdigest()


def issue(
    *, owner: User, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new token and its plain text, which nobody can see again. A token never has a scope its owner lacks."""
    known = set(known_scopes())
    unknown = [scope for scope in scopes if scope not in known]
    if unknown:
        raise CorrectInput("There is no scope " + ", ".join(unknown) + ".")
    own = scopes_of(owner)
    beyond = [scope for scope in scopes if not allows(own, scope)]
    if beyond:
        raise NotAllowed("You do not have " + ", ".join(beyond) + " yourself.")
    plain = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        owner=owner, name=name, scopes=list(scopes), prefix=plain[:12], hash=hash_of(plain), expires_at=expires_at
    )
    return token, plain
