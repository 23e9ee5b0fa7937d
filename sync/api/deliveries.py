"""The ledger over REST, and replay."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api.operations import Answer, Page, operation
from mdm.api.view import HubView
from sync.api import job_shapes, shapes
from sync.selectors import jobs as jobs_view
from sync.selectors import ledger, sight
from sync.services import exceptions, replay


class Deliveries(HubView):
    @operation(
        "List deliveries",
        scope="sync:read",
        query=shapes.DeliveryQuery,
        answers={200: Page[shapes.DeliveryBody]},
        id="deliveries_list",
        notes="Newest first. `state` filters by what is stored: a delivery whose answer is being waited for is "
        "stored as `unknown` and shown as `in_flight`.",
    )
    def get(self, request: Request) -> Response:
        rows = ledger.matching(ledger.deliveries(self.entities), self.query.model_dump())
        return self.page(rows, present_all=lambda found: ledger.page_as_json(found, self.entities), order=("-pk",))


class OneDelivery(HubView):
    @operation(
        "Show a delivery with everything that was said",
        scope="sync:read",
        answers={200: shapes.DeliveryBody},
        id="deliveries_show",
    )
    def get(self, request: Request, uid: str) -> Response:
        return self.shown(uid)

    def shown(self, uid: str) -> Response:
        row = ledger.find(uid, self.entities)
        hidden = bool(sight.hidden_deliveries([row], self.entities))
        return Response(ledger.as_json(row, hidden=hidden, exchanges=True))


class Release(OneDelivery):
    http_method_names = ["post"]

    @operation(
        "Release the lane of a delivery that was set aside",
        scope="sync:operate",
        answers={200: shapes.DeliveryBody},
        id="deliveries_release",
        notes="For `poison`: it ended its process three times, so its lane is held. The current version is sent.",
    )
    def post(self, request: Request, uid: str) -> Response:
        exceptions.retry_poison(ledger.find(uid, self.entities), by=self.actor)
        return self.shown(uid)


class Replay(HubView):
    @operation(
        "Repeat deliveries",
        scope="sync:operate",
        body=job_shapes.ReplayBody,
        answers={
            200: Answer(job_shapes.ReplayShown, "A dry run: only looked at."),
            202: Answer(job_shapes.ReplayShown, "A job per target was made; see `jobs`."),
        },
        id="deliveries_replay",
        notes="Sends the current version of the records found; with `force` the version as it was (needs the scope "
        "`sync:force` and a reason). More than 100 deliveries, and forced ones, wait for a second person: "
        "`POST /push-jobs/{uid}/approve/`. Repeating a replay changes nothing.",
    )
    def post(self, request: Request) -> Response:
        body = self.body
        found = replay.replay(
            filter=body.filter.model_dump(mode="json", exclude_none=True),
            dry_run=body.dry_run,
            by=self.actor,
            forced=body.force,
            reason=body.reason,
            rate_per_s=body.rate_per_s,
        )
        return Response(jobs_view.replay_as_json(found, body.dry_run), status=200 if body.dry_run else 202)
