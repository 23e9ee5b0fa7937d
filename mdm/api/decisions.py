"""What people do with a change request: submit, decide, withdraw, resolve, comment, revert; one at a time or many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api import change_shapes
from mdm.api.change_requests import ChangeView
from mdm.api.operations import Answer, operation
from mdm.errors import HubError, NotAllowed
from mdm.models import ChangeRequest
from mdm.selectors import request_items
from mdm.selectors.visibility import Entities
from mdm.services import changes
from mdm.types import Actor

_DONE = {200: Answer(change_shapes.ChangeRequestBody, headers=("ETag",))}


class HiddenPaths(NotAllowed):
    """Somebody who may see everything the request changes must decide."""

    code = "hidden_paths"


def _approve(change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> None:
    changes.approve(change=change, by=by, content_hash=content_hash, comment=comment)


def _reject(change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> None:
    changes.reject(change=change, by=by, content_hash=content_hash, comment=comment)


def _return(change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> None:
    changes.send_back(change=change, by=by, content_hash=content_hash, comment=comment)


VERDICTS: dict[str, Callable[[ChangeRequest, Actor, str, str], None]] = {
    "approve": _approve,
    "reject": _reject,
    "return": _return,
}
_WORDS = {"approve": "Approve", "reject": "Reject", "return": "Return to its requester"}


def require_sight(change: ChangeRequest, entities: Entities) -> None:
    if not request_items.sees_all(change, entities):
        raise HiddenPaths("This request changes data of legal entities you may not see, so somebody else must decide.")


def verdict_view(verdict: str) -> type[ChangeView]:
    decide = VERDICTS[verdict]

    class Verdict(ChangeView):
        @operation(
            f"{_WORDS[verdict]} a change request"
            if verdict != "return"
            else "Return a change request to its requester",
            # The service asks for the right to approve, after four eyes: a maker hears that first.
            scope="read",
            body=change_shapes.DecisionInput,
            answers=_DONE,
            notes="Needs the scope `approve` as well. Deciding on something other than what you saw is 409 "
            "`content_changed`, on your own request 403 `four_eyes`, twice 409 `already_done`.",
        )
        def post(self, request: Request, uid: str) -> Response:
            change = self.find(uid)
            require_sight(change, self.entities)
            decide(change, self.actor, self.body.content_hash, self.body.comment)
            return self.show(change)

    Verdict.__name__ = f"{verdict.capitalize()}ChangeRequest"
    return Verdict


class Submit(ChangeView):
    @operation(
        "Submit a draft or returned request",
        scope="propose",
        body=change_shapes.WordsInput,
        body_required=False,
        answers=_DONE,
    )
    def post(self, request: Request, uid: str) -> Response:
        change = self.find(uid)
        changes.submit_request(change=change, by=self.actor)
        if self.body.comment:
            changes.comment(change=change, by=self.actor, text=self.body.comment)
        return self.show(change)


class Withdraw(ChangeView):
    @operation("Withdraw a request", scope="propose", body=change_shapes.WordsInput, body_required=False, answers=_DONE)
    def post(self, request: Request, uid: str) -> Response:
        change = self.find(uid)
        changes.withdraw(change=change, by=self.actor, comment=self.body.comment)
        return self.show(change)


class Resolve(ChangeView):
    @operation("Settle the conflicts of a request", scope="propose", body=change_shapes.ResolveInput, answers=_DONE)
    def post(self, request: Request, uid: str) -> Response:
        change = self.find(uid)
        require_sight(change, self.entities)
        changes.resolve(change=change, by=self.actor, choices=dict(self.body.choices))
        if self.body.comment:
            changes.comment(change=change, by=self.actor, text=self.body.comment)
        return self.show(change)


class Comment(ChangeView):
    @operation("Comment on a request", scope="read", body=change_shapes.CommentInput, answers=_DONE)
    def post(self, request: Request, uid: str) -> Response:
        change = self.find(uid)
        changes.comment(change=change, by=self.actor, text=self.body.comment)
        return self.show(change)


class Revert(ChangeView):
    @operation(
        "Propose the undoing of an applied request",
        scope="propose",
        body=change_shapes.WordsInput,
        body_required=False,
        answers={202: Answer(change_shapes.ChangeRequestBody, "The inverse request.", headers=("Location", "ETag"))},
    )
    def post(self, request: Request, uid: str) -> Response:
        change = self.find(uid)
        require_sight(change, self.entities)
        return self.show(changes.revert(change=change, by=self.actor, reason=self.body.comment), 202)


class BulkDecision(ChangeView):
    @operation(
        "Decide on many requests",
        scope="approve",
        body=change_shapes.BulkDecisionInput,
        answers={200: change_shapes.BulkDecisionBody},
        notes="Each request by itself: one that is refused does not hold up the others.",
    )
    def post(self, request: Request) -> Response:
        results = [self._decide(part) for part in self.body.requests]
        return Response({"results": results})

    def _decide(self, part: change_shapes.BulkDecisionItem) -> dict[str, Any]:
        result: dict[str, Any] = {"uid": part.uid, "ok": False, "state": None, "code": None, "detail": None}
        try:
            with transaction.atomic():
                change = self.find(str(part.uid))
                result["state"] = change.state
                require_sight(change, self.entities)
                VERDICTS[self.body.verdict](change, self.actor, part.content_hash, self.body.comment)
        except HubError as error:
            return {**result, "code": error.code, "detail": error.message}
        state = ChangeRequest.objects.values_list("state", flat=True).get(pk=change.pk)
        return {**result, "ok": True, "state": state}
