"""Drift over REST: asking for runs, reading findings, deciding about them."""

from __future__ import annotations

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import registry
from mdm.api.operations import Answer, Page, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput
from mdm.types import Problem
from sync.api import drift_shapes as shapes
from sync.api import targets
from sync.models import DriftFinding
from sync.selectors import drift_views, sight
from sync.services import drift, resolving

_FINDING = {200: Answer(shapes.FindingBody)}


class DriftRuns(HubView):
    @operation(
        "List drift runs",
        scope="sync:read",
        query=shapes.DriftRunQuery,
        answers={200: Page[shapes.DriftRunBody]},
        id="drift_runs_list",
    )
    def get(self, request: Request) -> Response:
        rows = drift_views.runs()
        if self.query.target:
            rows = rows.filter(target__code=self.query.target)
        if self.query.state:
            rows = rows.filter(state=self.query.state)
        return self.page(rows, present=drift_views.run_as_json, order=("-pk",))

    @operation(
        "Look what a target really holds",
        scope="sync:operate",
        body=shapes.AskForDrift,
        answers={202: Answer(shapes.DriftRunBody, "Queued.", headers=("Location",))},
        id="drift_runs_create",
    )
    def post(self, request: Request) -> Response:
        body = self.body
        target = targets.rows().filter(code=body.target).first()
        if target is None:
            raise _unknown("target", "There is no such target.")
        kind = registry.find(body.type) if body.type else None
        if body.type and kind is None:
            raise _unknown("type", "There is no such record type.")
        run = drift.request(
            target,
            by=self.actor,
            type=kind.key if kind else "",
            record=body.record,
            changed_since=body.changed_since,
        )
        location = request.build_absolute_uri(reverse("sync-api:drift-run", args=[run.uid]))
        return Response(drift_views.run_as_json(run), status=202, headers={"Location": location})


def _unknown(path: str, words: str) -> CorrectInput:
    return CorrectInput(words, problems=[Problem(path, "unknown", words)])


class OneDriftRun(HubView):
    @operation("Show a drift run", scope="sync:read", answers={200: shapes.DriftRunBody}, id="drift_runs_show")
    def get(self, request: Request, uid: str) -> Response:
        return Response(drift_views.run_as_json(drift_views.find_run(uid)))


class CancelRun(HubView):
    @operation("Cancel a drift run", scope="sync:operate", answers={200: shapes.DriftRunBody}, id="drift_runs_cancel")
    def post(self, request: Request, uid: str) -> Response:
        return Response(drift_views.run_as_json(drift.cancel(drift_views.find_run(uid), by=self.actor)))


class Findings(HubView):
    @operation(
        "List drift findings",
        scope="sync:read",
        query=shapes.FindingQuery,
        answers={200: Page[shapes.FindingBody]},
        id="drift_findings_list",
        notes="Bank numbers are masked. `run` is the last run that saw the finding.",
    )
    def get(self, request: Request) -> Response:
        rows = drift_views.matching(drift_views.findings(self.entities), self.query.model_dump())
        return self.page(
            rows, present_all=lambda found: drift_views.findings_as_json(found, self.entities), order=("-pk",)
        )


class OneFinding(HubView):
    @operation("Show a drift finding", scope="sync:read", answers=_FINDING, id="drift_findings_show")
    def get(self, request: Request, uid: str) -> Response:
        return self.shown(uid)

    def shown(self, uid: str) -> Response:
        found = drift_views.find_finding(uid, self.entities)
        return Response(drift_views.findings_as_json([found], self.entities)[0])

    def decided(self, uid: str) -> DriftFinding:
        """The finding, for those who see what it says."""
        found = drift_views.find_finding(uid, self.entities)
        sight.require(drift_views.hides(found, drift_views.sight_of([found], self.entities)))
        return found


class PushFinding(OneFinding):
    http_method_names = ["post"]

    @operation("Push ours over a difference", scope="sync:operate", answers=_FINDING, id="drift_findings_push")
    def post(self, request: Request, uid: str) -> Response:
        resolving.push([self.decided(uid)], by=self.actor)
        return self.shown(uid)


class AdoptFinding(OneFinding):
    http_method_names = ["post"]

    @operation(
        "Propose to adopt the target's value",
        scope="sync:operate",
        body=shapes.AdoptFinding,
        body_required=False,
        answers=_FINDING,
        id="drift_findings_adopt",
        notes="Makes a change request, decided like any other; `change_request` names it.",
    )
    def post(self, request: Request, uid: str) -> Response:
        resolving.adopt([self.decided(uid)], by=self.actor, reason=self.body.reason)
        return self.shown(uid)


class IgnoreFinding(OneFinding):
    http_method_names = ["post"]

    @operation(
        "Leave a difference as it is",
        scope="sync:operate",
        body=shapes.IgnoreFinding,
        answers=_FINDING,
        id="drift_findings_ignore",
    )
    def post(self, request: Request, uid: str) -> Response:
        resolving.ignore([self.decided(uid)], reason=self.body.reason, until=self.body.until, by=self.actor)
        return self.shown(uid)
