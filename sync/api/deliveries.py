"""The ledger over REST, and replay."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api.operations import Answer, Page, operation
from mdm.api.view import HubView
from sync.api import shapes
from sync.selectors import ledger
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
        rows = ledger.matching(ledger.deliveries(), self.query.model_dump())
        return self.page(rows, present_all=ledger.page_as_json, order=("-pk",))


class OneDelivery(HubView):
    @operation(
        "Show a delivery with everything that was said",
        scope="sync:read",
        answers={200: shapes.DeliveryBody},
        id="deliveries_show",
    )
    def get(self, request: Request, uid: str) -> Response:
        return Response(ledger.as_json(ledger.find(uid), exchanges=True))


class Release(HubView):
    @operation(
        "Release the lane of a delivery that was set aside",
        scope="sync:operate",
        answers={200: shapes.DeliveryBody},
        id="deliveries_release",
        notes="For `poison`: it ended its process three times, so its lane is held. The current version is sent.",
    )
    def post(self, request: Request, uid: str) -> Response:
        exceptions.retry_poison(ledger.find(uid), by=self.actor)
        return Response(ledger.as_json(ledger.find(uid), exchanges=True))


class Replay(HubView):
    @operation(
        "Repeat deliveries",
        scope="sync:operate",
        body=shapes.ReplayBody,
        answers={
            200: Answer(shapes.ReplayJobBody, "A dry run: only counted."),
            202: Answer(shapes.ReplayJobBody, "Queued."),
        },
        id="deliveries_replay",
        notes="Sends the current version of the records found. Repeating a replay changes nothing.",
    )
    def post(self, request: Request) -> Response:
        wanted = self.body.filter.model_dump(mode="json", exclude_none=True)
        job = replay.replay(filter=wanted, dry_run=self.body.dry_run, by=self.actor)
        shown = {
            "uid": str(job.uid),
            "filter": job.filter,
            "dry_run": job.dry_run,
            "counts": job.counts,
            "requested_by": job.requested_by_name,
            "created_at": job.created_at.isoformat(),
        }
        return Response(shown, status=200 if job.dry_run else 202)
