"""Targets over REST: how they are, and what operators do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import registry
from mdm.api.operations import Answer, Page, PageQuery, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotFound
from mdm.types import Problem
from sync.api import job_shapes
from sync.api import jobs as job_calls
from sync.api import target_shapes as shapes
from sync.models import Target
from sync.models.job import LIMIT
from sync.selectors import target_health
from sync.services import jobs, targets


def rows() -> QuerySet[Target]:
    return Target.objects.select_related("system")


def find(code: str) -> Target:
    target = rows().filter(code=code).first()
    if target is None:
        raise NotFound("There is no such target.")
    return target


def present(target: Target) -> dict[str, Any]:
    return target_health.as_json(target_health.of(target))


class Targets(HubView):
    @operation(
        "List targets",
        scope="sync:read",
        query=PageQuery,
        answers={200: Page[shapes.TargetBody]},
        id="targets_list",
    )
    def get(self, request: Request) -> Response:
        def all_at_once(page: list[Target]) -> list[dict[str, Any]]:
            return [target_health.as_json(health) for health in target_health.all_targets(page)]

        return self.page(rows(), present_all=all_at_once, order=("code",))


class OneTarget(HubView):
    @operation("Show a target", scope="sync:read", answers={200: shapes.TargetBody}, id="targets_show")
    def get(self, request: Request, code: str) -> Response:
        return Response(present(find(code)))


class Pause(HubView):
    @operation(
        "Pause a target",
        scope="sync:operate",
        body=shapes.PauseTarget,
        answers={200: shapes.TargetBody},
        id="targets_pause",
        notes="Nothing more is sent there; deliveries go on queueing.",
    )
    def post(self, request: Request, code: str) -> Response:
        return Response(present(targets.pause(find(code), reason=self.body.reason, by=self.actor)))


class Resume(HubView):
    @operation("Resume a target", scope="sync:operate", answers={200: shapes.TargetBody}, id="targets_resume")
    def post(self, request: Request, code: str) -> Response:
        return Response(present(targets.resume(find(code), by=self.actor)))


class Check(HubView):
    """Talks to the target, so it must not hold a transaction open: no Idempotency-Key, repeating it does no harm."""

    @operation(
        "Sign in at a target and look what can be written there",
        scope="sync:operate",
        answers={200: shapes.TargetCheck},
        id="targets_check",
    )
    def post(self, request: Request, code: str) -> Response:
        health = targets.check(find(code), by=self.actor)
        shown = {"ok": health.ok, "message": health.message}
        return Response({**shown, "pushable": dict(health.pushable), "missing": list(health.missing)})

    def perform(self, method: Callable[..., Response], request: Request, *args: Any, **kwargs: Any) -> Response:
        return method(self, request, *args, **kwargs)


class Push(HubView):
    @operation(
        "Push to a target",
        scope="sync:operate",
        body=shapes.PushToTarget,
        answers={202: Answer(shapes.PushedBody, "Queued, or a job was made.")},
        id="targets_push",
        notes="Up to 100 named records are queued at once. More of them, everything the target is subscribed to, or "
        "(`since`) what changed since a moment is a push job; over 100 deliveries it waits for a second person.",
    )
    def post(self, request: Request, code: str) -> Response:
        body, target = self.body, find(code)
        uids = sorted({str(uid) for uid in body.records or []})
        if uids and len(uids) <= LIMIT:
            pushed = targets.push(target, by=self.actor, type=_type(body.type), uids=uids, dry_run=body.dry_run)
            counts, deliveries, job = dict(pushed.counts), [str(row.uid) for row in pushed.deliveries], None
        elif body.dry_run:
            counts, deliveries, job = dict(jobs.count(target, by=self.actor, **_scope(body))), [], None
        else:
            made = jobs.ask_for_records(target, by=self.actor, **_scope(body))
            counts, deliveries, job = made.counts | {"queued": made.total}, [], str(made.uid)
        return Response({"counts": counts, "dry_run": body.dry_run, "deliveries": deliveries, "job": job}, status=202)


def _type(given: str | None) -> str:
    kind = registry.find(given) if given else None
    if given and kind is None:
        raise CorrectInput("There is no such record type.", problems=[Problem("type", "unknown", "No such type.")])
    return kind.key if kind else ""


def _scope(body: Any) -> dict[str, Any]:
    return {"type": _type(body.type), "since": body.since, "records": [str(uid) for uid in body.records or []]}


class Plan(HubView):
    @operation(
        "Plan a push",
        scope="sync:operate",
        body=job_shapes.PlanPush,
        body_required=False,
        answers={202: Answer(job_shapes.PushJobBody, "Being looked up; nothing is written.", headers=("Location",))},
        id="targets_plan",
        notes="Computes per record what would be created, changed, blocked or left at the target. Read its rows, then "
        "`POST /push-jobs/{uid}/approve/` applies it; refused (`stale`) when the target moved meanwhile.",
    )
    def post(self, request: Request, code: str) -> Response:
        scope = {**_scope(self.body), "plan": True, "rate_per_s": self.body.rate_per_s}
        job = jobs.ask_for_records(find(code), by=self.actor, **scope)
        return job_calls.made(request, job)
