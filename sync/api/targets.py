"""Targets over REST: how they are, and what operators do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api.operations import Answer, Page, PageQuery, operation
from mdm.api.view import HubView
from mdm.errors import NotFound
from sync.api import target_shapes as shapes
from sync.models import Target
from sync.selectors import target_health
from sync.services import targets


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
        answers={202: Answer(shapes.PushedBody, "Queued.")},
        id="targets_push",
        notes="The current version of the records named, or of everything the target is subscribed to.",
    )
    def post(self, request: Request, code: str) -> Response:
        body = self.body
        pushed = targets.push(
            find(code),
            by=self.actor,
            type=body.type or "",
            uids=[str(uid) for uid in body.records or []],
            dry_run=body.dry_run,
        )
        shown = {"counts": dict(pushed.counts), "dry_run": body.dry_run}
        return Response({**shown, "deliveries": [str(row.uid) for row in pushed.deliveries]}, status=202)
