"""Freeze windows over REST."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api.operations import Answer, Page, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput
from mdm.types import Problem
from sync.api import alert_shapes as shapes
from sync.models import Target
from sync.selectors import freeze_views
from sync.services import freezing

_ONE = {200: Answer(shapes.FreezeBody)}


class Freezes(HubView):
    @operation(
        "List freeze windows",
        scope="sync:read",
        query=shapes.FreezeQuery,
        answers={200: Page[shapes.FreezeBody]},
        id="freeze_windows_list",
        notes="The latest to begin first.",
    )
    def get(self, request: Request) -> Response:
        rows = freeze_views.matching(freeze_views.windows(), self.query.model_dump())
        return self.page(rows, present=freeze_views.as_json, order=("-starts_at",))

    @operation(
        "Freeze a target",
        scope="admin",
        body=shapes.FreezeTarget,
        answers={201: Answer(shapes.FreezeBody)},
        id="freeze_windows_create",
        notes="Nothing is pushed inside the window, by the database's clock; what waits goes out afterwards, in order.",
    )
    def post(self, request: Request) -> Response:
        body = self.body
        target = Target.objects.filter(code=body.target).first()
        if target is None:
            text = "There is no such target."
            raise CorrectInput(text, problems=[Problem("target", "unknown", text)])
        row = freezing.open_window(
            target,
            type=body.type or "",
            entities=body.legal_entities,
            starts_at=body.starts_at,
            ends_at=body.ends_at,
            blocks_flow=body.blocks_flow,
            reason=body.reason,
            by=self.actor,
        )
        return Response(freeze_views.as_json(freeze_views.find(row.uid)), status=201)


class OneFreeze(HubView):
    @operation("Show a freeze window", scope="sync:read", answers=_ONE, id="freeze_windows_show")
    def get(self, request: Request, uid: str) -> Response:
        return Response(freeze_views.as_json(freeze_views.find(uid)))


class Lift(HubView):
    http_method_names = ["post"]

    @operation(
        "Lift a freeze early",
        scope="admin",
        body=shapes.LiftFreeze,
        answers=_ONE,
        id="freeze_windows_lift",
        notes="What waits goes out in order, at the target's rate.",
    )
    def post(self, request: Request, uid: str) -> Response:
        freezing.lift(freeze_views.find(uid), reason=self.body.reason, by=self.actor)
        return Response(freeze_views.as_json(freeze_views.find(uid)))
