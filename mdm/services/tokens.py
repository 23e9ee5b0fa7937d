"""API tokens: made, shown once, checked by hash, revoked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from mdm.errors import CorrectInput, NotAllowed
from mdm.models import ApiToken
from mdm.permissions import actor_of, allows, known_scopes, scopes_of
from mdm.services import audit
from mdm.types import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PREFIX = "mdm_"


def hash_of(plain: str) -> str:
    """SHA-256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(plain.encode()).hexdigest()


@transaction.atomic
def issue(*, owner: User, name: str, scopes: Sequence[str], expires_at: datetime | None = None) -> tuple[ApiToken, str]:
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
        owner=owner,
        name=name,
        scopes=list(scopes),
        prefix=plain[:12],
        hash=hash_of(plain),
        expires_at=expires_at,
    )
    audit.record(
        action="token.issued",
        by=actor_of(owner),
        object_type="token",
        object_uid=token.uid,
        object_label=str(token),
        detail={"scopes": list(scopes)},
    )
    return token, plain


@transaction.atomic
def revoke(*, token: ApiToken, by: Actor) -> ApiToken:
    """End a token at once; revoking twice changes nothing."""
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        audit.record(action="token.revoked", by=by, object_type="token", object_uid=token.uid, object_label=str(token))
    return token
