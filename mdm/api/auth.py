"""Who calls: bearer tokens and web sessions, their scopes, and the refusal when a call needs another scope."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from mdm import permissions
from mdm.errors import NotAllowed
from mdm.models import ApiToken, EntityScope
from mdm.services.tokens import hash_of
from mdm.types import Actor

CHALLENGE = 'Bearer realm="mdm"'


class MissingScope(NotAllowed):
    """Use a token that has the scope named, or ask for the role that carries it."""

    code = "missing_scope"


class CsrfFailed(exceptions.PermissionDenied):
    default_detail = "Send the CSRF token in X-CSRFToken: a session needs it for everything but reading."


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer …`. One query: token, owner, roles and legal entities come together."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if not kind:
            return None
        if kind.lower() != "bearer" or not secret.strip():
            raise exceptions.AuthenticationFailed("Send the token as “Authorization: Bearer <token>”.")
        token = _find(secret.strip())
        owner: User = token.owner
        _note_use(token)
        return owner, token

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


@lru_cache(maxsize=1)
def _statement() -> str:
    """Written once: every call starts with it, and putting it together anew would cost more than running it."""
    token, owner = ApiToken._meta, User._meta
    columns = [f't."{field.column}"' for field in token.concrete_fields]
    columns += [f'u."{field.column}"' for field in owner.concrete_fields]
    through = User.groups.through._meta.db_table
    return (
        f"SELECT {', '.join(columns)}, "
        f'ARRAY(SELECT g.name FROM "{Group._meta.db_table}" g JOIN "{through}" m ON m.group_id = g.id WHERE m.user_id = u.id), '
        f'ARRAY(SELECT s.legal_entity FROM "{EntityScope._meta.db_table}" s WHERE s.user_id = u.id) '
        f'FROM "{token.db_table}" t JOIN "{owner.db_table}" u ON u.id = t.owner_id WHERE t.hash = %s'
    )


def _read(hashed: str) -> ApiToken | None:
    """The token with its owner, the owner's roles and legal entities."""
    with connection.cursor() as cursor:
        cursor.execute(_statement(), [hashed])
        row = cursor.fetchone()
    if row is None:
        return None
    own = [field.attname for field in ApiToken._meta.concrete_fields]
    theirs = [field.attname for field in User._meta.concrete_fields]
    token: ApiToken = ApiToken.from_db(connection.alias, own, row[: len(own)])
    owner = User.from_db(connection.alias, theirs, row[len(own) : len(own) + len(theirs)])
    owner._mdm_roles = frozenset(row[-2]) & frozenset(permissions.ROLES)  # type: ignore[attr-defined]
    token.owner, token.owner_entities = owner, row[-1]  # type: ignore[attr-defined]
    return token


def _find(secret: str) -> ApiToken:
    token = _read(hash_of(secret))
    if token is None or token.revoked_at or not token.owner.is_active:
        raise exceptions.AuthenticationFailed("This token is not known, or was revoked.")
    if token.expires_at and token.expires_at <= timezone.now():
        raise exceptions.AuthenticationFailed("This token has expired: make a new one.")
    return token


def _note_use(token: ApiToken) -> None:
    """Once a day at most: a read must not become a write."""
    today = timezone.localdate()
    if token.last_used_on != today:
        ApiToken.objects.filter(pk=token.pk).update(last_used_on=today)


class SessionAuthentication(authentication.SessionAuthentication):
    """The web UI's cookie, with its CSRF token for everything but reading."""

    def enforce_csrf(self, request: Any) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied:
            raise CsrfFailed from None


def token_of(request: Request) -> ApiToken | None:
    return request.auth if isinstance(request.auth, ApiToken) else None


def user_of(request: Request) -> User:
    """The person behind an admitted request."""
    assert isinstance(request.user, User)
    return request.user


def scopes_of(request: Request) -> frozenset[str]:
    """What this caller may do: the person's scopes, for a token only those it was given."""
    return actor_of(request).scopes


def actor_of(request: Request) -> Actor:
    """The actor behind this request; a token counts as the human who owns it."""
    known: Actor | None = getattr(request, "_mdm_actor", None)
    if known is None:
        token = token_of(request)
        if token is None:
            known = permissions.actor_of(user_of(request))
        else:
            known = permissions.actor_of(user_of(request), scopes=frozenset(token.scopes), token=token.name)
        request._mdm_actor = known  # type: ignore[attr-defined]
    return known


def entities_of(request: Request) -> frozenset[str] | None:
    """Codes of the legal entities this caller may see; None means all."""
    token = token_of(request)
    if token is None:
        return permissions.entities_of(request.user)
    return frozenset(token.owner_entities) or None  # type: ignore[attr-defined]


def client_of(request: Request) -> str:
    """Under which name calls are counted and remembered: the token, the person, else the address."""
    token = token_of(request)
    if token is not None:
        return f"token:{token.pk}"
    if request.user is not None:
        return f"user:{request.user.pk}"
    return f"address:{request.META.get('REMOTE_ADDR', '')}"


class HasScope(BasePermission):
    """The scope of the operation that is called; `read`, `propose` stand for “of any type”. Views may also name
    `required_scopes` for methods that are no operations."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.user is None:
            return False
        needed = view.needed_scope(request.method) if hasattr(view, "needed_scope") else None
        if needed is None:
            needed = getattr(view, "required_scopes", {}).get(request.method)
        if needed and not covers(scopes_of(request), needed):
            raise MissingScope(f"This call needs the scope “{needed}”.", scope=needed)
        return True


def covers(scopes: frozenset[str], needed: str) -> bool:
    if needed in ("read", "propose"):
        return any(scope.startswith(f"{needed}:") for scope in scopes)
    return permissions.allows(scopes, needed)
