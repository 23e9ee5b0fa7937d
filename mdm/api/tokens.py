"""A person's API tokens: made (shown once), listed, revoked. A token never gets more than whoever makes it has."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import permissions
from mdm.api import auth, documents
from mdm.api.operations import Answer, Body, Moment, Page, PageQuery, Shown, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotFound
from mdm.models import ApiToken
from mdm.services import tokens
from mdm.types import Problem


class TokenBody(Shown):
    uid: UUID
    name: str
    prefix: str = Field(description="How the token begins.")
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_on: date | None


class NewToken(TokenBody):
    token: str = Field(description="Shown only here: keep it where secrets are kept.")


class TokenInput(Body):
    name: str = Field(min_length=1, max_length=100)
    scopes: list[str] = Field(min_length=1, max_length=50)
    expires_at: Moment | None = None


def present(token: ApiToken) -> dict[str, Any]:
    return {
        "uid": token.uid,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_on": token.last_used_on,
    }


class TokenView(HubView):
    def mine(self) -> QuerySet[ApiToken]:
        return ApiToken.objects.filter(owner=auth.user_of(self.request))

    def find(self, uid: str) -> ApiToken:
        token = self.mine().filter(**documents.lookup_uid(uid)).first()
        if token is None:
            raise NotFound("There is no such token.")
        return token


class Tokens(TokenView):
    @operation("List my tokens", scope=None, query=PageQuery, answers={200: Page[TokenBody]})
    def get(self, request: Request) -> Response:
        return self.page(self.mine(), present=present, order=("-created_at",))

    @operation(
        "Make a token",
        scope=None,
        body=TokenInput,
        answers={201: Answer(NewToken, "The token, shown this once.", headers=("Location",))},
        sealed=True,
        notes="With scopes of your own; a token made with a token has at most that one's.",
    )
    def post(self, request: Request) -> Response:
        body = self.body
        beyond = [scope for scope in body.scopes if not permissions.allows(self.scopes, scope)]
        if beyond and set(beyond) <= set(permissions.known_scopes()):
            raise auth.MissingScope("You do not have " + ", ".join(beyond) + " yourself.")
        if body.expires_at and body.expires_at <= timezone.now():
            text = "This time is over."
            raise CorrectInput(text, problems=[Problem("expires_at", "past", text)])
        token, plain = tokens.issue(
            owner=auth.user_of(request), name=body.name, scopes=body.scopes, expires_at=body.expires_at
        )
        location = request.build_absolute_uri(reverse("api:token", args=[token.uid]))
        return Response({**present(token), "token": plain}, status=201, headers={"Location": location})


class Token(TokenView):
    @operation("Show a token", scope=None, answers={200: TokenBody})
    def get(self, request: Request, uid: str) -> Response:
        return Response(present(self.find(uid)))


class RevokeToken(TokenView):
    @operation("Revoke a token", scope=None, answers={200: TokenBody}, notes="At once and for good.")
    def post(self, request: Request, uid: str) -> Response:
        token = tokens.revoke(token=self.find(uid), by=self.actor)
        return Response(present(token))
