"""Business exceptions over REST."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api.operations import Answer, Page, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotNow
from mdm.types import Problem
from sync.api import shapes
from sync.selectors import exception_views
from sync.services import exceptions

_ONE = {200: Answer(shapes.ExceptionBody)}


class Exceptions(HubView):
    @operation(
        "List business exceptions",
        scope="sync:read",
        query=shapes.ExceptionQuery,
        answers={200: Page[shapes.ExceptionBody]},
        id="exceptions_list",
    )
    def get(self, request: Request) -> Response:
        rows = exception_views.matching(exception_views.items(), self.query.model_dump())
        return self.page(rows, present=exception_views.as_json, order=("-pk",))


class OneException(HubView):
    @operation("Show a business exception", scope="sync:read", answers=_ONE, id="exceptions_show")
    def get(self, request: Request, uid: str) -> Response:
        return self.shown(uid)

    def shown(self, uid: str) -> Response:
        return Response(exception_views.as_json(exception_views.find(uid)))


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
        user: Any = request.user
        if self.body.user is not None:
            user = User.objects.filter(username=self.body.user, is_active=True).first()
            if user is None:
                text = "There is no such person."
                raise CorrectInput(text, problems=[Problem("user", "unknown", text)])
        exceptions.assign(exception_views.find(uid), user=user, by=self.actor)
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
        exceptions.retry(exception_views.find(uid), by=self.actor)
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
        exceptions.cancel(exception_views.find(uid), reason=self.body.reason, by=self.actor)
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
        item = exception_views.find(uid)
        if self.body.theirs is None:
            exceptions.resolve(item, note=self.body.note or "", by=self.actor)
            return self.shown(uid)
        if not item.table:
            raise NotNow("This exception is not about a value without counterpart: give a note instead.")
        if item.state != "open":
            raise NotNow(f"This exception is {item.state} already.")
        exceptions.map_value(item.target, table=item.table, ours=item.value, theirs=self.body.theirs, by=self.actor)
        return self.shown(uid)
