"""Technical alerts over REST."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api.operations import Answer, Page, operation
from mdm.api.view import HubView
from sync.api import alert_shapes as shapes
from sync.selectors import alert_views
from sync.services import alerts

_ONE = {200: Answer(shapes.AlertBody)}


class Alerts(HubView):
    @operation(
        "List technical alerts",
        scope="sync:read",
        query=shapes.AlertQuery,
        answers={200: Page[shapes.AlertBody]},
        id="alerts_list",
        notes="Newest first; one per target and cause, with everybody who was told.",
    )
    def get(self, request: Request) -> Response:
        rows = alert_views.matching(alert_views.alerts(), self.query.model_dump())
        return self.page(rows, present=alert_views.as_json, order=("-pk",))


class OneAlert(HubView):
    @operation("Show a technical alert", scope="sync:read", answers=_ONE, id="alerts_show")
    def get(self, request: Request, uid: str) -> Response:
        return self.shown(uid)

    def shown(self, uid: str) -> Response:
        return Response(alert_views.as_json(alert_views.find(uid)))


class Acknowledge(OneAlert):
    http_method_names = ["post"]

    @operation(
        "Look after a technical alert",
        scope="sync:operate",
        body=shapes.AcknowledgeAlert,
        body_required=False,
        answers=_ONE,
        id="alerts_acknowledge",
        notes="It stays open until the target works again; then it closes by itself.",
    )
    def post(self, request: Request, uid: str) -> Response:
        alerts.acknowledge(alert_views.find(uid), note=self.body.note, by=self.actor)
        return self.shown(uid)
