"""Push jobs, plans and chains over REST: asking, reading row by row, approving, pausing, repeating."""

from __future__ import annotations

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api.operations import Answer, Page, operation
from mdm.api.view import HubView
from mdm.errors import NotFound
from sync.api import job_shapes as shapes
from sync.models import PushJob
from sync.selectors import chain
from sync.selectors import jobs as views
from sync.services import jobs

_JOB = {200: Answer(shapes.PushJobBody)}


def made(request: Request, job: PushJob) -> Response:
    location = request.build_absolute_uri(reverse("sync-api:push-job", args=[job.uid]))
    return Response(views.as_json(views.find(job.uid)), status=202, headers={"Location": location})


class Jobs(HubView):
    @operation(
        "List push jobs",
        scope="sync:read",
        query=shapes.PushJobQuery,
        answers={200: Page[shapes.PushJobBody]},
        id="push_jobs_list",
        notes="Replays, loads and plans, newest first.",
    )
    def get(self, request: Request) -> Response:
        rows = views.matching(views.jobs(), self.query.model_dump())
        return self.page(rows, present=views.as_json, order=("-pk",))


class OneJob(HubView):
    @operation("Show a push job", scope="sync:read", answers=_JOB, id="push_jobs_show")
    def get(self, request: Request, uid: str) -> Response:
        return self.shown(uid)

    def shown(self, uid: str) -> Response:
        return Response(views.as_json(views.find(uid)))


class Rows(HubView):
    @operation(
        "List the rows of a push job",
        scope="sync:read",
        query=shapes.PushRowQuery,
        answers={200: Page[shapes.PushRowBody]},
        id="push_jobs_rows",
        notes="Of a plan: what would happen to each record, and why a row was not applied.",
    )
    def get(self, request: Request, uid: str) -> Response:
        rows = views.rows_of(views.find(uid), self.entities, self.query.model_dump())
        return self.page(rows, present_all=lambda found: views.rows_as_json(found, self.entities), order=("place",))


class Approve(OneJob):
    http_method_names = ["post"]

    @operation(
        "Approve a push job, or apply a plan",
        scope="sync:operate",
        body=shapes.ApproveJob,
        answers=_JOB,
        id="push_jobs_approve",
        notes="Over 100 deliveries, and forced ones: not by whoever asked (403 `four_eyes`).",
    )
    def post(self, request: Request, uid: str) -> Response:
        jobs.approve(views.find(uid), by=self.actor, content_hash=self.body.content_hash, comment=self.body.comment)
        return self.shown(uid)


class Refuse(OneJob):
    http_method_names = ["post"]

    @operation(
        "Refuse a push job", scope="sync:operate", body=shapes.RefuseJob, answers=_JOB, id="push_jobs_refuse",
    )  # fmt: skip
    def post(self, request: Request, uid: str) -> Response:
        jobs.refuse(views.find(uid), by=self.actor, reason=self.body.reason)
        return self.shown(uid)


class Pause(OneJob):
    http_method_names = ["post"]

    @operation(
        "Pause a push job",
        scope="sync:operate",
        answers=_JOB,
        id="push_jobs_pause",
        notes="No further row is queued; what was queued is sent.",
    )
    def post(self, request: Request, uid: str) -> Response:
        jobs.pause(views.find(uid), by=self.actor)
        return self.shown(uid)


class Resume(OneJob):
    http_method_names = ["post"]

    @operation("Let a paused push job go on", scope="sync:operate", answers=_JOB, id="push_jobs_resume")
    def post(self, request: Request, uid: str) -> Response:
        jobs.resume(views.find(uid), by=self.actor)
        return self.shown(uid)


class Cancel(OneJob):
    http_method_names = ["post"]

    @operation(
        "Cancel a push job",
        scope="sync:operate",
        answers=_JOB,
        id="push_jobs_cancel",
        notes="The rows that were not queued yet are given up.",
    )
    def post(self, request: Request, uid: str) -> Response:
        jobs.cancel(views.find(uid), by=self.actor)
        return self.shown(uid)


class Repeat(HubView):
    @operation(
        "Repeat what failed of a push job",
        scope="sync:operate",
        answers={202: Answer(shapes.PushJobBody, "Another job was made.", headers=("Location",))},
        id="push_jobs_repeat",
        notes="Of a plan that is stale: plans again.",
    )
    def post(self, request: Request, uid: str) -> Response:
        job = views.find(uid)
        again = jobs.plan_again if job.state == "stale" else jobs.repeat_failed
        return made(request, again(job, by=self.actor))


class Chain(HubView):
    @operation(
        "Follow a correlation id",
        scope="sync:read",
        answers={200: shapes.ChainBody},
        id="correlations_show",
        tag="deliveries",
        notes="From the change request through its events and deliveries to what each target answered.",
    )
    def get(self, request: Request, correlation_id: str) -> Response:
        found = chain.of(correlation_id, by=self.actor, entities=self.entities, exchanges=True)
        if not found:
            raise NotFound("Nothing carries this correlation id.")
        return Response(chain.as_json(found))
