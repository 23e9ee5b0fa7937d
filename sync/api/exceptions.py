"""Business exceptions over REST."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api.operations import Answer, Page, PageQuery, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotNow
from mdm.types import Problem
from sync.api import exception_shapes as shapes
from sync.models import OutcomeRule
from sync.selectors import exception_views, rule_views
from sync.services import exceptions

_ONE = {200: Answer(shapes.ExceptionBody)}


class Exceptions(HubView):
    @operation(
        "List business exceptions",
        scope="sync:read",
        query=shapes.ExceptionQuery,
        answers={200: Page[shapes.ExceptionBody]},
        id="exceptions_list",
        notes="Newest first.",
    )
    def get(self, request: Request) -> Response:
        rows = exception_views.matching(exception_views.items(self.entities), self.query.model_dump())
        return self.page(rows, present=exception_views.as_json, order=("-pk",))


class OneException(HubView):
    @operation("Show a business exception", scope="sync:read", answers=_ONE, id="exceptions_show")
    def get(self, request: Request, uid: str) -> Response:
        return self.shown(uid)

    def shown(self, uid: str) -> Response:
        return Response(exception_views.as_json(exception_views.find(uid, self.entities)))


def _person(request: Request, name: str | None) -> Any:
    if name is None:
        return request.user
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        text = "There is no such person."
        raise CorrectInput(text, problems=[Problem("user", "unknown", text)])
    return user


class Assign(OneException):
    http_method_names = ["post"]

    @operation(
        "Assign a business exception",
        scope="sync:operate",
        body=shapes.AssignException,
        body_required=False,
        answers=_ONE,
        id="exceptions_assign",
    )
    def post(self, request: Request, uid: str) -> Response:
        exceptions.assign(
            exception_views.find(uid, self.entities), user=_person(request, self.body.user), by=self.actor
        )
        return self.shown(uid)


class Retry(OneException):
    http_method_names = ["post"]

    @operation(
        "Send a refused record again, in its current version",
        scope="sync:operate",
        answers=_ONE,
        id="exceptions_retry",
    )
    def post(self, request: Request, uid: str) -> Response:
        exceptions.retry(exception_views.find(uid, self.entities), by=self.actor)
        return self.shown(uid)


class Cancel(OneException):
    http_method_names = ["post"]

    @operation(
        "Cancel a refused delivery",
        scope="sync:operate",
        body=shapes.CancelException,
        answers=_ONE,
        id="exceptions_cancel",
    )
    def post(self, request: Request, uid: str) -> Response:
        exceptions.cancel(exception_views.find(uid, self.entities), reason=self.body.reason, by=self.actor)
        return self.shown(uid)


class Resolve(OneException):
    http_method_names = ["post"]

    @operation(
        "Close a business exception, or map the value it lacks",
        scope="sync:operate",
        body=shapes.ResolveException,
        answers=_ONE,
        id="exceptions_resolve",
    )
    def post(self, request: Request, uid: str) -> Response:
        item = exception_views.find(uid, self.entities)
        if self.body.theirs is None:
            exceptions.resolve(item, note=self.body.note or "", by=self.actor)
            return self.shown(uid)
        if not item.table:
            raise NotNow("This exception is not about a value without counterpart: give a note instead.")
        if item.state != "open":
            raise NotNow(f"This exception is {item.state} already.")
        exceptions.map_value(item.target, table=item.table, ours=item.value, theirs=self.body.theirs, by=self.actor)
        return self.shown(uid)


class Decide(HubView):
    http_method_names = ["post"]

    @operation(
        "Do the same to many business exceptions",
        scope="sync:operate",
        body=shapes.DecideExceptions,
        answers={200: Answer(shapes.DecidedExceptions)},
        id="exceptions_decide",
        notes="Each by itself: one that is closed already, or not there, is left with the reason.",
    )
    def post(self, request: Request) -> Response:
        wanted = self.body
        found = list(exception_views.items(self.entities).filter(uid__in=wanted.uids).order_by("pk"))
        user = _person(request, wanted.user) if wanted.action == "assign" else None
        decided = exceptions.decide(found, wanted.action, by=self.actor, reason=wanted.reason, user=user)
        there = {item.uid for item in found}
        left = [{"uid": str(item.uid), "why": why} for item, why in decided.left]
        left += [{"uid": str(uid), "why": "There is no such exception."} for uid in wanted.uids if uid not in there]
        return Response({"done": decided.done, "left": left})


class Rules(HubView):
    @operation(
        "List the rules by which outcomes are understood",
        scope="sync:read",
        query=PageQuery,
        answers={200: Page[shapes.OutcomeRuleBody]},
        id="exception_rules_list",
        notes="In the order in which they are asked. Governance changes them in the admin.",
    )
    def get(self, request: Request) -> Response:
        rows = OutcomeRule.objects.select_related("target").prefetch_related("owners__person")
        return self.page(rows, present=rule_views.as_json, order=("position",))
